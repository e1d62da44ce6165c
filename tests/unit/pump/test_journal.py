"""The write-ahead journal: whole blocks only, the newest first, whatever byte a power cut falls on."""

from pump.journal import (
    COUNTERS,
    ENCODER,
    FIELDS,
    MONO_MS,
    MONO_S,
    PHASE,
    PULSE_BASE,
    RTC_MONO_S,
    RTC_S,
    STATE_BASE,
    BlockJournal,
    PulseJournal,
)


class Fram:
    """Writes byte by byte; `budget` bytes until the power fails."""

    def __init__(self):
        self.bytes = bytearray(4096)
        self.budget = None

    def read_into(self, at, buf):
        buf[:] = self.bytes[at : at + len(buf)]

    def write(self, at, buf):
        size = len(buf) if self.budget is None else min(self.budget, len(buf))
        self.bytes[at : at + size] = buf[:size]
        if self.budget is not None:
            self.budget -= size


def write_pulse(fram, value):
    """A pulse whose word k is `value` + k."""
    journal = PulseJournal(fram)
    journal.restore()
    journal.words[RTC_S], journal.words[RTC_MONO_S] = value + RTC_S, value + RTC_MONO_S
    counters = [value + COUNTERS + k for k in range(6)]
    journal.write(value + MONO_S, value + MONO_MS, counters, value + PHASE, value + ENCODER)


def test_pulse_cut_at_every_byte():
    """PWR-08, RPL-04: after a cut at any byte the block before or the new one is found, never a mixture."""
    for budget in range(65):
        fram = Fram()
        for value in (1000, 2000, 3000):
            write_pulse(fram, value)
        fram.budget = budget
        write_pulse(fram, 4000)
        found = PulseJournal(fram)
        assert found.restore()
        value = found.words[1] - 1
        assert value == (4000 if budget == 64 else 3000) or (value == 4000 and budget > 60), (budget, value)
        assert [found.words[k] - k for k in range(1, FIELDS + 1)] == [value] * FIELDS


def test_pulse_sees_every_flipped_bit():
    """H30: a single flipped bit in the newest slot: the other slot is taken."""
    fram = Fram()
    write_pulse(fram, 1000)
    write_pulse(fram, 2000)
    for at in range(PULSE_BASE, PULSE_BASE + 128):
        for bit in range(8):
            fram.bytes[at] ^= 1 << bit
            found = PulseJournal(fram)
            assert found.restore()
            assert found.words[1] in (1001, 2001)
            fram.bytes[at] ^= 1 << bit


def test_block_cut_at_every_byte():
    """PWR-08."""
    names = ("a", "b", "c")
    for budget in range(0, 37, 3):
        fram = Fram()
        journal = BlockJournal(fram, STATE_BASE, 64, names)
        journal.write({"a": 1, "b": 2, "c": 3})
        journal.write({"a": 4, "b": 5, "c": 1 << 40})
        fram.budget = budget
        journal.write({"a": 7, "b": 8, "c": 9})
        found = BlockJournal(fram, STATE_BASE, 64, names).restore()
        assert found == ({"a": 7, "b": 8, "c": 9} if budget == 36 else {"a": 4, "b": 5, "c": 1 << 40}), budget


def test_blank_memory_holds_nothing():
    assert not PulseJournal(Fram()).restore()
    assert BlockJournal(Fram(), STATE_BASE, 64, ("a",)).restore() is None
