"""How a pump learns whose it is, who its people are and which drugs there are.

The provisioning block is taken once, and only a finger on the pump's own key writes it [SEC-06]. People and library
come signed by the authority, whole or not at all, never an older one [LIB-07], and only while nothing infuses
[LIB-09].
"""

from binascii import hexlify

from pump import library_document, people, provisioning, records, signature
from pump.refusal import Refused
from pump.units import const
from pump.vault import LIBRARY, MAX_TEXT, PEOPLE
from pump.waiting import PROVISIONING

MAX_BLOCK = const(2_048)
MOST_AHEAD = const(1_000)
KINDS = {"people": PEOPLE, "library": LIBRARY}
_NAMES = ("people", "library")


class Enrolment:
    """Of one pump. `fram` and `vault` are written, `trust` is told; `on_change(kind)` follows a new document."""

    def __init__(self, core, trust, fram, vault, on_change):
        self._core = core
        self._trust = trust
        self._fram = fram
        self._vault = vault
        self._on_change = on_change
        self._block = None  # text of a provisioning that waits for its confirmation ...
        self._known = None  # ... and what it says
        self._kind = None  # of the document that is being transferred
        self._text = None
        self._filled = 0
        self._sha256 = self._signature = ""

    # -- provisioning

    def loading(self, text):
        """Work in pieces: stages the text of a provisioning block; returns its hash, 8 digits.

        Refused: provisioning_*; _foreign, if another authority has signed what is in the vault (a repaired pump).
        """
        if self._trust.provisioning:
            serial = self._trust.provisioning.serial
            raise Refused("provisioning_done", {"key": "pump", "held": serial, "allowed": "a pump without an owner"})
        text = text.encode()
        known = provisioning.parse_text(text)
        if text != provisioning.text_of(known):  # one way to write it: what is shown of it is all there is to it
            raise Refused("provisioning_form", {"key": "block", "allowed": "no blanks, serial, bench, authority"})
        yield from self._proving_vault(known.authority)
        self._block, self._known = text, known
        self._core.waiting.put(PROVISIONING)
        return signature.sha256_hex(text)[:8]

    def _proving_vault(self, authority):
        """What is in the vault is believed by its hash from now on: once, it has to be the authority's own word."""
        for kind in _NAMES:
            held = self._vault.read(KINDS[kind])
            if held is None:
                continue
            _, document, signed = held
            try:
                yield from signature.checking(document, hexlify(signed).decode(), authority, kind)
            except Refused:
                detail = {"key": "vault", "held": kind, "allowed": "documents of this authority", "do": "erase it"}
                raise Refused("provisioning_foreign", detail)

    @property
    def staged(self):
        """The provisioning that waits, or None."""
        return self._known if self._core.waiting.kind == PROVISIONING else None

    def confirm(self):
        """A finger on the pump: the staged provisioning is written, for good."""
        core = self._core
        known = self.staged
        core.waiting.drop()
        if known is None:
            return
        provisioning.write(self._fram, self._block)
        try:
            self._trust.provisioning = provisioning.read(self._fram)
        except Refused:
            return  # the FRAM does not keep it: the pump stays nobody's
        self._trust.read_vault(self._vault)
        self._trust.hold_to(core.people_number, core.library_number)
        core.diary.note(records.PROVISIONED, (int(known.bench),))

    # -- people and library

    def begin(self, kind, length, digest, signature_hex):
        """Makes ready for a document of `length` bytes. Refused: document_kind, document_length."""
        if kind not in KINDS:
            raise Refused("document_kind", {"key": "kind", "held": kind, "allowed": ", ".join(_NAMES)})
        if not 0 < length <= MAX_TEXT:
            raise Refused("document_length", {"key": "length", "held": length, "allowed": "1 to %d" % MAX_TEXT})
        self._trust.need_provisioning("document")
        self._kind, self._filled = kind, 0
        self._text = None  # the old one first: there may be no room for two
        self._text = bytearray(length)  # MemoryError is a refusal of its own
        self._sha256, self._signature = digest, signature_hex

    def put(self, offset, data):
        """The next piece, a text. Refused: document_none, document_offset, document_block."""
        self.need_rest()
        data = data.encode()
        if self._text is None:
            raise Refused("document_none", {"key": "document", "do": "begin one first"})
        if offset != self._filled:
            raise Refused("document_offset", {"key": "offset", "held": offset, "allowed": self._filled})
        if not 0 < len(data) <= min(MAX_BLOCK, len(self._text) - offset):
            allowed = "1 to %d bytes, and no more than was announced" % MAX_BLOCK
            raise Refused("document_block", {"key": "data", "held": len(data), "allowed": allowed})
        self._text[offset : offset + len(data)] = data
        self._filled += len(data)
        return self._filled

    def committing(self):
        """Work in pieces: proves the document and puts it in the vault. Returns (kind, number). Refused: it is gone."""
        try:
            kind, number = yield from self._committing()
        finally:
            self._text = None
        return kind, number

    def _committing(self):
        if self._text is None or self._filled != len(self._text):
            allowed = "a document of which every byte has come"
            raise Refused("document_incomplete", {"key": "document", "held": self._filled, "allowed": allowed})
        self.need_rest()
        kind, text = self._kind, bytes(self._text)
        if signature.sha256_hex(text) != self._sha256:
            raise Refused("document_digest", {"key": "sha256", "do": "send it again"})
        authority = self._trust.provisioning.authority
        yield from signature.checking(text, self._signature, authority, kind)
        self.need_rest()  # what follows is one piece, of half a second
        number = self._check(kind, text, authority)
        try:
            self._vault.write(KINDS[kind], number, text, _bytes_of(self._signature))
        except OSError:
            raise Refused("document_write", {"key": "vault", "do": "the flash refuses; the pump is to be repaired"})
        self._adopt(kind, text, number)
        return kind, number

    def _check(self, kind, text, authority):
        """The number of the document, if its form is exact and it is newer than what was here before.

        The newest that was here, and got lost, may come again. Numbers that leap would soon have no successor.
        """
        core, trust = self._core, self._trust
        if kind == "people":
            document, least = people.parse(text), max(trust.people_number + 1, core.people_number)
            if signature.HEX_OF_MODULUS % authority in [person.key for person in document.persons]:
                raise Refused("people_authority", {"key": "key", "do": "the authority is no person of the ward"})
            if not [person for person in document.persons if people.SERVICE in person.roles]:
                do = "name somebody for service, or nobody can ever load another one"
                raise Refused("people_no_service", {"key": "roles", "do": do})
        else:
            document, least = library_document.parse(text), max(trust.library_number + 1, core.library_number)
        if not least <= document.number <= least + MOST_AHEAD:
            allowed = "%d to %d" % (least, least + MOST_AHEAD)
            raise Refused(kind + "_rollback", {"key": "number", "held": document.number, "allowed": allowed})
        return document.number

    def need_rest(self):
        """Returns if a document may be taken now; else Refused document_infusing [LIB-09]."""
        if self._core.moving() or self._core.motion.flying:
            raise Refused("document_infusing", {"key": "state", "do": "stop the pump first"})

    def _adopt(self, kind, text, number):
        core = self._core
        if kind == "people":
            self._trust.adopt_people(text)
            core.people_number = number
        else:
            self._trust.adopt_library(text)
            core.library_number = number
        core.diary.note(records.DOCUMENT, (KINDS[kind], number))
        self._on_change(kind)
        core.save()


def _bytes_of(signature_hex):
    return int(signature_hex, 16).to_bytes(signature.SIGNATURE_BYTES, "big")
