"""What the line holds: owed or not, and which pressure is the reference, over starts, stops and power cuts."""

from pump.delivery.ledger import BASAL, Ledger
from pump.delivery.line_hold import LineHold, volume_nl
from support.portable.wakeup_cost import allocates, checked_int

PL = 41_282


class Memory:
    def __init__(self):
        self.cells = bytearray(0x600)

    def write(self, address, data):
        self.cells[address : address + len(data)] = data

    def read_into(self, address, buf):
        buf[:] = self.cells[address : address + len(buf)]


def made(nv=None):
    ledger = Ledger()
    ledger.set_fluid(PL, 1000)
    line = LineHold(nv or Memory(), ledger)
    line.restore()
    return line, ledger


def pump(ledger, ul):
    ledger.book(BASAL, ul * 1_000_000 // PL)


def test_more_than_ten_microlitres_beyond_the_flow_are_owed():
    """OCC-05: to the nanolitre; what flow explains is watched, and START need not wait for that."""
    for held, flow, owed, watched in ((10_000, 0, 0, False), (10_001, 0, 10_001, False), (60_000, 3_500, 60_000, False),
                                      (13_500, 3_500, 0, True), (13_501, 3_500, 13_501, False)):  # fmt: skip
        line, _ = made()
        line.begin_motion(1_300, 9_000, True)
        line.end_motion(1_300, held, flow)
        assert line.owed_nl == owed and line.bars_start() == (owed > 0)
        assert line.is_open_question() == (owed > 0 or watched)


def test_a_power_cut_in_motion_is_an_end_that_nobody_judged():
    """OCC-05, RPL-01: START waits until the line was looked at; a rest before the cut owes nothing."""
    nv = Memory()
    line, _ = made(nv)
    line.begin_motion(1_300, 9_000, True)
    again, _ = made(nv)
    assert again.bars_start() and again.no_flow_pa == 1_300 and again.is_known
    line.end_motion(1_300, 2_000, 0)
    again, _ = made(nv)
    assert not again.bars_start() and not again.is_open_question()


def test_the_reference_does_not_climb_from_start_to_start():
    """OCC-05: 9 uL a time stay in a closed line; the tenth stop owes all of it."""
    line, ledger = made()
    pressure = 1_300
    line.begin_motion(pressure, 9_000, True)
    for _ in range(2):
        pump(ledger, 9)
        pressure += 900
        held = volume_nl(pressure - line.no_flow_pa, 9_000)
        line.end_motion(line.no_flow_pa, held, 0)
        if line.owed_nl:
            break
        line.begin_motion(pressure, 9_000, True)
        assert line.no_flow_pa == 1_300
    assert 16_000 <= line.owed_nl <= 18_000


def test_a_pressure_that_nothing_pumped_can_have_made_is_the_patient():
    """OCC-06: risen at rest, fallen, after a line that was found open, or after priming in the air."""
    line, ledger = made()
    line.begin_motion(0, 9_000, False)
    pump(ledger, 300)
    line.end_motion(0, 0, 0)
    line.begin_motion(900, 9_000, True)
    assert line.no_flow_pa == 900
    pump(ledger, 50)
    line.end_motion(900, 0, 0)
    line.begin_motion(13_300, 9_000, True)
    assert line.no_flow_pa == 13_300
    line.end_motion(13_300, 0, 0)
    line.begin_motion(1_200, 9_000, True)
    assert line.no_flow_pa == 1_200
    line.end_motion(1_200, 60_000, 0)
    line.settle(2_000)
    assert not line.bars_start()
    line.begin_motion(2_100, 9_000, True)
    assert line.no_flow_pa == 2_100
    pump(ledger, 1)
    line.end_motion(2_100, 0, 0)
    line.begin_motion(3_100, 9_000, True)  # 9 uL more, and 1 uL was pumped
    assert line.no_flow_pa == 3_100


def test_cost_and_size():
    """H36, NUM-02: no allocation, and no number past 2^30, for any age and fluid."""
    line, ledger = made()

    def days():
        for k in range(100):
            line.begin_motion(1_300 + k * 40, 9_000, True)
            line.note_no_flow(1_300)
            line.end_motion(1_300, k * 300, 3_000)

    assert not allocates(days)
    ledger.restore(checked_int(139_976), 1000, [checked_int((1 << 28) - 5), 0, 0, 0, 0, 0], [0] * 6, [0] * 6, [0] * 6)
    line.begin_motion(checked_int(-40_000), checked_int(40_000), True)
    line.begin_motion(checked_int(100_000), checked_int(1_000), True)
    line.end_motion(1_300, checked_int(1_500_000), 0)
    assert line.most_nl() >= 0
