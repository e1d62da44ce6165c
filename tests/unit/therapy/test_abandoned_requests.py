"""Abandoned work: an unconfirmed prescription, a host that went silent, a library that changed."""

import pytest
from cisterna.pharmacy import provision
from pump.authority.access import BY_PERSON
from pump.monitoring import alarms as alarm
from support.therapy.example_therapy import MIN_MS, active_alarms, infusing_rig
from support.therapy.example_therapy import UNLIMITED_RX as RX
from support.therapy.therapy_rig import TherapyRig


@pytest.fixture
def rig():
    return infusing_rig(RX)


# --- an unconfirmed prescription


@pytest.mark.parametrize("key", ["start", "stop", "ack"])
def test_an_unconfirmed_prescription_raises_an_alarm(rig, key):
    """ALM-21: LOW, after 3 min; the therapy in force continues; any key ends the alarm."""
    assert rig.load(RX) is None
    rig.run(179_000)
    assert active_alarms(rig) == []
    rig.run(7_000)
    assert active_alarms(rig) == ["unconfirmed"] and rig.state == "infusing"
    assert rig.pump.therapy.alarms.highest() == alarm.LOW and not rig.pump.therapy.alarms.blocks_bolus()
    rig.key(key)
    assert active_alarms(rig) == []


def test_a_confirmed_prescription_raises_no_alarm(rig):
    assert rig.prescribe(RX) is None
    rig.run(10 * MIN_MS)
    assert active_alarms(rig) == []


def test_showing_a_pending_confirmation_hides_no_alarm(rig):
    """ALM-21: a host that asks for the state just then has not confirmed anything."""
    assert rig.load(RX) is None
    rig.run(179_000)
    assert rig.answer_at(rig.plant.now_ms + 2_500, lambda: rig.pump.prescription_change.staged) is None
    rig.wake()
    assert active_alarms(rig) == ["unconfirmed"]


# --- a host that went silent


@pytest.mark.parametrize("key", ["start", "stop", "ack"])
def test_a_silent_host_with_a_pending_confirmation_raises_an_alarm(rig, key):
    """ALM-27, COM-03: MEDIUM; the therapy does not depend on the link; any key at the pump ends the alarm."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.run(179_000)
    assert active_alarms(rig) == []
    rig.run(7_000)
    assert active_alarms(rig) == ["link", "unconfirmed"] and rig.state == "infusing"
    assert rig.pump.therapy.alarms.highest() == alarm.MEDIUM and not rig.pump.therapy.alarms.blocks_bolus()
    rig.key(key)
    assert active_alarms(rig) == []


def test_a_new_log_on_ends_the_silent_host_alarm(rig):
    """ALM-27."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.run(190_000)
    rig.log_on()
    assert "link" not in active_alarms(rig)


def test_a_silent_host_without_a_pending_confirmation_is_no_alarm(rig):
    """ALM-27, SEC-04: its session ends after 3 min, and that is all."""
    rig.log_on()
    assert rig.pump.access.role
    rig.run(190_000)
    assert active_alarms(rig) == [] and rig.state == "infusing" and not rig.pump.access.role


def test_an_expired_order_is_no_pending_confirmation(rig):
    """ALM-27: it waits a minute; the silence counts after three."""
    rig.log_on()
    assert rig.order(50, 60) is None
    rig.run(190_000)
    assert active_alarms(rig) == []


def test_a_log_off_raises_no_silent_host_alarm(rig):
    """ALM-27: the pending confirmation has its own alarm."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.pump.access.log_off(BY_PERSON)
    rig.run(190_000)
    assert active_alarms(rig) == ["unconfirmed"]


# --- a library that changed


def confirmed():
    """A pump whose prescription is confirmed and whose line is full, and that has not been started."""
    rig = TherapyRig()
    assert rig.load(RX) is None
    rig.hold_start()
    rig.prime()
    while not rig.pump.therapy.primed:
        rig.run(1_000)
    assert rig.state == "stopped" and not rig.pump.therapy.needs_rx
    return rig


def test_a_new_library_requires_a_new_prescription():
    """LIB-06, LIB-09: confirmed under the old one, and not started: the start key leads nowhere."""
    rig = confirmed()
    before = rig.plant.position()
    assert rig.put_document("library", provision.bench_library_text()) is None
    assert rig.pump.trust.library_number == provision.BENCH_NUMBER
    rig.key("start")
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.pump.therapy.needs_rx and rig.plant.position() == before
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing"


def test_a_new_library_drops_the_pending_confirmation():
    """LIB-06: it was checked against the old one."""
    rig = TherapyRig()
    assert rig.load(RX) is None
    assert rig.put_document("library", provision.bench_library_text()) is None
    rig.hold_start()
    assert rig.pump.therapy.rx is None and rig.pump.prescription_change.staged is None


def test_the_library_cannot_be_replaced_during_therapy(rig):
    """LIB-09: refused, and the therapy continues; accepted once paused."""
    text = provision.bench_library_text()
    assert rig.put_document("library", text) == "document_infusing"
    assert rig.state == "infusing" and rig.pump.trust.library_number == 0 and not rig.pump.therapy.needs_rx
    rig.key("stop")
    assert rig.put_document("library", text) is None
    rig.key("start")
    assert rig.state == "stopped"


def test_a_library_outlives_a_power_cut_and_no_older_one_comes_back():
    """LIB-07: the same number is no newer one."""
    rig = confirmed()
    text = provision.bench_library_text()
    assert rig.put_document("library", text) is None
    rig.cut(1_000)
    assert rig.pump.trust.library_number == provision.BENCH_NUMBER
    assert rig.put_document("library", text) == "library_rollback"
