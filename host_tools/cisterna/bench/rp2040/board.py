"""An emulated board on this desk: it runs in real time, and its serial ports (USB, the pump's UART) are
pseudo-terminals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cisterna.bench.cable import Cable
from cisterna.bench.rp2040.bootsel import Drive
from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.flash_file import FlashFile
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.rp2040.usb import UsbHost
from cisterna.bench.state_file import StateFile
from cisterna.bench.terminal import LOOK_S, Terminal, wait
from cisterna.bench.world.kept import Kept

_SLICE_NS = 2_000_000  # of board time between two looks at the port
_LONGEST_S = 0.2
_RETRY_S = 0.002  # for a program that reads slower than the board prints
_BACKLOG = 4096  # bytes for the board; what programs write beyond waits in the port, as behind a busy board's USB
_NS = 1e-9


class EmulatedBoard:
    """The image on a chip with its cables in it. `serve` runs it.

    pump    the reference pump's chips and switches are around it, as simulated, and its UART is a port, too;
            without them the chip is bare
    flash   a file that keeps the flash; see `FlashFile`
    as_kept what that file holds is run, and the image is not written over it
    config  what the pump's world is built from, as of `Target.start`
    state   keeps FRAM and mechanics for the next time, or None; it wins over the config's images
    usb     the image has a USB serial port; a therapy image has none
    drive   a folder that stands for the drive of the chip's boot loader, or None
    """

    kind = "rp2040"

    def __init__(
        self,
        image: Path,
        pump: bool = True,
        flash: Path | None = None,
        config: Mapping[str, Any] | None = None,
        state: StateFile | None = None,
        usb: bool = True,
        drive: Path | None = None,
        as_kept: bool = False,
    ):
        self._target: Rp2040Target | None = None
        self._state = state
        self._cable: Cable | None = None
        if pump:
            self._target = target = Rp2040Target(image)
            target.start(_without_images(config or {}, state))
            self.chip: Chip = target.chip
            self._kept = Kept(target.world)
            if state is not None and not state.is_new:
                self._kept.restore(state.pages(), state.body())
            self._cable = Cable()
        else:
            self.chip = Chip(image)
            self.chip.power_on()
        if flash is not None:
            FlashFile(self.chip, flash, None if as_kept else image)
        self.usb = UsbHost(self.chip, dtr=False) if usb else None
        self.terminal = Terminal() if usb else None
        if self.usb:
            self.usb.on_data = self._say
        self._drive = Drive(self.chip, drive) if drive else None
        self.drive = str(drive) if drive else None
        self._said = bytearray()
        self._is_open = False
        self._last_body: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        """The port that a program is most likely to want: the console, if there is one."""
        return self.console or self.link or ""

    @property
    def console(self) -> str | None:
        return self.terminal.path if self.terminal else None

    @property
    def link(self) -> str | None:
        return self._cable.path if self._cable else None

    # -- hands and eyes

    def act(self, do: str, **keys: Any) -> None:
        """A hand at the pump; ValueError names what is wrong with the word."""
        if do == "bootsel" and not keys:
            self.chip.hold_bootsel()
        elif self._target is None:
            raise ValueError(f"do is {do!r}; a bare board has nothing to put a hand on")
        else:
            self._target.act(do, **keys)

    def look(self) -> dict[str, Any]:
        return self._target.look() if self._target else {}

    def fram(self, address: int, length: int) -> bytes:
        """Bytes of the FRAM, as a programmer's clip on the chip would read them."""
        return bytes(self._target.world.fram.memory[address : address + length]) if self._target else b""

    # -- running

    def serve(self, goes_on: Callable[[], bool]) -> None:
        """Runs the board as long as `goes_on`, which is asked once a turn, says so."""
        pace = _Pace(self.chip)
        while goes_on():
            self._wait(pace.idle_s())
            self._look()
            if self.usb and self._can_take():
                self.usb.send(self.terminal.read())
            if self._cable:
                data = self._cable.read()
                if data:
                    self._target.send(data)
            pace.run()
            lines = self._target.lines() if self._target else []
            self._keep()
            if self._cable:
                self._cable.write(lines)
            if self._said and self._is_open:
                del self._said[: self.terminal.write(self._said)]
            if self._drive:
                self._drive.serve()

    def _wait(self, seconds: float) -> None:
        listening, all_open = [], True
        if self.terminal:
            all_open = self._is_open
            if self._is_open and self._can_take():
                listening.append(self.terminal)
        if self._cable:
            all_open = all_open and self._cable.is_open
            if self._cable.can_read():
                listening.append(self._cable.terminal)
        if self._said or (self._cable and self._cable.is_behind):
            seconds = min(seconds, _RETRY_S)
        if self._drive and self.chip.boot_loader:  # a file that grows makes no sign
            seconds = min(seconds, LOOK_S)
        wait(seconds, listening, all_open)

    def _look(self) -> None:
        """Notices who opens a port and who closes it."""
        if self._cable:
            self._cable.look()
        if self.terminal and self.terminal.is_open() != self._is_open:
            self._is_open = not self._is_open
            if self._is_open:
                self.terminal.make_raw()
            self._said.clear()
            self.usb.set_dtr(self._is_open)

    def _can_take(self) -> bool:
        return self.usb.connected and self.usb.unsent < _BACKLOG

    def _say(self, data: bytes) -> None:
        self._said += data

    def _keep(self) -> None:
        if self._state is None or self._target is None:
            return
        pages, body = self._kept.changes(), self._kept.body()
        if pages or body != self._last_body:
            self._state.keep(pages, body)
            self._last_body = body

    def close(self) -> None:
        for part in (self.terminal, self._cable, self._drive, self._state):
            if part:
                part.close()


def _without_images(config: Mapping[str, Any], state: StateFile | None) -> dict[str, Any]:
    """What a state file keeps is not preloaded as well."""
    kept = () if state is None or state.is_new else ("fram_image", "vault_image")
    return {key: value for key, value in config.items() if key not in kept}


class _Pace:
    """No faster than the clock on the wall. Where this computer is slower, the board loses that time for good."""

    def __init__(self, chip: Chip):
        self._chip = chip
        self._zero_ns = time.monotonic_ns() - chip.now_ns  # on the wall, when the board's clock showed 0

    def idle_s(self) -> float:
        """How long nothing happens on the board by itself."""
        chip = self._chip
        until_ns = chip.now_ns - (time.monotonic_ns() - self._zero_ns)
        if chip.asleep:
            until_ns += chip.clock.nanos_to_next_alarm if chip.clock.has_scheduled_alarm else _LONGEST_S / _NS
        return min(max(until_ns * _NS, 0.0), _LONGEST_S)

    def run(self) -> None:
        """Up to the time on the wall, or for a slice of it."""
        chip = self._chip
        began_ns, board_ns = time.monotonic_ns(), chip.now_ns
        asleep_ns = chip.clock.nanos_to_next_alarm if chip.asleep else 0
        goal_ns = min(began_ns - self._zero_ns, board_ns + asleep_ns + _SLICE_NS)
        if goal_ns > board_ns:
            chip.run_until_ns(goal_ns)
        lost_ns = (time.monotonic_ns() - began_ns) - (chip.now_ns - board_ns)
        if lost_ns > 0:
            self._zero_ns += lost_ns
