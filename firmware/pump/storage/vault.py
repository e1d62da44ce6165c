"""The document vault in flash: the people document and the library document, with their signatures.

Each kind has two slots of 16 KiB; a write goes to the older one, so a power cut at any byte leaves the last whole
document. A slot is a head of 512 bytes, then the text. Head (little endian): 4 bytes magic, u32 format, u32 number, u32
length of the text, 32 bytes SHA-256 of the text, 384 bytes signature, 76 spare bytes, u32 CRC-32 of all before it. The
head is written last. The signature is checked when the document is loaded; afterwards the hash shows that it is
unchanged.
"""

import struct
from binascii import crc32
from hashlib import sha256

from pump.base.refusal import Refused
from pump.base.units import const
from pump.documents.signature import SIGNATURE_BYTES
from pump.storage import block_device

PEOPLE = const(0)  # kinds of a document
LIBRARY = const(1)

MAX_TEXT_BYTES = const(15_000)  # bytes
SLOT_BYTES = const(0x4000)
HEAD_BYTES = const(512)
FORMAT = const(1)

_MAGIC = b"VALT"
_LAYOUT = "<4sIII32s384s76sI"
_SPARE = const(76)
_CRC_OFFSET = const(508)
_SLOTS = (0, 1)  # of each kind
_PAGE = const(256)  # bytes that the chip programs in one operation; interrupts are off for at most 3 ms
_EIO = const(5)  # errno


class Vault:
    """The vault on `flash`, the block device of its region: 64 KiB of NOR flash, where writing only clears bits.

    `read` takes up to 30 ms. `write` takes up to 2 s, with interrupts off for up to 400 ms at a time: nothing may move.
    """

    def __init__(self, flash):
        self._flash = flash
        self._block_bytes = flash.ioctl(block_device.BLOCK_BYTES, 0)

    def read(self, kind):
        """(number, text, signature) of the newest whole document of `kind`, text and signature as bytes; or None."""
        slot, head = self._newest(kind)
        if head is None:
            return None
        number, length, _, signature = head
        return number, self._bytes(_at(kind, slot) + HEAD_BYTES, length), signature

    def is_damaged(self, kind):
        """True if a head of this kind was written, but no document can be read."""
        if self._newest(kind)[1]:
            return False
        blank = b"\xff" * HEAD_BYTES
        return any(self._bytes(_at(kind, slot), HEAD_BYTES) != blank for slot in _SLOTS)

    def write(self, kind, number, text, signature):
        """Stores a document that the caller has checked: number, text (bytes), signature (384 bytes).

        Refused: vault_number (not above the stored one), vault_length, vault_signature. Raises OSError if the flash
        fails.
        """
        slot, newest = self._newest(kind)
        head = _head(number, text, signature)
        if newest and number <= newest[0]:
            raise Refused("vault_number", {"key": "number", "held": number, "allowed": f"more than {newest[0]}"})
        at = _at(kind, 1 - slot)
        for start in range(at, at + HEAD_BYTES + len(text), self._block_bytes):
            self._flash.ioctl(block_device.ERASE, start // self._block_bytes)
        self._program(at + HEAD_BYTES, text)
        self._program(at, head)
        if self._bytes(at, HEAD_BYTES) != head or self._read_head(at) is None:
            raise OSError(_EIO)

    def _newest(self, kind):
        """(slot, head) of the newest whole document, head as `_read_head`; (1, None) if none: slot 0 comes next."""
        newest, found = 1, None
        for slot in _SLOTS:
            head = self._read_head(_at(kind, slot))
            if head and (found is None or head[0] > found[0]):
                newest, found = slot, head
        return newest, found

    def _read_head(self, at):
        """(number, length, SHA-256, signature) of the slot at byte `at`, or None if head or text are not whole."""
        head = self._bytes(at, HEAD_BYTES)
        magic, version, number, length, digest, signature, _, crc = struct.unpack(_LAYOUT, head)
        if crc != crc32(head[:_CRC_OFFSET]) or magic != _MAGIC or version != FORMAT or length > MAX_TEXT_BYTES:
            return None
        text_hash = sha256()
        for start in range(0, length, _PAGE):
            text_hash.update(self._bytes(at + HEAD_BYTES + start, min(_PAGE, length - start)))
        return (number, length, digest, signature) if text_hash.digest() == digest else None

    def _bytes(self, at, length):
        """`length` bytes from byte `at` of the region on."""
        buf = bytearray(length)
        block, offset = divmod(at, self._block_bytes)
        self._flash.readblocks(block, buf, offset)
        return bytes(buf)

    def _program(self, at, data):
        """Writes `data` from byte `at` of the region on, page by page."""
        data = memoryview(data)
        for start in range(0, len(data), _PAGE):
            block, offset = divmod(at + start, self._block_bytes)
            self._flash.writeblocks(block, data[start : start + _PAGE], offset)


def image(people=None, library=None):
    """The first bytes of the vault of a new pump, with these documents, each (number, text, signature) or None.

    Refused: vault_length, vault_signature.
    """
    content = b""
    for kind, document in ((PEOPLE, people), (LIBRARY, library)):
        if document:
            number, text, signature = document
            content += b"\xff" * (_at(kind, 0) - len(content)) + _head(number, text, signature) + text
    return content


def _at(kind, slot):
    """The byte of the region at which a slot begins. Slot 0 of both kinds comes first, so that an `image` is short."""
    return (2 * slot + kind) * SLOT_BYTES


def _head(number, text, signature):
    """The head of a slot, 512 bytes. Refused: vault_length, vault_signature."""
    if not 1 <= len(text) <= MAX_TEXT_BYTES:
        detail = {"key": "length", "held": len(text), "allowed": f"1 to {MAX_TEXT_BYTES} bytes"}
        raise Refused("vault_length", detail)
    if len(signature) != SIGNATURE_BYTES:
        detail = {"key": "signature", "held": len(signature), "allowed": f"{SIGNATURE_BYTES} bytes"}
        raise Refused("vault_signature", detail)
    digest = sha256(text).digest()
    head = struct.pack(_LAYOUT, _MAGIC, FORMAT, number, len(text), digest, signature, bytes(_SPARE), 0)[:_CRC_OFFSET]
    return head + struct.pack("<I", crc32(head))
