"""A small UF2 image, block by block, for the tests of the reader and of the flashing."""

import struct

from cisterna.flash import uf2

PAGES = 40  # two and a half sectors
CODE_END = 0xC0000


def boot_stage() -> bytes:
    """A first page that the ROM would run: its last word is the CRC-32 of the others, most significant bit first."""
    body = bytes(range(252))
    crc = 0xFFFF_FFFF
    for byte in body:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc & 0x8000_0000 else 0)) & 0xFFFF_FFFF
    return body + crc.to_bytes(4, "little")


def image_blocks(fill: int = 1, pages: int = PAGES, variant: str = "therapy", commit: str = "abc") -> list[bytes]:
    """The blocks of an image whose pages differ."""
    text = f"cisterna build=0123456789abcdef commit={commit} variant={variant}\0"
    contents = [boot_stage(), text.encode().ljust(256, b"\0")]
    contents += [bytes([fill, number]) * 128 for number in range(2, pages)]
    return [block(number, pages, page) for number, page in enumerate(contents)]


def block(number: int, count: int, page: bytes = bytes(256), **other: int) -> bytes:
    head = {"address": uf2.FLASH + number * 256, "size": 256, "family": uf2.FAMILY, "flags": 0x2000} | other
    packed = struct.pack(
        "<8I", 0x0A324655, 0x9E5D5157, head["flags"], head["address"], head["size"], number, count, head["family"]
    )
    return packed + page.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)
