"""The RP2040's boot loader as the host sees it: the chip in BOOTSEL, and the drive on which a UF2 file is put.

What is the ROM's own and what is a model of it:
    the way in   the ROM's own code runs: `reset_usb_boot` leaves its mark in the watchdog and lets it bite (`chip`)
    UF2 blocks   a model, by the ROM's source (pico-bootrom-rp2040, virtual_disk.c): which blocks count, when a sector
                 is erased, what is a duplicate, what begins anew, when the chip restarts
    the drive    a model: not FAT over USB mass storage, but a folder of this computer; a file that grows in it is
                 taken block by block, as a host writes a file's sectors in their order; what is written over in
                 place is not noticed
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zlib import crc32

if TYPE_CHECKING:
    from cisterna.bench.rp2040.chip import Chip

MARK = 0xB007_C0D3  # in the watchdog's scratch 4: scratch 5 to 7 say where to go on
ROM_END = 0x4000
BLOCK = 512
PAGE = 256
SECTOR = 4096
FLASH_START = 0x1000_0000
FLASH_END = 0x1100_0000  # what the ROM takes for flash; a smaller chip sees the lower bits only
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
_MOST_BLOCKS = 123_360  # what the ROM has bitmaps for

Write = Callable[[int, bytes, bool], None]  # offset in the flash, a page, erase its sector first


def leads_to_boot_loader(scratch: list[int]) -> bool:
    """True if the watchdog's eight scratch registers send the next start to the ROM's USB boot."""
    mark, check, _, entry = scratch[4:]
    return mark == MARK and check == entry ^ (-MARK & 0xFFFF_FFFF) and entry < ROM_END


def has_boot_stage(first_page: bytes) -> bool:
    """True if the ROM would run the flash's first 256 bytes: their last word is the CRC-32 of the others."""
    reflected = bytes(int(f"{byte:08b}"[::-1], 2) for byte in first_page[:252])
    plain = int(f"{crc32(reflected) ^ 0xFFFF_FFFF:032b}"[::-1], 2)
    return plain == int.from_bytes(first_page[252:256], "little")


class BootLoader:
    """Takes sectors as they are written to the drive, and programs those that are blocks of a UF2 for this chip.

    write    programs a page
    restart  called when all blocks of one UF2 have come
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
        """Blocks that are there, of how many; 0 of 0 before the first."""
        return len(self._have), self._blocks

    def take(self, sector: bytes) -> None:
        """512 bytes. What is no block for this chip's main flash changes nothing."""
        start0, start1, flags, address, size, number, blocks, family = struct.unpack_from("<8I", sector)
        if (start0, start1) != _MAGIC_START or sector[-4:] != _MAGIC_END.to_bytes(4, "little"):
            return
        if not flags & _FAMILY_PRESENT or family != FAMILY or flags & _NOT_MAIN_FLASH or size != PAGE:
            return
        in_flash = FLASH_START <= address <= FLASH_END - PAGE and address % PAGE == 0
        if not blocks or not in_flash:  # the ROM also runs a UF2 for RAM; this model knows flash only
            self._begin(0)
            return
        if blocks != self._blocks:  # no other sign of another file: two of one length are one file to the ROM
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


class Drive:
    """The drive RPI-RP2 of `chip`, as a folder: while the chip is in BOOTSEL it holds INFO_UF2.TXT and takes files.

    `serve` must be called every now and then. What is in the folder when the drive goes is deleted with it.
    OSError if the folder cannot be made or used.
    """

    def __init__(self, chip: Chip, folder: Path):
        self._chip = chip
        self._folder = folder
        self._boot_loader: BootLoader | None = None
        self._open: dict[Path, BinaryIO] = {}  # each where it was read to
        folder.mkdir(parents=True, exist_ok=True)
        self._vanish()

    def serve(self) -> None:
        """The drive comes or goes with the chip's state; new sectors of its files are taken."""
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
        """The cable is pulled."""
        self._vanish()

    def _files(self) -> list[Path]:
        """What the host has put there, in the order in which it was last written."""
        written = []
        for entry in os.scandir(self._folder):
            if entry.name not in (INFO, INDEX) and entry.is_file():
                with contextlib.suppress(FileNotFoundError):
                    written.append((entry.stat().st_mtime_ns, Path(entry.path)))
        return [path for _, path in sorted(written)]

    def _take(self, path: Path) -> None:
        file = self._current(path)
        while self._chip.boot_loader is self._boot_loader and len(sector := file.read(BLOCK)) == BLOCK:
            self._boot_loader.take(sector)
        file.seek(-(file.tell() % BLOCK), os.SEEK_CUR)  # half a sector: the rest is still to come

    def _current(self, path: Path) -> BinaryIO:
        """The file at `path`, to be read on; from its beginning when it is another one, or was cut short."""
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
        partial.replace(self._folder / INFO)  # last and at once: it is what hosts look for

    def _vanish(self) -> None:
        self._boot_loader = None
        for file in self._open.values():
            file.close()
        self._open.clear()
        for entry in os.scandir(self._folder):
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)
