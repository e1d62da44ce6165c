"""Rings of boluses and rates in FRAM."""

from pump.dosing.dose_history import BOLUSES, CLINICIAN, PCA, Corrupt, DoseHistory
from pump.dosing.limits import ACCEPTED, LIMIT_24H, Limits
from pump.storage.journal import BOLUS_BASE, RATE_BASE


class Fram:
    def __init__(self):
        self.bytes = bytearray(32768)

    def read_into(self, at, buf):
        buf[:] = self.bytes[at : at + len(buf)]

    def write(self, at, buf):
        self.bytes[at : at + len(buf)] = buf


def new():
    fram = Fram()
    return fram, DoseHistory(fram, BOLUS_BASE, RATE_BASE)


def test_rings_survive_a_restart():
    """LIM-18: what was given in the last 24 h comes back."""
    fram, history = new()
    for k in range(30):
        history.bolus_ended(1000 * k, k, PCA if k % 2 else CLINICIAN, 14_000 + k)
    history.rate_replaced(20_000, 5, 140)
    again = DoseHistory(fram, BOLUS_BASE, RATE_BASE)
    again.boluses.restore(history.boluses.first, history.boluses.count)
    again.rates.restore(history.rates.first, history.rates.count)
    assert [again.boluses.at(k) for k in range(len(again.boluses))] == [
        history.boluses.at(k) for k in range(len(history.boluses))
    ]
    assert again.rates.at(0)[:3] == (20_000, 5, 140)


def test_a_damaged_entry_is_seen():
    """LIM-19: a flipped bit in any byte of an entry is Corrupt."""
    fram, history = new()
    history.bolus_ended(5, 0, PCA, 1)
    for byte in range(15):
        fram.bytes[BOLUS_BASE + byte] ^= 4
        try:
            DoseHistory(fram, BOLUS_BASE, RATE_BASE).boluses.restore(0, 1)
        except Corrupt:
            fram.bytes[BOLUS_BASE + byte] ^= 4
            continue
        assert byte == 11, byte  # the pad byte is under the CRC too: nothing passes
        raise AssertionError("byte %d" % byte)


def test_the_ring_holds_a_day_of_boluses():
    """LIM-18: the most boluses that lockouts allow within 24 h fit, and older ones make room."""
    _, history = new()
    for k in range(2 * BOLUSES):
        history.bolus_ended(61 * k, 0, PCA, 1)
    assert len(history.boluses) == 86_400 // 61 + 1


def test_conversion_rounds_up_and_keeps_the_old_until_the_head_moves():
    """NUM-07, H04: mass of another drug counts in whole ug, rounded up; a cut in the middle changes nothing."""
    fram, history = new()
    for k in range(5):
        history.bolus_ended(k, 0, PCA, 1001)
    first, count = history.boluses.first, history.boluses.count
    history.convert(1, 5)
    old = DoseHistory(fram, BOLUS_BASE, RATE_BASE)
    old.boluses.restore(first, count)
    assert [old.boluses.at(k)[2] for k in range(5)] == [1001] * 5
    assert [history.boluses.at(k)[2] for k in range(5)] == [1000] * 5


class Rx:
    basal_ug_per_day = 0
    max_boluses_per_h = max_boluses_per_24h = limit_1h_ug = limit_4h_ug = 0
    limit_24h_ug = 1_000_000_000


def test_the_largest_masses_neither_wrap_nor_vanish():
    """LIM-25: a 50 mL syringe of 25 mg/mL a bolus; the sum of a window is exact, a restated mass stops at its top."""
    _, history = new()
    most_ng = 1_250_000_000
    for k in range(700):
        history.bolus_ended(100 * k, 0, PCA, most_ng)
    windows = Limits(Rx, history)
    room_ng = Rx.limit_24h_ug * 1000 - 700 * most_ng
    assert windows.refusal(room_ng, 70_000, 0) == ACCEPTED
    assert windows.refusal(room_ng + 1, 70_000, 0) == LIMIT_24H
    history.boluses.convert(5, 1)
    assert history.boluses.at(0)[2] == 0xFFFFFFFF
    assert windows.refusal(0, 70_000, 0) == LIMIT_24H
