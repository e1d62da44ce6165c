"""What erasing and programming the flash costs: time with interrupts off, and, in a power cut, a write half done.

Typical times of the W25Q16JV on a Pico (data sheet rev H, 9.6): page program 0.4 ms, sector erase 45 ms.
"""

from __future__ import annotations

from typing import Any

from rp2040py.peripherals import ssi

PAGE_PROGRAM_NS = 400_000
SECTOR_ERASE_NS = 45_000_000
BLOCK_ERASE_NS = 150_000_000
_HEADER = 4  # command and address
_WORST = 400 / 45  # the data sheet's longest sector erase against the typical one


class FlashTimes:
    """The flash behind the emulator's SSI. `fuse` is the world's: it may cut the supply inside a write.

    worst  True: everything takes as long as the data sheet allows
    """

    def __init__(self, mcu: Any):
        self._clock = mcu.clock
        self._ssi = mcu.ssi
        self._apply = mcu.ssi._apply_command
        mcu.ssi._apply_command = self._command
        self.fuse: Any = None
        self.worst = False
        self.erases = 0
        self.programs = 0

    def _command(self) -> None:
        """The chip select rises: the command begins. The CPU asks for the end of it with interrupts off."""
        buffer = self._ssi._tx_buffer
        opcode = buffer[0] if buffer else 0
        fuse = self.fuse
        if opcode == ssi.CMD_PAGE_PROGRAM and self._ssi._write_enabled:
            self.programs += 1
            if fuse is not None and fuse.writes_left:
                self._cut_short(buffer, fuse)
            self._apply()
            self._busy(PAGE_PROGRAM_NS)
        elif opcode in (ssi.CMD_SECTOR_ERASE, ssi.CMD_BLOCK_ERASE) and self._ssi._write_enabled:
            self.erases += 1
            self._apply()
            self._busy(SECTOR_ERASE_NS if opcode == ssi.CMD_SECTOR_ERASE else BLOCK_ERASE_NS)
        else:
            self._apply()
        if fuse is not None and fuse.blown:
            fuse.blow()

    def _cut_short(self, buffer: bytearray, fuse: Any) -> None:
        """Bytes of 0xFF program nothing: a write is what lies between the first and the last other one."""
        data = bytes(buffer[_HEADER:])
        first = len(data) - len(data.lstrip(b"\xff"))
        kept = fuse.allow(len(data.strip(b"\xff")))
        if fuse.blown:
            buffer[_HEADER + first + kept :] = b"\xff" * (len(data) - first - kept)

    def _busy(self, ns: float) -> None:
        self._clock.tick(ns * _WORST if self.worst else ns)
