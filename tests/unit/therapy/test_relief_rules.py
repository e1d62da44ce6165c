"""Relief of a closed line: when it may move, when not, and what START and the display do meanwhile."""

import pytest
from pump.base.contacts import DOOR
from pump.monitoring import alarms as alarm
from pump.panel.screen import Screen
from support.therapy.ideal_plant import SYRINGE
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

RX = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_1h_ug=8000, limit_4h_ug=30_000
)


class ClosedLine:
    """A line that has just closed, and stores what is pumped from now on."""

    def __init__(self, rig):
        self.rig = rig
        self._closed_at = rig.plant.position()
        rig.plant.pressure.is_open = False

    def held_nl(self):
        pl = self.rig.pump.therapy.ledger.pl_step
        return (self.rig.plant.position() - self._closed_at) * pl // 1000


@pytest.fixture
def line():
    """A line that closed while 0.6 mL/h ran, and holds 30 uL."""
    rig = TherapyRig(syringe="bd-10", fill_ul=10_000)
    assert rig.prescribe(RX) is None
    rig.run(60_000)
    closed = ClosedLine(rig)
    while closed.held_nl() < 30_000:
        rig.run(1_000)
    return closed


def until_it_pulls(rig):
    for _ in range(1_000):
        rig.run(50)
        if rig.pump.relief.active and rig.in_flight():
            return
    raise AssertionError("no relief")


@pytest.mark.parametrize("contact", [DOOR, SYRINGE])
def test_nothing_moves_with_the_door_or_the_clamp_open(line, contact):
    """OCC-05, RES-01: no step and no motor power while one is open in a back-off; then the rest is drawn back."""
    rig = line.rig
    rig.key("stop")
    until_it_pulls(rig)
    rig.contact(contact, 1)
    rig.run(1)
    stands = rig.plant.position()
    for _ in range(40):
        rig.run(500)
        assert rig.plant.position() == stands and not rig.in_flight() and not rig.plant.steps.enabled
    rig.contact(contact, 0)
    rig.run(60_000)
    assert line.held_nl() < 9_000 and not rig.pump.therapy.line.bars_start()


@pytest.mark.parametrize("contact", [DOOR, SYRINGE])
def test_no_back_off_begins_with_the_door_or_the_clamp_open(line, contact):
    """OCC-05: the door ends motion: relief begins within 30 s of its closing, and not before."""
    rig = line.rig
    rig.contact(contact, 1)
    rig.run(100)
    stands = rig.plant.position()
    rig.run(120_000)
    assert rig.plant.position() == stands and not rig.plant.steps.enabled
    assert rig.pump.start_stop.blocked_by() == ("door" if contact == DOOR else "clamp")
    rig.contact(contact, 0)
    rig.run(30_000)
    assert rig.plant.position() < stands
    rig.run(60_000)
    assert line.held_nl() < 9_000


BARS = (alarm.OVER_INFUSION, alarm.SECOND_CHANNEL, alarm.SELF_TEST, alarm.CONFIG, alarm.SUPPLY)


@pytest.mark.parametrize("code", BARS)
@pytest.mark.parametrize("when", ["before", "in it"])
def test_no_back_off_beside_an_alarm_of_the_pump_itself(line, code, when):
    """OCC-05: it stays owed over a power cut, and the display says to clamp the line and what it holds."""
    rig = line.rig
    if when == "in it":
        rig.key("stop")
        until_it_pulls(rig)
    rig.pump.therapy.alarms.raise_(code)
    rig.run(100)
    rig.key("stop")
    stands = rig.plant.position()
    rig.run(60_000)
    assert rig.plant.position() == stands and not rig.plant.steps.enabled
    assert rig.pump.start_stop.blocked_by() == "relief_barred"
    held_ul = rig.pump.therapy.line.owed_nl // 1000
    assert 20 <= held_ul <= 36
    rows = [row.strip() for row in Screen(rig.pump, {"board": "b", "build": "1", "drivers": ()}).rows()]
    assert rows[4:6] == ["CLAMP THE LINE:", f"about {held_ul} uL"]
    rig.cut(10_000)
    assert rig.pump.therapy.line.owed_nl // 1000 == held_ul


def test_start_waits_and_the_display_says_so(line):
    """OCC-08: START does nothing while relief is owed, and is not remembered; afterwards it resumes."""
    rig = line.rig
    rig.key("stop")
    rig.run(2_000)
    assert rig.pump.start_stop.blocked_by() == "relief"
    rows = [row.strip() for row in Screen(rig.pump, {"board": "b", "build": "1", "drivers": ()}).rows()]
    assert rows[4] == "wait: line holds" and rows[5] == f"about {rig.pump.therapy.line.owed_nl // 1000} uL"
    rig.key("start")
    assert rig.state == "stopped"
    rig.run(60_000)
    assert rig.state == "stopped" and rig.pump.start_stop.blocked_by() is None
    rig.key("start")
    assert rig.state == "infusing"


def test_what_is_drawn_back_is_credited_less_the_lash(line):
    """OCC-16, RPL-04: as it is drawn, so that a power cut loses at most a grant of it; never more than was drawn."""
    rig = line.rig
    rig.key("stop")
    before, stood = rig.booked_usteps(), rig.plant.position()
    for _ in range(400):
        rig.run(100)
        drawn = stood - rig.plant.position()
        credited = before - rig.booked_usteps()
        allowance = -(-5_000_000 // rig.pump.therapy.ledger.pl_step)
        assert max(0, drawn - allowance) - rig.grant_usteps() <= credited <= max(0, drawn - allowance)
    assert credited > 400


@pytest.mark.parametrize("after_ms", [0, 3_000, 6_000, 9_000, 12_000])
def test_power_fails_at_any_moment_of_it(line, after_ms):
    """OCC-05, RPL-04, H14: the next power-up knows the no-flow pressure and goes on."""
    rig = line.rig
    if after_ms:
        rig.key("stop")
        rig.run(after_ms)
    rig.cut(3_000)
    rig.run(60_000)
    assert line.held_nl() < 9_000 and not rig.pump.therapy.line.bars_start()
    assert rig.booked_usteps() >= rig.plant.position()


def test_a_pump_of_before_knows_no_reference_and_owes_nothing(line):
    """RPL-01: its FRAM has no block for the line."""
    rig = line.rig
    rig.plant.cut_power()
    rig.plant.fram.cells[0x580:0x5C0] = bytes(0x40)
    rig.plant.restore_power(0)
    rig.boot()
    rig.run(10_000)
    assert not rig.pump.therapy.line.bars_start()
