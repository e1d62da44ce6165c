"""The signed documents in flash: the clinic's people, and its drug library.

Each kind has two slots of 16 KiB and is written into the older one, so a power cut at any byte leaves the newest
document that was whole. A slot is a head of 512 bytes, then the text. Head (little endian): magic, format u32, number
u32, length of the text u32, SHA-256 of the text, signature (384 bytes), 76 spare bytes, CRC-32 of all that stands
before it. It is written last. The signature was checked when the document was loaded; the hash tells that it is still
the same.
"""

import struct
from binascii import crc32
from hashlib import sha256

from pump.refusal import Refused
from pump.signature import SIGNATURE_BYTES
from pump.units import const

PEOPLE = const(0)
LIBRARY = const(1)

MAX_TEXT = const(15_000)  # bytes
SLOT_BYTES = const(0x4000)
HEAD_BYTES = const(512)
FORMAT = const(1)

_MAGIC = b"VALT"
_LAYOUT = "<4sIII32s384s76sI"
_SPARE = const(76)
_CRC_AT = const(508)
_PLACES = (0, 1)
_PAGE = const(256)  # what the chip programs at a time; interrupts are off for at most 3 ms
_BLOCK_BYTES = const(5)  # of ioctl
_ERASE = const(6)
_EIO = const(5)


class Vault:
    """Over `flash`, the block device of the vault's region (64 KiB of NOR: bits only fall until a block is erased).

    `read` takes up to 30 ms. `write` takes up to 2 s, with interrupts off for up to 400 ms at a time: nothing may move.
    """

    def __init__(self, flash):
        self._flash = flash
        self._block_bytes = flash.ioctl(_BLOCK_BYTES, 0)

    def read(self, kind):
        """(number, text, signature) of the newest whole document of a kind, text and signature as bytes; or None."""
        place, head = self._newest(kind)
        if head is None:
            return None
        number, length, _, signature = head
        return number, self._bytes(_at(kind, place) + HEAD_BYTES, length), signature

    def is_damaged(self, kind):
        """Whether a head was written, but no document of this kind can be read."""
        if self._newest(kind)[1]:
            return False
        blank = b"\xff" * HEAD_BYTES
        return any(self._bytes(_at(kind, place), HEAD_BYTES) != blank for place in _PLACES)

    def write(self, kind, number, text, signature):
        """Keeps a document: its number, its text (bytes), its signature (384 bytes). It has been checked by the caller.

        Refused: vault_number (not above the one there is), vault_length, vault_signature. OSError when the flash fails.
        """
        place, newest = self._newest(kind)
        head = _head(number, text, signature)
        if newest and number <= newest[0]:
            raise Refused("vault_number", {"key": "number", "held": number, "allowed": f"more than {newest[0]}"})
        at = _at(kind, 1 - place)
        for start in range(at, at + HEAD_BYTES + len(text), self._block_bytes):
            self._flash.ioctl(_ERASE, start // self._block_bytes)
        self._program(at + HEAD_BYTES, text)
        self._program(at, head)
        if self._bytes(at, HEAD_BYTES) != head or self._whole(at) is None:
            raise OSError(_EIO)

    def _newest(self, kind):
        """(place, head) of the newest whole document; (1, None) if there is none, so that place 0 is the next."""
        newest, found = 1, None
        for place in _PLACES:
            head = self._whole(_at(kind, place))
            if head and (found is None or head[0] > found[0]):
                newest, found = place, head
        return newest, found

    def _whole(self, at):
        """(number, length, SHA-256, signature) of the slot that begins at byte `at`, or None if it is not whole."""
        head = self._bytes(at, HEAD_BYTES)
        magic, version, number, length, digest, signature, _, crc = struct.unpack(_LAYOUT, head)
        if crc != crc32(head[:_CRC_AT]) or magic != _MAGIC or version != FORMAT or length > MAX_TEXT:
            return None
        text_hash = sha256()
        for start in range(0, length, _PAGE):
            text_hash.update(self._bytes(at + HEAD_BYTES + start, min(_PAGE, length - start)))
        return (number, length, digest, signature) if text_hash.digest() == digest else None

    def _bytes(self, at, length):
        buf = bytearray(length)
        block, offset = divmod(at, self._block_bytes)
        self._flash.readblocks(block, buf, offset)
        return bytes(buf)

    def _program(self, at, data):
        data = memoryview(data)
        for start in range(0, len(data), _PAGE):
            block, offset = divmod(at + start, self._block_bytes)
            self._flash.writeblocks(block, data[start : start + _PAGE], offset)


def image(people=None, library=None):
    """The first bytes of a new pump's vault, with these documents in it: each (number, text, signature) or None.

    Refused: vault_length, vault_signature.
    """
    found = b""
    for kind, document in ((PEOPLE, people), (LIBRARY, library)):
        if document:
            number, text, signature = document
            found += b"\xff" * (_at(kind, 0) - len(found)) + _head(number, text, signature) + text
    return found


def _at(kind, place):
    """The byte at which a slot begins. The first slots of both kinds come first, so that an `image` is short."""
    return (2 * place + kind) * SLOT_BYTES


def _head(number, text, signature):
    """The head of a slot, 512 bytes."""
    if not 1 <= len(text) <= MAX_TEXT:
        detail = {"key": "length", "held": len(text), "allowed": f"1 to {MAX_TEXT} bytes"}
        raise Refused("vault_length", detail)
    if len(signature) != SIGNATURE_BYTES:
        detail = {"key": "signature", "held": len(signature), "allowed": f"{SIGNATURE_BYTES} bytes"}
        raise Refused("vault_signature", detail)
    digest = sha256(text).digest()
    head = struct.pack(_LAYOUT, _MAGIC, FORMAT, number, len(text), digest, signature, bytes(_SPARE), 0)[:_CRC_AT]
    return head + struct.pack("<I", crc32(head))
