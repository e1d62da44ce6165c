"""Stands in for the FRAM where that does not answer at power-up: the pump says so instead of falling silent."""


class NoMemory:
    """Reads as never written, and keeps nothing. The self-test has failed, so nothing moves and nothing is loaded."""

    def read_into(self, address, buffer):
        """Fills `buffer` with zeros."""
        for at in range(len(buffer)):
            buffer[at] = 0

    def write(self, address, buffer):
        """Does nothing."""
