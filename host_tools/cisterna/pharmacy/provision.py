"""The provisioning block: what the workshop writes into a pump's FRAM before it ever sees a prescription.

Layout: length of the text and its CRC-32 (u32, little endian), then the text, one flat JSON object.
"""

import json
import struct
from zlib import crc32

from cisterna.pharmacy.keys import Keys, modulus_hex

FRAM_ADDRESS = 0x7800


def block(serial: str, keys: Keys, *, bench: bool) -> bytes:
    """The bytes for FRAM_ADDRESS. serial: 1 to 20 characters. bench: the pump takes `test-fluid` too."""
    stated = {
        "serial": serial,
        "bench": bench,
        "prescriber": modulus_hex(keys.prescriber),
        "second": modulus_hex(keys.second),
    }
    text = json.dumps(stated, separators=(",", ":")).encode("ascii")
    return struct.pack("<II", len(text), crc32(text)) + text


def fram_image(serial: str, keys: Keys, *, bench: bool) -> dict[str, str]:
    """The same as a target's `fram_image`: the address in decimal, the bytes in hex."""
    return {str(FRAM_ADDRESS): block(serial, keys, bench=bench).hex()}
