"""Commands over the link: an order waits for START; pause and stop lower the dose; nothing remote raises it."""

import pytest
from pump.base.contacts import START_KEY, STOP_KEY
from pump.delivery.ledger import CLINICIAN
from support.therapy.example_therapy import LIMITED_RX as RX
from support.therapy.example_therapy import MIN_MS, infusing_rig
from support.therapy.therapy_rig import TherapyRig, reason_name


@pytest.fixture
def rig():
    return infusing_rig(RX)


def given_usteps(rig):
    """Usteps of clinicians' boluses."""
    return rig.pump.therapy.ledger.usteps[CLINICIAN]


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


@pytest.mark.parametrize(
    ("between", "reason"),
    [(stop_key, "not_infusing"), (paused_from_afar, "not_infusing"), (door, "alarm"), (a_minute, "not_confirmed")],
)
def test_an_event_between_order_and_start_key_drops_the_order(rig, between, reason):
    """SEC-07, LIM-12: the start key is as at any other moment: it starts basal, or does nothing while that runs.

    What became of the order is on record, once.
    """
    assert rig.order(50, 60) is None
    between(rig)
    assert rig.state == "infusing"
    for _ in range(2):
        rig.key("start")
        rig.run(2_000)
    assert decisions(rig) == [reason] and given_usteps(rig) == 0 and rig.state == "infusing"


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


def test_an_order_that_cannot_be_given_is_not_staged(rig):
    """Refused at once, with its reason on record."""
    rig.press()
    rig.run(3 * MIN_MS)
    assert rig.order(50, 60) == "lockout"
    rig.key("start")
    assert decisions(rig) == ["lockout"] and given_usteps(rig) == 0


def test_a_loaded_prescription_drops_the_order_that_waits(rig):
    """Only one confirmation is pending at a time; the dropped order is on record."""
    assert rig.order(50, 60) is None
    assert rig.load(RX) is None
    rig.key("start")
    assert decisions(rig) == ["not_confirmed"] and given_usteps(rig) == 0


def test_an_order_in_place_of_another_leaves_a_record_of_both(rig):
    """The first is not given and says so; the second is given at START."""
    assert rig.order(50, 60) is None
    first_ms = rig.mono_ms()
    rig.run(5_000)
    assert rig.order(40, 60) is None
    rig.run(1_000)
    rig.key("start")
    asked = [entry.payload for entry in rig.tape.entries if entry.what == "clinician_decision"]
    assert decisions(rig) == ["not_confirmed", None]
    assert [at["request_s"] * 1000 + at["request_ms"] for at in asked] == [first_ms, first_ms + 5_000]


def test_a_start_press_that_began_before_a_stop_key_does_not_undo_it(rig):
    """H22: START is released when the stop key is up again; also one that began while an order waited."""
    rig.contact(START_KEY, 0)
    rig.run(300)
    rig.contact(STOP_KEY, 0)
    rig.run(60)
    rig.contact(STOP_KEY, 1)
    rig.run(60)
    rig.contact(START_KEY, 1)
    rig.run(5_000)
    assert rig.state == "stopped"
    rig.key("start")
    assert rig.state == "infusing"


def test_a_start_press_that_was_meant_for_an_order_does_not_undo_a_pause(rig):
    """SEC-02: the pause from afar comes while START is down, and the order waits no more."""
    assert rig.order(50, 60) is None
    rig.run(1_000)
    rig.contact(START_KEY, 0)
    rig.run(100)
    rig.pause()
    rig.run(100)
    rig.contact(START_KEY, 1)
    rig.run(5_000)
    assert rig.state == "stopped" and decisions(rig) == ["not_infusing"]


# --- pause and stop from afar


def account(rig):
    """What the ledger holds, and how each bolus ended."""
    ends = [entry.payload for entry in rig.tape.entries if entry.what == "bolus_end"]
    return list(rig.pump.therapy.ledger.usteps), ends


def stopped_in_a_bolus(by):
    """A pump that was stopped 30 s after a press, at the same instant for each way to stop it."""
    rig = TherapyRig()
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


def test_a_remote_pause_acts_as_the_stop_key():
    """SEC-07: motion and bolus end, and START resumes basal alone."""
    pumps = [stopped_in_a_bolus(by) for by in (by_key, by_link)]
    assert [rig.state for rig in pumps] == ["stopped", "stopped"]
    before = [rig.plant.position() for rig in pumps]
    assert abs(before[0] - before[1]) <= 1
    for rig in pumps:
        rig.run(5 * MIN_MS)
        assert rig.pump.boluses.running() is False and rig.last("bolus_end").payload["interrupted"] == 1
        assert not rig.pump.therapy.needs_rx
    assert [rig.plant.position() for rig in pumps] == before
    for rig in pumps:
        rig.key("start")
        rig.run(MIN_MS)
        assert rig.state == "infusing" and len(account(rig)[1]) == 1
    assert abs(pumps[0].plant.position() - pumps[1].plant.position()) <= 2


def test_a_remote_pause_ends_priming():
    rig = TherapyRig()
    assert rig.load(RX) is None
    rig.hold_start()
    rig.prime()
    assert rig.state == "priming"
    rig.pause()
    before = rig.plant.position()
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.plant.position() == before and not rig.pump.therapy.primed


def test_a_remote_pause_of_a_stopped_pump_changes_nothing(rig):
    """An alarm is not ended by it, and nothing is written."""
    rig.door(True)
    rig.run(1_000)
    seen = len(rig.tape.entries)
    rig.pause()
    assert rig.state == "alarm" and len(rig.tape.entries) == seen


def test_a_remote_stop_requires_a_new_prescription(rig):
    """SEC-07: the therapy is over; neither the start key nor what was staged before leads back."""
    assert rig.load(RX) is None
    rig.cancel()
    before = rig.plant.position()
    rig.key("start")
    rig.hold_start()
    rig.key("start")
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.pump.therapy.needs_rx and rig.plant.position() == before
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing"
