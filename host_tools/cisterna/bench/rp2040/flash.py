"""Erase and program times of the flash, with interrupts off, and partial writes at a power cut.

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
    """Adds times to the flash of the emulator's SSI. `planned_cut` (`PlannedPowerCut`) may cut inside a write.

    worst            True: the data sheet's maximum times
    erases, programs  number of commands so far
    """

    def __init__(self, mcu: Any):
        self._clock = mcu.clock
        self._ssi = mcu.ssi
        self._apply = mcu.ssi._apply_command
        mcu.ssi._apply_command = self._command
        self.planned_cut: Any = None
        self.worst = False
        self.erases = 0
        self.programs = 0

    def _command(self) -> None:
        """The chip select rises and the command starts. The CPU polls for its end with interrupts off."""
        buffer = self._ssi._tx_buffer
        opcode = buffer[0] if buffer else 0
        planned_cut = self.planned_cut
        if opcode == ssi.CMD_PAGE_PROGRAM and self._ssi._write_enabled:
            self.programs += 1
            if planned_cut is not None and planned_cut.writes_left:
                self._cut_short(buffer, planned_cut)
            self._apply()
            self._busy(PAGE_PROGRAM_NS)
        elif opcode in (ssi.CMD_SECTOR_ERASE, ssi.CMD_BLOCK_ERASE) and self._ssi._write_enabled:
            self.erases += 1
            self._apply()
            self._busy(SECTOR_ERASE_NS if opcode == ssi.CMD_SECTOR_ERASE else BLOCK_ERASE_NS)
        else:
            self._apply()
        if planned_cut is not None and planned_cut.cut_now:
            planned_cut.cut()

    def _cut_short(self, buffer: bytearray, planned_cut: Any) -> None:
        """Store only part of a write. Bytes of 0xFF at its ends do not count: they program nothing."""
        data = bytes(buffer[_HEADER:])
        first = len(data) - len(data.lstrip(b"\xff"))
        kept = planned_cut.bytes_stored(len(data.strip(b"\xff")))
        if planned_cut.cut_now:
            buffer[_HEADER + first + kept :] = b"\xff" * (len(data) - first - kept)

    def _busy(self, ns: float) -> None:
        self._clock.tick(ns * _WORST if self.worst else ns)
