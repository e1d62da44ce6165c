"""UF2 files for the RP2040: read strictly, and ordered so that no power cut leaves half an image that starts.

The ROM starts what is in the flash when the first page of it, the boot stage, has the right CRC. So the page after it
is written first, which erases the sector of both, and the boot stage itself last of all: a board that loses its power
on the way comes up in the boot loader and waits for the image.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError

BLOCK = 512
PAGE = 256
FAMILY = 0xE48B_FF56  # RP2040
FLASH = 0x1000_0000
_START = (0x0A32_4655, 0x9E5D_5157)
_END = 0x0AB1_6F30
_FAMILY_PRESENT = 0x2000
_HEAD = struct.Struct("<8I")
_FILLER = 4096  # bytes that a computer writes at once; no two parts share such a piece


class NoImage(CisternaError):
    """A file that is no UF2 of this pump's flash."""


@dataclass(frozen=True)
class Uf2:
    """An image: its blocks of 512 bytes, by their number."""

    path: Path
    blocks: tuple[bytes, ...]

    @property
    def sha256(self) -> str:
        """Of the file, 64 hex digits."""
        return hashlib.sha256(b"".join(self.blocks)).hexdigest()


def read(path: Path, end: int) -> Uf2:
    """The image in the file `path`. NoImage unless it is whole and lies in the flash below the offset `end`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoImage(f"image held {path}; it cannot be read ({error.strerror}); allowed: a .uf2 file") from None
    blocks = tuple(data[start : start + BLOCK] for start in range(0, len(data), BLOCK))
    for number, block in enumerate(blocks):
        wrong = _wrong(block, number, len(blocks), end)
        if wrong:
            raise NoImage(f"image held {path}; block {number} of {len(blocks)}: {wrong}; build it anew (`make image`)")
    if len(blocks) < 2:
        raise NoImage(f"image held {path}, of {len(data)} bytes; allowed: a .uf2 of `make image`")
    return Uf2(path, blocks)


def _wrong(block: bytes, number: int, count: int, end: int) -> str:
    """What is wrong with a block; an empty text when nothing is."""
    if len(block) != BLOCK:
        return "the file ends within it"
    start0, start1, flags, address, size, its_number, its_count, family = _HEAD.unpack_from(block)
    if (start0, start1) != _START or block[-4:] != _END.to_bytes(4, "little"):
        return "not a block of a UF2"
    if not flags & _FAMILY_PRESENT or family != FAMILY:
        return f"for the chip family 0x{family:08x}; allowed: 0x{FAMILY:08x}, the RP2040"
    if (its_number, its_count, size, address) != (number, count, PAGE, FLASH + number * PAGE):
        return "not in its place; allowed: pages of 256 bytes from the flash's begin on, without a gap"
    if number * PAGE >= end:
        return f"lies at 0x{number * PAGE:06x}; allowed: below 0x{end:06x}, where the pump's own data begins"
    return ""


def parts(image: Uf2) -> list[bytes]:
    """The image as three pieces, to be written one after the other: page 1, pages 2 and up, page 0."""
    first, second, *rest = image.blocks
    return [_filled(second), _filled(b"".join(rest)), _filled(first)]


def forget() -> bytes:
    """A block that ends whatever the boot loader has begun: a UF2 of no blocks.

    Without it, an image that is as long as one whose copying was interrupted would be taken for the rest of that one.
    """
    head = _HEAD.pack(*_START, _FAMILY_PRESENT, FLASH, PAGE, 0, 0, FAMILY)
    return _filled(head.ljust(BLOCK - 4, b"\0") + _END.to_bytes(4, "little"))


def _filled(blocks: bytes) -> bytes:
    return blocks + bytes(-len(blocks) % _FILLER)
