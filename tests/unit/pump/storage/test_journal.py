"""The write-ahead journal: whole blocks only, the newest first, with a power cut at any byte."""

from pump import saved_state
from pump.storage.journal import (
    COUNTERS,
    ENCODER,
    FIELDS,
    MONO_MS,
    MONO_S,
    PHASE,
    PULSE_BASE,
    RTC_MONO_S,
    RTC_S,
    RX_BASE,
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
    for budget in range(45):
        fram = Fram()
        journal = BlockJournal(fram, STATE_BASE, 64, names)
        journal.write({"a": 1, "b": 2, "c": 3})
        journal.write({"a": 4, "b": 5, "c": 1 << 40})
        fram.budget = budget
        journal.write({"a": 7, "b": 8, "c": 9})
        found = BlockJournal(fram, STATE_BASE, 64, names).restore()
        assert found == ({"a": 7, "b": 8, "c": 9} if budget == 44 else {"a": 4, "b": 5, "c": 1 << 40}), budget


def test_blank_memory_holds_nothing():
    assert not PulseJournal(Fram()).restore()
    assert BlockJournal(Fram(), STATE_BASE, 64, ("a",)).restore() is None


def test_a_block_of_an_older_image_is_read_and_what_it_did_not_know_is_0():
    """RPL-04: the block says how many names it has; a newer image adds its own at the end."""
    fram = Fram()
    BlockJournal(fram, STATE_BASE, 64, ("a", "b")).write({"a": 1, "b": 1 << 40})
    newer = BlockJournal(fram, STATE_BASE, 64, ("a", "b", "c"))
    assert newer.restore() == {"a": 1, "b": 1 << 40, "c": 0}
    newer.write({"a": 2, "b": 3, "c": 4})
    assert BlockJournal(fram, STATE_BASE, 64, ("a", "b", "c")).restore() == {"a": 2, "b": 3, "c": 4}


def test_a_block_of_a_newer_image_is_read_and_what_this_one_does_not_know_is_passed_over():
    """RPL-04: also when the block of the older image lies beside it, or where a longer one has been."""
    fram = Fram()
    newer, older = ("a", "b", "c", "d"), ("a", "b")
    BlockJournal(fram, STATE_BASE, 64, newer).write({"a": 1, "b": 2, "c": 3, "d": 4})
    for turn in range(1, 5):
        journal = BlockJournal(fram, STATE_BASE, 64, older)
        assert journal.restore() == {"a": turn, "b": 2}
        journal.write({"a": turn + 1, "b": 2})
    assert BlockJournal(fram, STATE_BASE, 64, newer).restore() == {"a": 5, "b": 2, "c": 0, "d": 0}


def test_block_sees_every_flipped_bit():
    """H30: in the number of names too, however many they then seem to be."""
    fram = Fram()
    names = ("a", "b")
    journal = BlockJournal(fram, STATE_BASE, 64, names)
    journal.write({"a": 1, "b": 2})
    journal.write({"a": 3, "b": 4})
    for at in range(STATE_BASE, STATE_BASE + 36):  # the slot of the second one
        for bit in range(8):
            fram.bytes[at] ^= 1 << bit
            assert BlockJournal(fram, STATE_BASE, 64, names).restore() == {"a": 1, "b": 2}, (at, bit)
            fram.bytes[at] ^= 1 << bit


def test_the_state_has_room_in_its_slot_and_ends_before_the_prescriptions():
    names = saved_state.NAMES
    assert len(set(names)) == len(names)
    assert 8 * (len(names) + 2) + 4 <= 0x280
    assert STATE_BASE + 2 * 0x280 <= RX_BASE
