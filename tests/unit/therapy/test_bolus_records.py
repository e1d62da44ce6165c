"""What the log says about boluses that wait for, suspend or end one another, and about those that an alarm ends."""

import pytest
from pump.delivery.ledger import CLINICIAN
from pump.monitoring import alarms as alarm
from support.therapy.example_therapy import MIN_MS, UNLIMITED_RX, active_alarms, infusing_rig
from support.therapy.ideal_plant import SYRINGE
from support.therapy.therapy_rig import TherapyRig, bolus_kind, reason_name

LOCKOUT_MS = 1_800_000
CLINICIAN_UG, CLINICIAN_S = 200, 1_200


@pytest.fixture
def rig():
    return infusing_rig(UNLIMITED_RX)


def next_ms(entry):
    """The next time that a record tells, in ms of the pump."""
    return entry.payload["next_s"] * 1000 + entry.payload["next_ms"]


def ends_of(rig, kind):
    """Records of the ends of boluses of `kind`."""
    ended = [entry for entry in rig.tape.entries if entry.what == "bolus_end"]
    return [entry for entry in ended if bolus_kind(entry.payload["kind"]) == kind]


def started(rig):
    """Planned duration of the bolus that began last, and the record."""
    entry = rig.last("bolus_start")
    return entry.payload["duration_ms"], entry


def test_the_next_time_told_during_a_clinicians_bolus(rig):
    """LIM-11, DEL-15: for a second order the end of this one and a lockout; for a press the present instant."""
    assert rig.clinician_bolus(CLINICIAN_UG, CLINICIAN_S) is None
    duration_ms, begun = started(rig)
    assert rig.order(CLINICIAN_UG, CLINICIAN_S) == "running"
    refused = rig.last("clinician_decision")
    assert next_ms(refused) == begun.mono_ms + duration_ms + LOCKOUT_MS


@pytest.mark.parametrize("over_s", [1_200, 3_600])
def test_the_next_time_told_to_a_press_during_a_clinicians_bolus(rig, over_s):
    """LIM-11, DEL-15: while the ordered bolus runs a press waits for its own lockout only."""
    assert rig.clinician_bolus(CLINICIAN_UG, over_s) is None
    ordered_end_ms = rig.last("bolus_start").mono_ms + over_s * 1000
    rig.press()
    assert rig.last("pca_decision").payload["reason"] == 0
    begun_ms = rig.last("bolus_start").mono_ms
    rig.run(125_000)
    ended_ms = rig.reported_end_ms("pca")
    rig.press()
    refused = rig.last("pca_decision")
    assert reason_name(refused.payload["reason"]) == "lockout"
    ordered_end_ms += ended_ms - begun_ms  # as long as it was suspended
    own_ms = ended_ms + LOCKOUT_MS
    wanted_ms = own_ms if own_ms < ordered_end_ms else ordered_end_ms + LOCKOUT_MS
    assert next_ms(refused) == pytest.approx(wanted_ms, abs=150)


def test_a_suspended_bolus_is_recorded_with_what_is_left(rig):
    """LOG-01, DEL-11: when it is suspended, when it goes on, and the usteps that were left, twice the same."""
    assert rig.clinician_bolus(CLINICIAN_UG, CLINICIAN_S) is None
    ordered = rig.last("bolus_start").payload["usteps"]
    rig.run(5 * MIN_MS)
    rig.press()
    rig.run(125_000)
    told = [entry.payload for entry in rig.tape.entries if entry.what == "bolus_suspended"]
    assert [(bolus_kind(words["kind"]), words["suspended"]) for words in told] == [("clinician", 1), ("clinician", 0)]
    left = [words["usteps_left"] for words in told]
    assert left[0] == left[1] and left[0] == pytest.approx(ordered * 3 / 4, rel=0.02)
    rig.run(20 * MIN_MS)
    assert [entry.payload["usteps"] for entry in ends_of(rig, "clinician")] == [ordered]


def test_no_suspension_is_recorded_without_one(rig):
    """LOG-01: a patient's bolus alone, and a clinician's alone."""
    rig.press()
    rig.run(125_000 + LOCKOUT_MS)
    assert rig.clinician_bolus(CLINICIAN_UG, CLINICIAN_S) is None
    rig.run(25 * MIN_MS)
    assert [entry for entry in rig.tape.entries if entry.what == "bolus_suspended"] == []
    assert len(ends_of(rig, "pca")) == len(ends_of(rig, "clinician")) == 1


