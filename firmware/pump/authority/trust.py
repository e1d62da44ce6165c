"""What the pump trusts: its provisioning, its people document, its drug library."""

from pump.base.refusal import Refused
from pump.documents import library as built_in
from pump.documents import library_document, people, provisioning
from pump.documents.signature import sha256_hex
from pump.storage.vault import LIBRARY, PEOPLE

# Where the library comes from, for `hello`
FROM_IMAGE = "image"
FROM_DOCUMENT = "document"


class Trust:
    """What one pump trusts.

    provisioning     Provisioning, or None: no document is accepted
    people           People, or None: no log-on, no signature of a person is accepted
    library          {(drug, route, site): Entry}; read it by `library_in_force`
    library_number   of the library document, 0 for the library of the image
    is_library_lost  a library document was loaded once and cannot be read now
    people_hash, library_hash   first 8 hex digits of the SHA-256 of the documents, or None: two may have one number
    """

    def __init__(self, provisioning_, people_=None, library=built_in.LIBRARY, library_number=0):
        self.provisioning = provisioning_
        self.people = people_
        self.library = library
        self.library_number = library_number
        self.is_library_lost = False
        self.people_hash = self.library_hash = None

    @property
    def people_number(self):
        """Number of the people document; 0 if there is none."""
        return self.people.number if self.people else 0

    def library_in_force(self):
        """The library. Refused: rx_library_lost, rx_library_absent (the image's library is for bench pumps only)."""
        if self.is_library_lost:
            raise Refused("rx_library_lost", {"key": "library", "do": "load the signed library again"})
        if not self.library_number and not (self.provisioning and self.provisioning.bench):
            raise Refused("rx_library_absent", {"key": "library", "do": "load the clinic's signed library"})
        return self.library

    def key(self, name, role, prefix):
        """Public key (int) of the person `name` in `role`.

        Refused: `prefix`_not_provisioned, people_absent, person_unknown, person_role.
        """
        self.need_provisioning(prefix)
        if self.people is None:
            raise Refused("people_absent", {"key": "people", "do": "load the clinic's people document"})
        return self.people.key(name, role)

    def need_provisioning(self, prefix):
        """Returns if the pump is provisioned. Refused: `prefix`_not_provisioned."""
        if self.provisioning is None:
            raise Refused(prefix + "_not_provisioned", {"key": "pump", "do": "provision this pump first"})

    def adopt_provisioning(self, provisioning_):
        """Takes the Provisioning that was written to FRAM and read back."""
        self.provisioning = provisioning_

    def adopt_people(self, document):
        """Adopts a people document (bytes) whose signature was checked before."""
        self.people = people.restore(document)
        self.people_hash = sha256_hex(document)[:8]

    def adopt_library(self, document):
        """Adopts a library document (bytes) whose signature was checked before."""
        library = library_document.restore(document)
        self.library, self.library_number = library.entries, library.number
        self.library_hash = sha256_hex(document)[:8]
        self.is_library_lost = False

    def read_vault(self, vault):
        """Adopts the documents in the vault; their signatures were checked at loading or at provisioning."""
        try:
            held = vault.read(PEOPLE)
            if held:
                self.adopt_people(held[1])
        except (KeyError, ValueError, TypeError):
            self.people = None  # stored by an image with another document form
        try:
            held = vault.read(LIBRARY)
            if held:
                self.adopt_library(held[1])
            elif vault.is_damaged(LIBRARY):
                self.is_library_lost = True
        except (KeyError, ValueError, TypeError):
            self.is_library_lost = True

    def drop_older_than(self, people_number, library_number):
        """Drops a document older than the newest one ever loaded, whose number is given [LIB-07]."""
        if self.people_number < people_number:
            self.people = None
        if self.library_number < library_number:
            self.is_library_lost = True


def restore(fram, vault):
    """The Trust from FRAM and vault. What cannot be read counts as absent or lost; never raises Refused."""
    trust = Trust(None)
    try:
        trust.provisioning = provisioning.read(fram)
    except Refused:
        return trust
    trust.read_vault(vault)
    return trust
