"""An emulated board in real time, with its serial ports (USB, the pump's UART) as pseudo-terminals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cisterna.bench.rp2040.bootsel import BootDrive
from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.flash_file import FlashFile
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.rp2040.usb import UsbHost
from cisterna.bench.state_file import StateFile
from cisterna.bench.terminal import POLL_S, Terminal, wait
from cisterna.bench.uart_port import UartPort
from cisterna.bench.world.nonvolatile import NonvolatileState

_SLICE_NS = 2_000_000  # longest board time between two polls of the ports
_LONGEST_S = 0.2  # longest wait
_RETRY_S = 0.002  # poll interval while a program reads slower than the board prints
_BACKLOG = 4096  # most bytes taken for the board; further bytes wait in the port, as with a busy board's USB
_NS = 1e-9


class EmulatedBoard:
    """A chip with an image and its cables. `serve` runs it.

    pump            True: the simulated pump is around the chip, and its UART is a port; False: a bare chip
    flash           file that stores the flash, or None; see `FlashFile`
    run_flash_file  run the contents of that file instead of the image
    config          of the pump's world, as in `Target.start`
    state           stores FRAM and mechanics, or None; its contents replace the config's images
    usb             the image has a USB serial port; a therapy image has none
    drive           folder that stands for the drive of the chip's boot loader, or None
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
        run_flash_file: bool = False,
    ):
        self._target: Rp2040Target | None = None
        self._state = state
        self._uart_port: UartPort | None = None
        if pump:
            self._target = target = Rp2040Target(image)
            target.start(_without_images(config or {}, state))
            self.chip: Chip = target.chip
            self._nonvolatile = NonvolatileState(target.world)
            if state is not None and not state.is_new:
                self._nonvolatile.restore(state.pages(), state.mechanics())
            self._uart_port = UartPort()
        else:
            self.chip = Chip(image)
            self.chip.power_on()
        if flash is not None:
            FlashFile(self.chip, flash, None if run_flash_file else image)
        self.usb = UsbHost(self.chip, dtr=False) if usb else None
        self.terminal = Terminal() if usb else None
        if self.usb:
            self.usb.on_data = self._queue_output
        self._drive = BootDrive(self.chip, drive) if drive else None
        self.drive = str(drive) if drive else None
        self._unsent = bytearray()
        self._is_open = False
        self._last_mechanics: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        """The console's port if there is one, else the link's."""
        return self.console or self.link or ""

    @property
    def console(self) -> str | None:
        return self.terminal.path if self.terminal else None

    @property
    def link(self) -> str | None:
        return self._uart_port.path if self._uart_port else None

    # -- operation

    def act(self, do: str, **keys: Any) -> None:
        """As `Target.act`, and `bootsel`: reset with BOOTSEL held. ValueError names what is wrong."""
        if do == "bootsel" and not keys:
            self.chip.hold_bootsel()
        elif self._target is None:
            raise ValueError(f"do is {do!r}; allowed on a bare board: bootsel")
        else:
            self._target.act(do, **keys)

    def look(self) -> dict[str, Any]:
        return self._target.look() if self._target else {}

    def fram(self, address: int, length: int) -> bytes:
        """`length` bytes of the FRAM from `address`, read behind the firmware's back; b"" on a bare board."""
        return bytes(self._target.world.fram.memory[address : address + length]) if self._target else b""

    # -- running

    def serve(self, proceed: Callable[[], bool]) -> None:
        """Run the board while `proceed`, called once per pass of the loop, returns True."""
        pace = _Pace(self.chip)
        while proceed():
            self._wait(pace.idle_s())
            self._update_ports()
            if self.usb and self.terminal and self._can_take():
                self.usb.send(self.terminal.read())
            if self._uart_port and self._target:
                data = self._uart_port.read()
                if data:
                    self._target.send(data)
            pace.run()
            lines = self._target.lines() if self._target else []
            self._store()
            if self._uart_port:
                self._uart_port.write(lines)
            if self._unsent and self._is_open and self.terminal:
                del self._unsent[: self.terminal.write(self._unsent)]
            if self._drive:
                self._drive.serve()

    def _wait(self, seconds: float) -> None:
        listening, all_open = [], True
        if self.terminal:
            all_open = self._is_open
            if self._is_open and self._can_take():
                listening.append(self.terminal)
        if self._uart_port:
            all_open = all_open and self._uart_port.is_open
            if self._uart_port.can_read():
                listening.append(self._uart_port.terminal)
        if self._unsent or (self._uart_port and self._uart_port.is_behind):
            seconds = min(seconds, _RETRY_S)
        if self._drive and self.chip.boot_loader:  # a file that grows causes no event
            seconds = min(seconds, POLL_S)
        wait(seconds, listening, all_open)

    def _update_ports(self) -> None:
        """Detect that programs opened or closed ports."""
        if self._uart_port:
            self._uart_port.update()
        if self.terminal and self.terminal.is_open() != self._is_open:
            self._is_open = not self._is_open
            if self._is_open:
                self.terminal.make_raw()
            self._unsent.clear()
            if self.usb:
                self.usb.set_dtr(self._is_open)

    def _can_take(self) -> bool:
        return self.usb is not None and self.usb.connected and self.usb.unsent < _BACKLOG

    def _queue_output(self, data: bytes) -> None:
        self._unsent += data

    def _store(self) -> None:
        if self._state is None or self._target is None:
            return
        pages, body = self._nonvolatile.changes(), self._nonvolatile.mechanics()
        if pages or body != self._last_mechanics:
            self._state.keep(pages, body)
            self._last_mechanics = body

    def close(self) -> None:
        for part in (self.terminal, self._uart_port, self._drive, self._state):
            if part:
                part.close()


def _without_images(config: Mapping[str, Any], state: StateFile | None) -> dict[str, Any]:
    """`config`, without the memory images if `state` holds the memories."""
    stored = () if state is None or state.is_new else ("fram_image", "vault_image")
    return {key: value for key, value in config.items() if key not in stored}


class _Pace:
    """Runs the chip no faster than real time. If this computer is slower, the board loses that time."""

    def __init__(self, chip: Chip):
        self._chip = chip
        self._zero_ns = time.monotonic_ns() - chip.now_ns  # real time at zero of the board's clock

    def idle_s(self) -> float:
        """Real time, s, to the next event on the board without input; at most `_LONGEST_S`."""
        chip = self._chip
        until_ns = chip.now_ns - (time.monotonic_ns() - self._zero_ns)
        if chip.asleep:
            until_ns += chip.clock.nanos_to_next_alarm if chip.clock.has_scheduled_alarm else _LONGEST_S / _NS
        return min(max(until_ns * _NS, 0.0), _LONGEST_S)

    def run(self) -> None:
        """Run the chip up to real time, at most for one slice of CPU work."""
        chip = self._chip
        began_ns, board_ns = time.monotonic_ns(), chip.now_ns
        asleep_ns = chip.clock.nanos_to_next_alarm if chip.asleep else 0
        goal_ns = min(began_ns - self._zero_ns, board_ns + asleep_ns + _SLICE_NS)
        if goal_ns > board_ns:
            chip.run_until_ns(goal_ns)
        lost_ns = (time.monotonic_ns() - began_ns) - (chip.now_ns - board_ns)
        if lost_ns > 0:
            self._zero_ns += lost_ns
