"""The block of FRAM that keeps what the line holds: whole or the one before, whatever byte a power cut tears."""

from pump.storage.line_journal import KNOWN, LINE_BASE, LINE_BYTES, LineJournal


class Memory:
    def __init__(self):
        self.cells = bytearray(LINE_BASE + 2 * LINE_BYTES)
        self.left = 1 << 20  # bytes that are still written before power fails

    def write(self, address, data):
        n = min(self.left, len(data))
        self.cells[address : address + n] = data[:n]
        self.left -= n

    def read_into(self, address, buf):
        buf[:] = self.cells[address : address + len(buf)]


def kept(nv):
    journal = LineJournal(nv)
    if not journal.restore():
        return None
    return journal.flags, journal.no_flow_pa, journal.owed_nl, journal.mark


def test_a_new_memory_holds_nothing():
    assert kept(Memory()) is None
    nv = Memory()
    nv.cells[:] = b"\xff" * len(nv.cells)
    assert kept(nv) is None


def test_it_comes_back():
    """RPL-05: also a pressure below that of the air."""
    nv = Memory()
    journal = LineJournal(nv)
    for values in ((KNOWN, 1_300, 0, 5), (7, -12_000, 60_000, 0xFFFFFFF), (1, 69_000, 1_500_000, 0)):
        journal.write(*values)
        assert kept(nv) == values


def test_a_torn_block_leaves_the_one_before():
    """RPL-04: at every byte; the last three are the zeros that were there before."""
    for n in range(LINE_BYTES):
        nv = Memory()
        journal = LineJournal(nv)
        journal.write(KNOWN, 1_300, 0, 5)
        journal.write(KNOWN, 1_400, 40_000, 6)
        nv.left = n
        journal.write(KNOWN, 1_500, 20_000, 7)
        assert kept(nv) == ((KNOWN, 1_400, 40_000, 6) if n < LINE_BYTES - 3 else (KNOWN, 1_500, 20_000, 7))
