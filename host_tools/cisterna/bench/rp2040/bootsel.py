"""The RP2040's USB boot loader (BOOTSEL mode) as the host sees it: a drive that takes UF2 files.

What runs as in the ROM, and what is modelled:
    entry        the ROM's own code: `reset_usb_boot` sets a mark in the watchdog's scratch registers and lets the
                 watchdog time out (`chip`)
    UF2 blocks   a model after the ROM's source (pico-bootrom-rp2040, virtual_disk.c): which blocks count, when a
                 sector is erased, what is a duplicate, what starts a new file, when the chip restarts
    the drive    a model: a folder of this computer instead of FAT over USB mass storage. A file that grows is taken
                 block by block, as a host writes sectors in order; overwriting in place is not detected
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol
from zlib import crc32

MARK = 0xB007_C0D3  # in the watchdog's scratch 4: scratch 5 to 7 hold the entry point of the next start
ROM_END = 0x4000
BLOCK = 512
PAGE = 256
SECTOR = 4096
FLASH_START = 0x1000_0000
FLASH_END = 0x1100_0000  # end of the ROM's flash range; a smaller chip decodes only the lower address bits
FAMILY = 0xE48B_FF56
RESTART_NS = 1_000_000_000  # from the last block to the restart
INFO = "INFO_UF2.TXT"
INDEX = "INDEX.HTM"
_INFO_TEXT = "UF2 Bootloader v2.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"
_INDEX_TEXT = (
    '<html><head><meta http-equiv="refresh" content="0;URL=\'https://raspberrypi.com/device/RP2\'"/></head></html>\n'
)
_MAGIC_START, _MAGIC_END = (0x0A32_4655, 0x9E5D_5157), 0x0AB1_6F30
_NOT_MAIN_FLASH, _FAMILY_PRESENT = 0x0000_0001, 0x0000_2000
_MOST_BLOCKS = 123_360  # limit of the ROM's bitmaps

Write = Callable[[int, bytes, bool], None]  # offset in the flash, a page, erase its sector first


def leads_to_boot_loader(scratch: list[int]) -> bool:
    """True if the watchdog's eight scratch registers direct the next start to the ROM's USB boot."""
    mark, check, _, entry = scratch[4:]
    return mark == MARK and check == entry ^ (-MARK & 0xFFFF_FFFF) and entry < ROM_END


def has_boot_stage(first_page: bytes) -> bool:
    """True if the ROM would run the first 256 bytes of the flash: the last word is the CRC-32 of the other bytes."""
    reflected = bytes(int(f"{byte:08b}"[::-1], 2) for byte in first_page[:252])
    plain = int(f"{crc32(reflected) ^ 0xFFFF_FFFF:032b}"[::-1], 2)
    return plain == int.from_bytes(first_page[252:256], "little")


class BootLoader:
    """Takes the sectors written to the drive, and programs those that are UF2 blocks for this chip.

    write    programs a page: (offset in the flash, 256 bytes, erase its sector first)
    restart  called when all blocks of one UF2 file have been received
    """

    def __init__(self, write: Write, restart: Callable[[], None]):
        self._write = write
        self._restart = restart
        self._begin(0)

    def _begin(self, blocks: int) -> None:
        self._blocks = blocks
        self._have: set[int] = set()
        self._erased: set[int] = set()

    @property
    def progress(self) -> tuple[int, int]:
        """(blocks received, blocks of the file); (0, 0) before the first."""
        return len(self._have), self._blocks

    def take(self, sector: bytes) -> None:
        """Take a sector of 512 bytes. Ignored unless it is a block for this chip's main flash."""
        start0, start1, flags, address, size, number, blocks, family = struct.unpack_from("<8I", sector)
        if (start0, start1) != _MAGIC_START or sector[-4:] != _MAGIC_END.to_bytes(4, "little"):
            return
        if not flags & _FAMILY_PRESENT or family != FAMILY or flags & _NOT_MAIN_FLASH or size != PAGE:
            return
        in_flash = FLASH_START <= address <= FLASH_END - PAGE and address % PAGE == 0
        if not blocks or not in_flash:  # the ROM also runs a UF2 for RAM; this model does not
            self._begin(0)
            return
        if blocks != self._blocks:  # the ROM tells files apart by their number of blocks only
            self._begin(0)
            if blocks > _MOST_BLOCKS:
                return
            self._begin(blocks)
        if number >= blocks:
            self._begin(0)
            return
        if number in self._have:
            return
        group = number * PAGE // SECTOR  # by the block's number, not by its address
        self._have.add(number)
        self._write(address - FLASH_START, sector[32 : 32 + PAGE], group not in self._erased)
        self._erased.add(group)
        if len(self._have) == blocks:
            self._restart()


class HasBootLoader(Protocol):
    """A chip; `boot_loader` is None unless the chip is in BOOTSEL mode."""

    @property
    def boot_loader(self) -> BootLoader | None: ...


class BootDrive:
    """The drive RPI-RP2 of `chip`, as a folder: while the chip is in BOOTSEL it holds INFO_UF2.TXT and takes files.

    `serve` must be called regularly. When the drive disappears, the files in the folder are deleted.
    OSError if the folder cannot be created or used.
    """

    def __init__(self, chip: HasBootLoader, folder: Path):
        self._chip = chip
        self._folder = folder
        self._boot_loader: BootLoader | None = None
        self._open: dict[Path, BinaryIO] = {}  # files of the drive, positioned after the last sector taken
        folder.mkdir(parents=True, exist_ok=True)
        self._vanish()

    def serve(self) -> None:
        """Show or remove the drive with the chip's state; take new sectors of its files."""
        boot_loader = self._chip.boot_loader
        if boot_loader is not self._boot_loader:
            self._vanish()
            self._boot_loader = boot_loader
            if boot_loader:
                self._appear()
        if boot_loader:
            for path in self._files():
                with contextlib.suppress(FileNotFoundError):
                    self._take(path)

    def close(self) -> None:
        """Unplug the cable: the drive disappears."""
        self._vanish()

    def _files(self) -> list[Path]:
        """Files that the host has written, by the time of their last change."""
        written = []
        for entry in os.scandir(self._folder):
            if entry.name not in (INFO, INDEX) and entry.is_file():
                with contextlib.suppress(FileNotFoundError):
                    written.append((entry.stat().st_mtime_ns, Path(entry.path)))
        return [path for _, path in sorted(written)]

    def _take(self, path: Path) -> None:
        file = self._current(path)
        boot_loader = self._boot_loader
        while boot_loader and self._chip.boot_loader is boot_loader and len(sector := file.read(BLOCK)) == BLOCK:
            boot_loader.take(sector)
        file.seek(-(file.tell() % BLOCK), os.SEEK_CUR)  # back to the start of an incomplete sector

    def _current(self, path: Path) -> BinaryIO:
        """The open file at `path`; from the beginning if the file was replaced or truncated."""
        file = self._open.get(path)
        now = path.stat()
        if file and os.fstat(file.fileno()).st_ino == now.st_ino and file.tell() <= now.st_size:
            return file
        if file:
            file.close()
        self._open[path] = path.open("rb", buffering=0)
        return self._open[path]

    def _appear(self) -> None:
        (self._folder / INDEX).write_text(_INDEX_TEXT)
        partial = self._folder / f".{INFO}"
        partial.write_text(_INFO_TEXT, newline="")
        partial.replace(self._folder / INFO)  # last, and atomic: hosts wait for this file

    def _vanish(self) -> None:
        self._boot_loader = None
        for file in self._open.values():
            file.close()
        self._open.clear()
        for entry in os.scandir(self._folder):
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)
