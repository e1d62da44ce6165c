"""The provisioning of a pump: serial number, bench or clinic, public key of its authority.

Written once into FRAM, before any therapy, after START was held at the pump (`document_loading`). The authority signs
the people document, the library document and the image manifests.

Block in FRAM: u32 length of the text, u32 CRC-32 of the text (both little endian), the text. The text is one flat JSON
object {"serial": str, "bench": bool, "authority": RSA modulus, 768 hex digits}.
"""

import binascii
import struct

from pump.base.refusal import Refused
from pump.documents import signature, strict_json

FRAM_ADDRESS = 0x7800  # see the FRAM map in storage/journal.py
BLOCK_BYTES = 0x800  # to the end of the FRAM
HEADER_BYTES = 8
MAX_SERIAL = 20  # characters; the display shows them on two rows

_PREFIX = "provisioning"  # of the refusal codes
_KEYS = ("serial", "bench", "authority")


class Provisioning:
    """serial: str; bench: bool; authority: RSA-3072 modulus (int). Set once, then only read."""

    def __init__(self, serial, bench, authority):
        self.serial = serial
        self.bench = bench
        self.authority = authority


def read(fram):
    """The Provisioning in `fram`, a driver with `read_into(address, buffer)`. Refused: as `parse`."""
    block = bytearray(BLOCK_BYTES)
    fram.read_into(FRAM_ADDRESS, block)
    return parse(block)


def parse(block):
    """The Provisioning in `block` (bytes); bytes after the text are ignored.

    Refused: provisioning_absent, _length, _crc, _key_unknown, _key_missing, _value_type, _value_range, _key,
    or a code of strict_json.
    """
    return parse_text(_text_of(block))


def parse_text(text):
    """The Provisioning in `text` (bytes), the text of a block. Refused: as `parse`."""
    return _of_values(strict_json.parse(text, _PREFIX, booleans=True))


def text_of(known):
    """The canonical text (bytes) of a Provisioning: no blanks, fixed order of the keys."""
    bench = "true" if known.bench else "false"
    authority = signature.HEX_OF_MODULUS % known.authority
    return ('{"serial":"%s","bench":%s,"authority":"%s"}' % (known.serial, bench, authority)).encode()


def write(fram, text):
    """Writes a block with `text` (bytes) into `fram`. The header goes last: a torn block reads as absent."""
    fram.write(FRAM_ADDRESS, bytes(HEADER_BYTES))
    fram.write(FRAM_ADDRESS + HEADER_BYTES, text)
    fram.write(FRAM_ADDRESS, struct.pack("<II", len(text), binascii.crc32(text)))


def fingerprint(modulus):
    """The fingerprint of a public key, for people to compare: 16 hex digits of the SHA-256 of the modulus in hex."""
    return signature.sha256_hex((signature.HEX_OF_MODULUS % modulus).encode())[:16]


def _text_of(block):
    if len(block) < HEADER_BYTES:
        raise Refused(_PREFIX + "_length", {"key": "block", "held": len(block), "allowed": "8 bytes or more"})
    length, crc = struct.unpack("<II", block[:HEADER_BYTES])
    if length == 0 or length == 0xFFFFFFFF:  # erased memory, all zeros or all ones
        raise Refused(_PREFIX + "_absent", {"key": "block", "do": "provision this pump first"})
    max_length = len(block) - HEADER_BYTES
    if length > max_length:
        detail = {"key": "length", "held": length, "allowed": f"at most {max_length}"}
        raise Refused(_PREFIX + "_length", detail)
    text = bytes(block[HEADER_BYTES : HEADER_BYTES + length])
    if binascii.crc32(text) != crc:
        raise Refused(_PREFIX + "_crc", {"key": "block", "do": "provision this pump again"})
    return text


def _of_values(values):
    """The Provisioning of a parsed text; Refused if a key or a value is not allowed."""
    for key in values:
        if key not in _KEYS:
            raise Refused(_PREFIX + "_key_unknown", {"key": key, "allowed": ", ".join(_KEYS)})
    for key in _KEYS:
        if key not in values:
            raise Refused(_PREFIX + "_key_missing", {"key": key, "allowed": ", ".join(_KEYS)})
        kind = bool if key == "bench" else str
        if not isinstance(values[key], kind):
            raise Refused(_PREFIX + "_value_type", {"key": key, "held": values[key]})
    if not 1 <= len(values["serial"]) <= MAX_SERIAL:
        detail = {"key": "serial", "held": values["serial"], "allowed": f"1 to {MAX_SERIAL} characters"}
        raise Refused(_PREFIX + "_value_range", detail)
    authority = signature.public_key(values["authority"], "authority", _PREFIX)
    return Provisioning(values["serial"], values["bench"], authority)
