"""What somebody began and left: a prescription nobody confirms, a host that went silent, a library that changed."""

import pytest
from cisterna.pharmacy import provision
from pump import alarms as alarm
from pump.access import BY_PERSON

from model.reference import Prescription
from model.rig import Rig

MIN_MS = 60_000
RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)


@pytest.fixture
def rig():
    """A pump that infuses."""
    rig = Rig()
    assert rig.prescribe(RX) is None and rig.state == "infusing"
    return rig


def active(rig):
    return rig.pump.core.alarms.active_codes()


# --- a prescription that nobody confirms


@pytest.mark.parametrize("key", ["start", "stop", "ack"])
def test_a_prescription_that_nobody_confirms_is_told(rig, key):
    """ALM-21: LOW, after 3 min; the therapy in force goes on; whatever key is pressed ends it."""
    assert rig.load(RX) is None
    rig.run(179_000)
    assert active(rig) == []
    rig.run(7_000)
    assert active(rig) == ["unconfirmed"] and rig.state == "infusing"
    assert rig.pump.core.alarms.highest() == alarm.LOW and not rig.pump.core.alarms.blocks_bolus()
    rig.key(key)
    assert active(rig) == []


def test_a_prescription_that_was_confirmed_is_not_told(rig):
    assert rig.prescribe(RX) is None
    rig.run(10 * MIN_MS)
    assert active(rig) == []


def test_looking_at_what_waits_hides_no_alarm(rig):
    """ALM-21: a host that asks for the state just then has not confirmed anything."""
    assert rig.load(RX) is None
    rig.run(179_000)
    assert rig.asked_at(rig.plant.now_ms + 2_500, lambda: rig.pump.intake.staged) is None
    rig.wake()
    assert active(rig) == ["unconfirmed"]


# --- a host that went silent


@pytest.mark.parametrize("key", ["start", "stop", "ack"])
def test_a_host_that_went_silent_with_something_to_confirm_is_told(rig, key):
    """ALM-27, COM-03: MEDIUM; nothing of the therapy rests on the link; whoever comes to the pump ends it."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.run(179_000)
    assert active(rig) == []
    rig.run(7_000)
    assert active(rig) == ["link", "unconfirmed"] and rig.state == "infusing"
    assert rig.pump.core.alarms.highest() == alarm.MEDIUM and not rig.pump.core.alarms.blocks_bolus()
    rig.key(key)
    assert active(rig) == []


def test_who_logs_on_again_ends_the_silence(rig):
    """ALM-27."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.run(190_000)
    rig.log_on()
    assert "link" not in active(rig)


def test_a_host_that_went_silent_with_nothing_to_confirm_is_no_alarm(rig):
    """ALM-27, SEC-04: its session ends after 3 min, and that is all."""
    rig.log_on()
    assert rig.pump.access.role
    rig.run(190_000)
    assert active(rig) == [] and rig.state == "infusing" and not rig.pump.access.role


def test_an_order_that_is_over_is_nothing_to_confirm(rig):
    """ALM-27: it waits a minute; the silence counts after three."""
    rig.log_on()
    assert rig.order(50, 60) is None
    rig.run(190_000)
    assert active(rig) == []


def test_who_logs_off_is_not_missed(rig):
    """ALM-27: what was left to confirm is told for itself."""
    rig.log_on()
    assert rig.load(RX) is None
    rig.pump.access.log_off(BY_PERSON)
    rig.run(190_000)
    assert active(rig) == ["unconfirmed"]


# --- a library that changed


def confirmed():
    """A pump whose prescription is confirmed and whose line is full, and that has not been started."""
    rig = Rig()
    assert rig.load(RX) is None
    rig.key("start", 2_500)
    rig.prime()
    while not rig.pump.core.primed:
        rig.run(1_000)
    assert rig.state == "stopped" and not rig.pump.core.needs_rx
    return rig


def test_another_library_wants_another_prescription():
    """LIB-06, LIB-09: confirmed under the old one, and not started: the start key leads nowhere."""
    rig = confirmed()
    before = rig.plant.position()
    assert rig.put_document("library", provision.bench_library_text()) is None
    assert rig.pump.trust.library_number == provision.BENCH_NUMBER
    rig.key("start")
    rig.run(MIN_MS)
    assert rig.state == "stopped" and rig.pump.core.needs_rx and rig.plant.position() == before
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing"


def test_a_library_drops_what_waited_for_confirmation():
    """LIB-06: it was judged by the old one."""
    rig = Rig()
    assert rig.load(RX) is None
    assert rig.put_document("library", provision.bench_library_text()) is None
    rig.key("start", 2_500)
    assert rig.pump.core.rx is None and rig.pump.intake.staged is None


def test_a_library_is_not_changed_under_a_therapy_that_runs(rig):
    """LIB-09: refused, and the therapy goes on; paused, it is taken."""
    text = provision.bench_library_text()
    assert rig.put_document("library", text) == "document_infusing"
    assert rig.state == "infusing" and rig.pump.trust.library_number == 0 and not rig.pump.core.needs_rx
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