STOPPING = [code for code, action in enumerate(alarm.ACTION) if action == alarm.ACTION_STOP]


@pytest.mark.parametrize("code", STOPPING, ids=lambda code: alarm.CODES[code])
@pytest.mark.parametrize("suspended", [False, True])
def test_each_stopping_alarm_ends_a_clinicians_bolus(rig, code, suspended):
    """DEL-13: its rest is never given; what was made is in the record, and a full lockout runs from its end."""
    assert rig.clinician_bolus(CLINICIAN_UG, CLINICIAN_S) is None
    rig.run(5 * MIN_MS)
    if suspended:
        rig.press()
        rig.run(30_000)
    rig.pump.therapy.alarms.occur(code)
    rig.run(5_000)
    assert rig.state == "alarm" and alarm.CODES[code] in active_alarms(rig)
    (ended,) = ends_of(rig, "clinician")
    assert ended.payload["interrupted"] == 1
    made = rig.pump.therapy.ledger.usteps[CLINICIAN]
    assert ended.payload["usteps"] == made
    assert next_ms(ended) == ended.mono_ms + LOCKOUT_MS
    assert len(ends_of(rig, "pca")) == suspended
    rig.run(10 * MIN_MS)
    assert rig.pump.therapy.ledger.usteps[CLINICIAN] == made


# --- other records


def test_a_refill_is_recorded_with_its_volumes(rig):
    """LOG-01, RES-08: what was put in, what came back, what the pump had expected, and the strength."""
    rig.key("stop")
    expected_nl = rig.remaining_nl()
    rig.pump.clinician_actions.refill(40_000, 49_000, "test-fluid", 1000, "bd-50")
    assert rig.last("refill").payload == {
        "fill_nl": 40_000_000,
        "returned_nl": 49_000_000,
        "expected_nl": expected_nl,
        "concentration_ug_per_ml": 1000,
    }
    rig.pump.clinician_actions.refill(50_000, None, "test-fluid", 1000, "bd-50")
    assert rig.last("refill").payload["returned_nl"] == -1
    assert rig.last("refill").payload["expected_nl"] == 40_000_000


@pytest.mark.parametrize("moved_s", [3_600, -3_600])
def test_a_clock_that_was_set_is_recorded_with_both_offsets(rig, moved_s):
    """LOG-01, TIM-01: the offset to the RTC after and before."""
    rig.set_clock(rig.pump.therapy.wall_clock.unix_s() + moved_s)
    assert rig.last("time_set").payload == {"offset_s": moved_s, "old_offset_s": 0}
    rig.set_clock(rig.pump.therapy.wall_clock.unix_s() + 5)
    assert rig.last("time_set").payload == {"offset_s": moved_s + 5, "old_offset_s": moved_s}


def test_an_offset_beyond_a_word_is_recorded_as_the_most_that_a_word_holds(rig):
    """LOG-01: an RTC of 1970 and a clock of 2099 lie further apart than 31 bits of seconds."""
    for rtc_s, utc_s, told in ((1, 4_070_908_800, 2**31 - 1), (4_070_908_800, 1_577_836_800, -(2**31 - 1))):
        rig.pump.therapy.wall_clock.restore(0)
        rig.pump.therapy.wall_clock.rtc_read(rtc_s)
        rig.set_clock(utc_s)
        assert rig.last("time_set").payload["offset_s"] == max(-(2**31 - 1), min(told, utc_s - rtc_s))


def test_priming_that_was_interrupted_is_recorded_as_such():
    """LOG-01, DEL-33: the usteps that were made, and that the line is not full."""
    rig = TherapyRig()
    assert rig.load(UNLIMITED_RX) is None
    rig.hold_start()
    rig.prime()
    rig.run(20_000)
    rig.key("stop")
    told = rig.last("prime").payload
    assert told["finished"] == 0 and told["usteps"] == rig.plant.position() > 0
    assert told["nl"] == pytest.approx(told["usteps"] * 139.976, abs=1)
    rig.prime()
    while not rig.pump.therapy.primed:
        rig.run(1_000)
    assert rig.last("prime").payload["finished"] == 1


def test_an_open_clamp_ends_a_clinicians_bolus(rig):
    """DEL-13, ALM-09: by the contact itself."""
    assert rig.clinician_bolus(CLINICIAN_UG, CLINICIAN_S) is None
    rig.run(MIN_MS)
    rig.contact(SYRINGE, 1)
    rig.run(1_000)
    assert [entry.payload["interrupted"] for entry in ends_of(rig, "clinician")] == [1]
