"""UF2 files for the RP2040: strict reading, and a write order in which no power cut leaves half an image that starts.

The ROM starts the flash if its first page (the boot stage) has the right CRC. So page 1 is written first, which erases
the sector of pages 0 and 1, and page 0 last: a board that loses power in between comes up in its boot loader.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.image import layout, product

BLOCK = 512
PAGE = 256
FAMILY = 0xE48B_FF56  # RP2040
FLASH = 0x1000_0000  # address of the first byte
_START = (0x0A32_4655, 0x9E5D_5157)
_END = 0x0AB1_6F30
_FAMILY_PRESENT = 0x2000
_HEAD = struct.Struct("<8I")
_CLUSTER = 4096  # bytes that a computer writes at once; each part begins on a multiple


class InvalidImage(CisternaError):
    """A file that is not a UF2 for this pump's flash."""


@dataclass(frozen=True)
class Uf2:
    """An image as its blocks of 512 bytes, in order."""

    path: Path
    blocks: tuple[bytes, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, 64 hex digits."""
        return hashlib.sha256(b"".join(self.blocks)).hexdigest()


def read(path: Path, end: int) -> Uf2:
    """Read the file `path`. Raises InvalidImage unless the image is whole and lies below the flash offset `end`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"image held {path}; it cannot be read ({error.strerror}); allowed: a .uf2 file") from None
    blocks = tuple(data[start : start + BLOCK] for start in range(0, len(data), BLOCK))
    for number, block in enumerate(blocks):
        fault = _fault(block, number, len(blocks), end)
        if fault:
            where = f"image held {path}; block {number} of {len(blocks)}"
            raise InvalidImage(f"{where}: {fault}; build it again (`make image`)")
    if len(blocks) < 2:
        raise InvalidImage(f"image held {path}, of {len(data)} bytes; allowed: a .uf2 of `make image`")
    return Uf2(path, blocks)


def read_for_pump(path: Path) -> Uf2:
    """Read the image `path` as `flash` writes and `image sign` signs it. Raises InvalidImage, or CisternaError if the
    image does not say what it is."""
    from cisterna import paths

    image = read(path, layout.read(paths.firmware())[0].bytes)
    product.read(path)
    return image


def _fault(block: bytes, number: int, count: int, end: int) -> str:
    """The fault of a block, as a text; empty if it has none."""
    if len(block) != BLOCK:
        return "the file ends within it"
    start0, start1, flags, address, size, stated_number, stated_count, family = _HEAD.unpack_from(block)
    if (start0, start1) != _START or block[-4:] != _END.to_bytes(4, "little"):
        return "not a block of a UF2"
    if not flags & _FAMILY_PRESENT or family != FAMILY:
        return f"for the chip family 0x{family:08x}; allowed: 0x{FAMILY:08x}, the RP2040"
    if (stated_number, stated_count, size, address) != (number, count, PAGE, FLASH + number * PAGE):
        return "not in its place; allowed: pages of 256 bytes from the start of the flash, without a gap"
    if number * PAGE >= end:
        return f"lies at 0x{number * PAGE:06x}; allowed: below 0x{end:06x}, where the pump's own data begins"
    return ""


def in_write_order(image: Uf2) -> list[bytes]:
    """The image as three parts to be written in this order: page 1, pages 2 and up, page 0."""
    first, second, *rest = image.blocks
    return [_padded(second), _padded(b"".join(rest)), _padded(first)]


def reset_block() -> bytes:
    """A UF2 of no blocks: the boot loader drops an image whose copy was interrupted.

    The boot loader tells images apart by their length only. Without this block it would complete the interrupted image
    with the blocks of another image of the same length.
    """
    head = _HEAD.pack(*_START, _FAMILY_PRESENT, FLASH, PAGE, 0, 0, FAMILY)
    return _padded(head.ljust(BLOCK - 4, b"\0") + _END.to_bytes(4, "little"))


def _padded(blocks: bytes) -> bytes:
    return blocks + bytes(-len(blocks) % _CLUSTER)
