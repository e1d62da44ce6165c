"""Loads the provisioning, the people document and the library document over the link.

The provisioning is accepted once, and written only after START was held at the pump [SEC-06]. People and library are
signed by the authority, stored whole or not at all, never an older one [LIB-07], and only while nothing infuses
[LIB-09].
"""

from binascii import hexlify

from pump.base.refusal import Refused
from pump.base.units import const
from pump.documents import fields, library_document, people, provisioning, signature
from pump.panel.pending_confirmation import PROVISIONING
from pump.storage import records
from pump.storage.vault import LIBRARY, MAX_TEXT_BYTES, PEOPLE

MAX_BLOCK = const(2_048)  # bytes of a document in one `put`
KINDS = {people.TYPE: PEOPLE, library_document.TYPE: LIBRARY}  # type of a document: its kind in the vault
_TYPES = (people.TYPE, library_document.TYPE)  # in fixed order: the order of a dict is not kept by MicroPython


class DocumentLoading:
    """Loads documents onto one pump: writes `fram` and `vault`, updates `trust`.

    on_change  function(kind), called after a new document was adopted; kind is "people" or "library"
    """

    def __init__(self, therapy, trust, fram, vault, on_change):
        self._therapy = therapy
        self._trust = trust
        self._fram = fram
        self._vault = vault
        self._on_change = on_change
        self._staged_text = None  # of the provisioning that waits for its confirmation ...
        self._staged = None  # ... and its Provisioning
        self._kind = None  # of the document in transfer: "people" or "library"
        self._text = None  # bytearray of its length; None: no transfer
        self._filled = 0  # bytes received
        self._sha256 = self._signature = ""  # announced, in hex

    # -- provisioning

    def load_provisioning_in_pieces(self, text):
        """Work in pieces: stages `text`, the text of a provisioning block. Returns 8 hex digits of its SHA-256.

        Refused: provisioning_*; provisioning_foreign if another authority signed a document in the vault (as in a
        repaired pump).
        """
        self._need_unowned()
        self._therapy.need_display()
        text = text.encode()
        known = provisioning.parse_text(text)
        if text != provisioning.text_of(known):  # only the canonical text: the display then shows all of it
            allowed = "the keys serial, bench, authority in this order, no blanks"
            raise Refused("provisioning_form", {"key": "block", "allowed": allowed})
        yield from self._check_vault_in_pieces(known.authority)
        self._need_unowned()  # START may have confirmed another block meanwhile
        self._staged_text, self._staged = text, known
        self._therapy.confirmation.put(PROVISIONING)
        return signature.sha256_hex(text)[:8]

    def _need_unowned(self):
        """Raises Refused provisioning_done on a pump that has an owner: the block is written once."""
        known = self._trust.provisioning
        if known:
            detail = {"key": "pump", "held": known.serial, "allowed": "a pump without an owner"}
            raise Refused("provisioning_done", detail)

    def _check_vault_in_pieces(self, authority):
        """Work in pieces: checks that `authority` signed the documents in the vault. Later only hashes are checked."""
        for kind in _TYPES:
            stored = self._vault.read(KINDS[kind])
            if stored is None:
                continue
            _, document, signed = stored
            try:
                yield from signature.check_in_pieces(document, hexlify(signed).decode(), authority, kind)
            except Refused:
                allowed = "documents of this authority"
                detail = {"key": "vault", "held": kind, "allowed": allowed, "do": "erase the vault"}
                raise Refused("provisioning_foreign", detail)

    @property
    def staged(self):
        """The Provisioning that waits for its confirmation, or None."""
        return self._staged if self._therapy.confirmation.kind == PROVISIONING else None

    def confirm(self):
        """Writes the staged provisioning, for good. Called when START was held at the pump."""
        therapy = self._therapy
        known = self.staged
        therapy.confirmation.drop()
        if known is None or self._trust.provisioning:
            return
        provisioning.write(self._fram, self._staged_text)
        try:
            self._trust.adopt_provisioning(provisioning.read(self._fram))
        except Refused:
            return  # the FRAM is defective: the pump stays unprovisioned
        self._trust.read_vault(self._vault)
        self._trust.drop_older_than(therapy.document_numbers.people, therapy.document_numbers.library)
        therapy.event_log.note(records.PROVISIONED, (int(known.bench),))

    # -- people and library

    def begin(self, kind, length, digest, signature_hex):
        """Begins the transfer of a document; a transfer before it is dropped.

        kind           "people" or "library"
        length         bytes, 1 to vault.MAX_TEXT_BYTES
        digest         SHA-256 of the document in hex
        signature_hex  signature of the authority, 768 hex digits

        Refused: document_kind, document_length, document_not_provisioned. Raises MemoryError.
        """
        if kind not in KINDS:
            raise Refused("document_kind", {"key": "kind", "held": kind, "allowed": ", ".join(_TYPES)})
        if not 0 < length <= MAX_TEXT_BYTES:
            raise Refused("document_length", {"key": "length", "held": length, "allowed": "1 to %d" % MAX_TEXT_BYTES})
        self._trust.need_provisioning("document")
        self._kind, self._filled = kind, 0
        self._text = None  # frees the old one first: there may be no memory for both
        self._text = bytearray(length)  # the link answers a MemoryError with the refusal `memory`
        self._sha256, self._signature = digest, signature_hex

    def put(self, offset, data):
        """Takes the next block, `data` (str), at `offset` bytes. Returns the bytes received so far.

        Refused: document_infusing, document_none, document_offset, document_block.
        """
        self.need_stopped()
        data = data.encode()
        if self._text is None:
            raise Refused("document_none", {"key": "document", "do": "call document.begin first"})
        if offset != self._filled:
            raise Refused("document_offset", {"key": "offset", "held": offset, "allowed": self._filled})
        if not 0 < len(data) <= min(MAX_BLOCK, len(self._text) - offset):
            allowed = "1 to %d bytes, within the announced length" % MAX_BLOCK
            raise Refused("document_block", {"key": "data", "held": len(data), "allowed": allowed})
        self._text[offset : offset + len(data)] = data
        self._filled += len(data)
        return self._filled

    def commit_in_pieces(self):
        """Work in pieces: checks the document, stores it in the vault and adopts it. Returns (kind, number).

        Ends the transfer, also when refused: document_*, people_*, library_*.
        """
        try:
            kind, number = yield from self._commit_in_pieces()
        finally:
            self._text = None
        return kind, number

    def _commit_in_pieces(self):
        if self._text is None or self._filled != len(self._text):
            allowed = "every byte of the announced length"
            raise Refused("document_incomplete", {"key": "document", "held": self._filled, "allowed": allowed})
        self.need_stopped()
        kind, text = self._kind, bytes(self._text)
        if signature.sha256_hex(text) != self._sha256:
            raise Refused("document_digest", {"key": "sha256", "do": "send it again"})
        authority = self._trust.provisioning.authority
        yield from signature.check_in_pieces(text, self._signature, authority, kind)
        self.need_stopped()  # the rest is one piece of half a second
        number = self._check(kind, text, authority)
        try:
            self._vault.write(KINDS[kind], number, text, _signature_bytes(self._signature))
        except OSError:
            raise Refused("document_write", {"key": "vault", "do": "the flash failed; have the pump repaired"})
        self._adopt(kind, text, number)
        return kind, number

    def _check(self, kind, text, authority):
        """The number of the document `text` (bytes), if its form is exact and its number above the last one.

        The newest document that was ever loaded may be loaded again if it was lost.
        """
        therapy, trust = self._therapy, self._trust
        if kind == people.TYPE:
            document, least = people.parse(text), max(trust.people_number + 1, therapy.document_numbers.people)
            if signature.HEX_OF_MODULUS % authority in [person.key for person in document.persons]:
                raise Refused("people_authority", {"key": "key", "do": "remove the authority's key: it is no person's"})
            if not [person for person in document.persons if people.SERVICE in person.roles]:
                do = "give one person the service role: no other role can load the next people document"
                raise Refused("people_no_service", {"key": "roles", "do": do})
        else:
            document, least = (
                library_document.parse(text),
                max(trust.library_number + 1, therapy.document_numbers.library),
            )
        if not least <= document.number <= least + fields.MAX_NUMBER_STEP:
            allowed = "%d to %d" % (least, least + fields.MAX_NUMBER_STEP)
            raise Refused(kind + "_rollback", {"key": "number", "held": document.number, "allowed": allowed})
        return document.number

    def need_stopped(self):
        """Returns if nothing infuses, so that a document may be loaded. Refused: document_infusing [LIB-09]."""
        if self._therapy.moving() or self._therapy.motion.in_flight:
            raise Refused("document_infusing", {"key": "state", "do": "stop the pump first"})

    def _adopt(self, kind, text, number):
        therapy = self._therapy
        if kind == people.TYPE:
            self._trust.adopt_people(text)
        else:
            self._trust.adopt_library(text)
        therapy.document_numbers.adopted(kind, number)
        therapy.event_log.note(records.DOCUMENT, (KINDS[kind], number))
        self._on_change(kind)
        therapy.save()


def _signature_bytes(signature_hex):
    return int(signature_hex, 16).to_bytes(signature.SIGNATURE_BYTES, "big")
