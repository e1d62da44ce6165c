"""The number of the newest people and library document ever in force: an older one is not accepted [LIB-07]."""


class DocumentNumbers:
    """people, library: numbers of the documents, 0 for none. Kept in FRAM, independent of the vault."""

    def __init__(self):
        self.people = 0
        self.library = 0

    def adopted(self, kind, number):
        """Notes that document `number` of `kind` ("people" or "library") is in force."""
        if kind == "people":
            self.people = number
        else:
            self.library = number

    def restore(self, people, library):
        """Sets the values read from FRAM."""
        self.people, self.library = people, library
