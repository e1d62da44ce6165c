"""Stores the emulated flash in a file, across processes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from rp2040py.device.load_flash import load_uf2
from rp2040py.peripherals import ssi

from cisterna.bench.rp2040.chip import FLASH_BYTES, Chip

_REACH = {ssi.CMD_PAGE_PROGRAM: 256, ssi.CMD_SECTOR_ERASE: 4096, ssi.CMD_BLOCK_ERASE: 65536}


class FlashFile:
    """Stores the flash of `chip`, which has not run yet, in the file `path`, created if needed.

    `image` is written over the file's contents as by a boot loader: only the blocks that it has. None: the chip runs
    the file's contents. Each erase and program command reaches the file at once, so killing the process is a power cut.
    OSError if the file cannot be used, BlockingIOError if another process has it.
    """

    def __init__(self, chip: Chip, path: Path, image: Path | None):
        self._flash = chip.mcu.flash
        self._ssi = chip.mcu.ssi
        self._apply = self._ssi._apply_command
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stored = os.pread(self._file, FLASH_BYTES, 0)
        if stored:
            self._flash[: len(stored)] = stored
            if image:
                load_uf2(image, chip.mcu)
        os.pwrite(self._file, self._flash[:FLASH_BYTES], 0)
        self._ssi._apply_command = self._command

    def _command(self) -> None:
        """The chip select rises: execute the command, and write the changed range to the file."""
        buffer: Any = self._ssi._tx_buffer
        reach = _REACH.get(buffer[0], 0) if len(buffer) >= 4 else 0
        start = int.from_bytes(buffer[1:4], "big")
        self._apply()
        if reach:
            start -= start % reach
            os.pwrite(self._file, self._flash[start : start + reach], start)
