"""An emulated board on this desk: it runs in real time, and its USB serial port is a pseudo-terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.flash_file import FlashFile
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.rp2040.terminal import Terminal
from cisterna.bench.rp2040.usb import UsbHost

_SLICE_NS = 2_000_000  # of board time between two looks at the port
_LONGEST_S = 0.2
_RETRY_S = 0.002  # for a program that reads slower than the board prints
_BACKLOG = 4096  # bytes for the board; what programs write beyond waits in the port, as behind a busy board's USB
_NS = 1e-9


class EmulatedBoard:
    """The image on a chip with a cable in it. `serve` runs it.

    pump   the reference pump's chips and switches are around it, as simulated; without them the chip is bare
    flash  a file that keeps the flash; see `FlashFile`
    """

    def __init__(self, image: Path, pump: bool = True, flash: Path | None = None):
        if pump:
            target = Rp2040Target(image)
            target.start({})
            self.chip: Chip = target.chip
        else:
            self.chip = Chip(image)
            self.chip.power_on()
        if flash is not None:
            FlashFile(self.chip, flash, image)
        self.usb = UsbHost(self.chip, dtr=False)
        self.usb.on_data = self._say
        self.terminal = Terminal()
        self._said = bytearray()

    @property
    def path(self) -> str:
        return self.terminal.path

    def serve(self, goes_on: Callable[[], bool]) -> None:
        """Runs the board as long as `goes_on` says so."""
        pace = _Pace(self.chip)
        is_open = False
        while goes_on():
            idle_s = pace.idle_s()
            self.terminal.wait(min(idle_s, _RETRY_S) if self._said else idle_s, is_open and self._can_take())
            if self.terminal.is_open() != is_open:
                is_open = not is_open
                self._opened(is_open)
            if self._can_take():
                self.usb.send(self.terminal.read())
            pace.run()
            if self._said and is_open:
                del self._said[: self.terminal.write(self._said)]

    def _can_take(self) -> bool:
        return self.usb.connected and self.usb.unsent < _BACKLOG

    def _opened(self, is_open: bool) -> None:
        if is_open:
            self.terminal.make_raw()
        self._said.clear()
        self.usb.set_dtr(is_open)

    def _say(self, data: bytes) -> None:
        self._said += data

    def close(self) -> None:
        self.terminal.close()


class _Pace:
    """No faster than the clock on the wall. Where this computer is slower, the board loses that time for good."""

    def __init__(self, chip: Chip):
        self._chip = chip
        self._zero_ns = time.monotonic_ns() - chip.now_ns  # on the wall, when the board's clock showed 0

    def idle_s(self) -> float:
        """How long nothing happens on the board by itself."""
        chip = self._chip
        until_ns = chip.now_ns - (time.monotonic_ns() - self._zero_ns)
        if not chip.powered or chip.mcu.core.waiting:
            until_ns += chip.clock.nanos_to_next_alarm if chip.clock.has_scheduled_alarm else _LONGEST_S / _NS
        return min(max(until_ns * _NS, 0.0), _LONGEST_S)

    def run(self) -> None:
        """Up to the time on the wall, or for a slice of it."""
        chip = self._chip
        began_ns, board_ns = time.monotonic_ns(), chip.now_ns
        asleep_ns = chip.clock.nanos_to_next_alarm if chip.mcu.core.waiting or not chip.powered else 0
        goal_ns = min(began_ns - self._zero_ns, board_ns + asleep_ns + _SLICE_NS)
        if goal_ns > board_ns:
            chip.run_until_ns(goal_ns)
        lost_ns = (time.monotonic_ns() - began_ns) - (chip.now_ns - board_ns)
        if lost_ns > 0:
            self._zero_ns += lost_ns
