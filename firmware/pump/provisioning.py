"""Who this pump is and whose: its serial number, whether it stands on a bench, its authority's public key.

Written once into FRAM, before therapy, and confirmed with the pump's own key (`enrolment`). The authority signs who the
people are, which drugs there are, and which images are to run. Block: length of the text (u32, little endian), CRC-32
of the text (u32, little endian), the text. Text: one flat JSON object {"serial": ..., "bench": true or false,
"authority": modulus in hex}.
"""

import binascii
import struct

from pump import signature, strict_json
from pump.refusal import Refused

FRAM_ADDRESS = 0x7800
BLOCK_BYTES = 0x800  # up to the end of the FRAM
HEADER_BYTES = 8
MAX_SERIAL = 20  # one line of the display

_WHAT = "provisioning"
_KEYS = ("serial", "bench", "authority")


class Provisioning:
    """serial: text; bench: bool; authority: RSA-3072 modulus (int). Set once, then only read."""

    def __init__(self, serial, bench, authority):
        self.serial = serial
        self.bench = bench
        self.authority = authority


def read(fram):
    """The provisioning in the FRAM, a driver with `read_into(address, buffer)`. Refused: there is none."""
    block = bytearray(BLOCK_BYTES)
    fram.read_into(FRAM_ADDRESS, block)
    return parse(block)


def parse(block):
    """The provisioning in the bytes of a block; what follows the text is not looked at.

    Refused: provisioning_absent, _length, _crc, _key_unknown, _key_missing, _value_type, _value_range, _key,
    or a code of strict_json.
    """
    return parse_text(_text_of(block))


def parse_text(text):
    """The provisioning in the text (bytes) of a block. Refused as `parse`."""
    return _of_values(strict_json.parse(text, _WHAT, booleans=True))


def text_of(known):
    """The one text (bytes) that says so: no blank, no other order."""
    bench = "true" if known.bench else "false"
    authority = signature.HEX_OF_MODULUS % known.authority
    return ('{"serial":"%s","bench":%s,"authority":"%s"}' % (known.serial, bench, authority)).encode()


def write(fram, text):
    """Puts the text (bytes) of a block into the FRAM. Its head goes last: half a block is none."""
    fram.write(FRAM_ADDRESS, bytes(HEADER_BYTES))
    fram.write(FRAM_ADDRESS + HEADER_BYTES, text)
    fram.write(FRAM_ADDRESS, struct.pack("<II", len(text), binascii.crc32(text)))


def fingerprint(modulus):
    """What people compare of a public key: 16 hex digits of the SHA-256 of the modulus in hex."""
    return signature.sha256_hex((signature.HEX_OF_MODULUS % modulus).encode())[:16]


def _text_of(block):
    if len(block) < HEADER_BYTES:
        raise Refused(_WHAT + "_length", {"key": "block", "held": len(block), "allowed": "8 bytes or more"})
    length, crc = struct.unpack("<II", block[:HEADER_BYTES])
    if length == 0 or length == 0xFFFFFFFF:  # blank memory, either way
        raise Refused(_WHAT + "_absent", {"key": "block", "do": "provision this pump first"})
    room = len(block) - HEADER_BYTES
    if length > room:
        detail = {"key": "length", "held": length, "allowed": f"at most {room}"}
        raise Refused(_WHAT + "_length", detail)
    text = bytes(block[HEADER_BYTES : HEADER_BYTES + length])
    if binascii.crc32(text) != crc:
        raise Refused(_WHAT + "_crc", {"key": "block", "do": "provision this pump again"})
    return text


def _of_values(values):
    for key in values:
        if key not in _KEYS:
            raise Refused(_WHAT + "_key_unknown", {"key": key, "allowed": ", ".join(_KEYS)})
    for key in _KEYS:
        if key not in values:
            raise Refused(_WHAT + "_key_missing", {"key": key, "allowed": ", ".join(_KEYS)})
        kind = bool if key == "bench" else str
        if not isinstance(values[key], kind):
            raise Refused(_WHAT + "_value_type", {"key": key, "held": values[key]})
    if not 1 <= len(values["serial"]) <= MAX_SERIAL:
        detail = {"key": "serial", "held": values["serial"], "allowed": f"1 to {MAX_SERIAL} characters"}
        raise Refused(_WHAT + "_value_range", detail)
    authority = signature.public_key(values["authority"], "authority", _WHAT)
    return Provisioning(values["serial"], values["bench"], authority)
