"""Whom the pump believes, and what may be prescribed on it: its provisioning, its people, its drug library."""

from pump import library as built_in
from pump import library_document, people, provisioning
from pump.refusal import Refused
from pump.signature import sha256_hex
from pump.vault import LIBRARY, PEOPLE

FROM_IMAGE = "image"
FROM_DOCUMENT = "document"


class Trust:
    """provisioning  Provisioning, or None: then nothing is ever accepted
    people           People, or None: nobody can log on, nobody's signature counts
    library          {(drug, route, site): Entry}; see `library_in_force`
    library_number   of the signed document, 0 for the library of the image
    is_library_lost  a signed library was loaded once, and is not to be read any more
    people_hash, library_hash   of the documents' texts, 8 digits: two may have one number
    """

    def __init__(self, known, folk=None, library=built_in.LIBRARY, library_number=0):
        self.provisioning = known
        self.people = folk
        self.library = library
        self.library_number = library_number
        self.is_library_lost = False
        self.people_hash = self.library_hash = None

    @property
    def people_number(self):
        """Of the people document; 0 if there is none."""
        return self.people.number if self.people else 0

    def library_in_force(self):
        """The library. Refused: rx_library_lost, rx_library_absent (the image's own is for the bench)."""
        if self.is_library_lost:
            raise Refused("rx_library_lost", {"key": "library", "do": "load the signed library again"})
        if not self.library_number and not (self.provisioning and self.provisioning.bench):
            raise Refused("rx_library_absent", {"key": "library", "do": "load the clinic's signed library"})
        return self.library

    def key(self, name, role, what):
        """Public key of a person in a role. Refused: `what`_not_provisioned, people_absent, person_unknown, _role."""
        self.need_provisioning(what)
        if self.people is None:
            raise Refused("people_absent", {"key": "people", "do": "load the clinic's people document"})
        return self.people.key(name, role)

    def need_provisioning(self, what):
        """Returns if the pump knows whose it is; else Refused `what`_not_provisioned."""
        if self.provisioning is None:
            raise Refused(what + "_not_provisioned", {"key": "pump", "do": "provision this pump first"})

    def adopt_people(self, document):
        """Takes the text (bytes) of a people document that has been proven."""
        self.people = people.restore(document)
        self.people_hash = sha256_hex(document)[:8]

    def adopt_library(self, document):
        """Takes the text (bytes) of a library document that has been proven."""
        library = library_document.restore(document)
        self.library, self.library_number = library.entries, library.number
        self.library_hash = sha256_hex(document)[:8]
        self.is_library_lost = False

    def read_vault(self, vault):
        """Takes what is in the vault, whose signatures were proven when it came there, or with the provisioning."""
        try:
            held = vault.read(PEOPLE)
            if held:
                self.adopt_people(held[1])
        except (KeyError, ValueError, TypeError):
            self.people = None  # written by an image that had them otherwise
        try:
            held = vault.read(LIBRARY)
            if held:
                self.adopt_library(held[1])
            elif vault.is_damaged(LIBRARY):
                self.is_library_lost = True
        except (KeyError, ValueError, TypeError):
            self.is_library_lost = True

    def hold_to(self, people_number, library_number):
        """What had been loaded by then must be here, or newer: an older one is no substitute [LIB-07]."""
        if self.people_number < people_number:
            self.people = None
        if self.library_number < library_number:
            self.is_library_lost = True


def restore(fram, vault):
    """The Trust that FRAM and vault hold. What cannot be read is not there; nothing here raises Refused."""
    trust = Trust(None)
    try:
        trust.provisioning = provisioning.read(fram)
    except Refused:
        return trust
    trust.read_vault(vault)
    return trust
