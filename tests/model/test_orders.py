"""What comes over the link and waits for a finger, and what a word over the link can do: less dose, never more."""

import pytest
from pump.ledger import CLINICIAN

from model.reference import Prescription
from model.rig import Rig, reason_name

MIN_MS = 60_000
RX = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_1h_ug=800, limit_4h_ug=3000
)


@pytest.fixture
def rig():
    """A pump that infuses."""
    rig = Rig()
    assert rig.prescribe(RX) is None and rig.state == "infusing"
    return rig


def given_usteps(rig):
    """Usteps of clinicians' boluses."""
    return rig.pump.core.ledger.usteps[CLINICIAN]


def decisions(rig):
    """Reasons of all clinicians' orders that were decided on; None for accepted."""
    return [reason_name(entry.payload["reason"]) for entry in rig.tape.entries if entry.what == "clinician_decision"]


# --- an order


def test_an_order_gives_nothing_until_the_start_key(rig):
    """SEC-07: nothing remote raises a dose. The key gives it, and it counts as asked for when it was ordered."""
    assert rig.order(50, 60) is None
    ordered_ms = rig.mono_ms()
    rig.run(59_000)
    assert decisions(rig) == [] and given_usteps(rig) == 0 and rig.state == "infusing"
    rig.key("start", 60)
    asked = rig.last("clinician_decision").payload
    assert decisions(rig) == [None] and asked["request_s"] * 1000 + asked["request_ms"] == ordered_ms
    rig.run(2 * MIN_MS)
    assert given_usteps(rig) == rig.last("bolus_end").payload["usteps"] > 0


def stop_key(rig):
    rig.key("stop")
    rig.key("start")


def paused_from_afar(rig):
    rig.pause()
    rig.key("start")


def door(rig):
    rig.door(True)
    rig.run(1_000)
    rig.door(False)
    rig.run(1_000)
    rig.key("start")


def a_minute(rig):
    rig.run(61_000)


@pytest.mark.parametrize("between", [stop_key, paused_from_afar, door, a_minute])
def test_what_came_between_order_and_finger_ends_the_order(rig, between):
    """SEC-07: the start key is as at any other moment: it starts basal, or does nothing while that runs."""
    assert rig.order(50, 60) is None
    between(rig)
    assert rig.state == "infusing"
    for _ in range(2):
        rig.key("start")
        rig.run(2_000)
    assert decisions(rig) == [] and given_usteps(rig) == 0 and rig.state == "infusing"


def test_an_order_is_gone_after_a_power_cut(rig):
    """What waits is in no memory."""
    assert rig.order(50, 60) is None
    rig.cut(1_000)
    rig.key("start")
    assert rig.prescribe(RX) is None
    rig.key("start")
    rig.run(MIN_MS)
    assert decisions(rig) == [] and given_usteps(rig) == 0


def test_an_order_is_judged_when_the_key_is_pressed(rig):
    """A patient's bolus has begun since: refused for that, and not given after it either."""
    assert rig.order(50, 60) is None
    rig.press()
    rig.key("start")
    assert decisions(rig) == ["running"]
    rig.run(3 * MIN_MS)
    rig.key("start")
    assert decisions(rig) == ["running"] and given_usteps(rig) == 0


def test_an_order_that_could_not_be_given_does_not_wait(rig):
    """Refused at once, with its reason on record."""
    rig.press()
    rig.run(3 * MIN_MS)
    assert rig.order(50, 60) == "lockout"
    rig.key("start")
    assert decisions(rig) == ["lockout"] and given_usteps(rig) == 0


def test_a_loaded_prescription_drops_the_order_that_waits(rig):
    """One thing waits for the finger at a time."""
    assert rig.order(50, 60) is None
    assert rig.load(RX) is None
    rig.key("start")
    assert decisions(rig) == [] and given_usteps(rig) == 0


# --- pause and stop from afar


def account(rig):
    """What the ledger holds, and how each bolus ended."""
    ends = [entry.payload for entry in rig.tape.entries if entry.what == "bolus_end"]
    return list(rig.pump.core.ledger.usteps), ends


def stopped_in_a_bolus(by):
    """A pump that was stopped 30 s after a press, at the same instant whoever did it."""
    rig = Rig()
    assert rig.prescribe(RX) is None
    rig.press()
    rig.run(30_000)
    by(rig)
    return rig


def by_key(rig):
    rig.key("stop", 1_000)


def by_link(rig):
    rig.run(30)  # debounce of a key
    rig.pause()
    rig.run(1_030)


def test_a_pause_from_afar_is_what_the_stop_key_does():
    """SEC-07: motion and bolus end, and a start key goes on with basal alone."""
    pumps = [stopped_in_a_bolus(by) for by in (by_key, by_link)]
    assert [rig.state for rig in pumps] == ["stopped", "stopped"]
    before = [rig.plant.position() for rig in pumps]
    assert abs(before[0] - before[1]) <= 1
    for rig in pumps:
        rig.run(5 * MIN_MS)
        assert rig.pump.boluses.running() is False and rig.last("bolus_end").payload["interrupted"] == 1
        assert not rig.pump.core.needs_rx
    assert [rig.plant.position() for rig in pumps] == before
    for rig in pumps:
        rig.key("start")
        rig.run(MIN_MS)
        assert rig.state == "infusing" and len(account(rig)[1]) == 1
    assert abs(pumps[0].plant.position() - pumps[1].plant.position()) <= 2


def test_a_pause_from_afar_ends_priming():
    rig = Rig()
    assert rig.load(RX) is None
    rig.key("start", 2_500)
    rig.prime()
    assert rig.state == "priming"
    rig.pause()
    before = rig.plant.position()
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.plant.position() == before and not rig.pump.core.primed


def test_a_pause_of_a_pump_that_stands_changes_nothing(rig):
    """An alarm is not ended by it, and nothing is written."""
    rig.door(True)
    rig.run(1_000)
    seen = len(rig.tape.entries)
    rig.pause()
    assert rig.state == "alarm" and len(rig.tape.entries) == seen


def test_a_stop_from_afar_wants_a_new_prescription(rig):
    """SEC-07: the therapy is over; neither the start key nor what was staged before leads back."""
    assert rig.load(RX) is None
    rig.cancel()
    before = rig.plant.position()
    rig.key("start")
    rig.key("start", 2_500)
    rig.key("start")
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.pump.core.needs_rx and rig.plant.position() == before
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing"
