"""Single rules of the pump core on the ideal plant, without world or model."""

import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from pump import recovery, start_stop
from pump.base.contacts import ACK_KEY, CONTACTS, PCA_NC, PCA_NO, STOP_KEY
from pump.base.contacts import START_KEY as START
from pump.base.refusal import Refused
from pump.delivery.ledger import BASAL, CLINICIAN, EXCESS, PCA, PRIME
from pump.monitoring import alarms as alarm
from pump.panel.keys import Keys
from pump.panel.pending_confirmation import SEEN_MS
from pump.panel.screen import NOT_A_DEVICE, Screen
from pump.panel.wording import START_BLOCKED, WIDTH, start_blocked
from pump.power_up import RESET_WATCHDOG
from pump.storage.journal import BOLUS_BASE, PULSE_BASE, RX_BASE, STATE_BASE
from support.therapy.example_therapy import LIMITED_RX as RX
from support.therapy.example_therapy import MIN_MS, UNLIMITED_RX, active_alarms, infusing_rig
from support.therapy.ideal_plant import DOOR, SYRINGE
from support.therapy.reference_model import DAY_MS, HOUR_MS, Prescription
from support.therapy.therapy_rig import TherapyRig, reason_name


@pytest.fixture
def rig():
    return infusing_rig(RX)


def last_reason(rig):
    """Reason of the last press; None for accepted."""
    decisions = [entry.payload for entry in rig.tape.entries if entry.what == "pca_decision"]
    return reason_name(decisions[-1]["reason"])


# --- memory that is lost


@pytest.mark.parametrize(
    "base, size",
    [(STATE_BASE, 0x500), (PULSE_BASE, 0x80), (RX_BASE, 0x1000), (BOLUS_BASE, 16)],
    ids=["state", "pulse", "prescription", "bolus"],
)
def test_a_pump_that_lost_its_history_gives_no_bolus_for_a_day(rig, base, size):
    """LIM-19, RX-08, H30, ALM-26: both slots damaged at once. HIGH, and no bolus for 24 h under any prescription."""
    rig.press()
    rig.run(10 * MIN_MS)
    for at in range(base, base + size):
        rig.plant.fram.cells[at] ^= 0x5A
    rig.cut(60_000)
    assert rig.state == "alarm" and "config" in active_alarms(rig)
    rig.prescribe(RX)
    assert rig.state == "infusing" and active_alarms(rig) == []
    rig.press()
    assert last_reason(rig) == "lockout"
    rig.run(DAY_MS - 5 * MIN_MS)
    rig.press()
    assert last_reason(rig) == "lockout"
    rig.run(6 * MIN_MS)
    rig.press()
    assert last_reason(rig) is None


def test_a_new_pump_has_no_history_to_lose():
    """Blank memory is a new pump, no lost one: no alarm, and the first bolus needs no day."""
    rig = TherapyRig()
    assert rig.state == "stopped" and active_alarms(rig) == []
    rig.prescribe(RX)
    rig.press()
    assert last_reason(rig) is None


def test_a_watchdog_reset_while_infusing_stays_stopped(rig):
    """WDG-10, RPL-01: a HIGH alarm that stops; the start key alone leads nowhere."""
    rig.run(MIN_MS)
    with patch("support.therapy.therapy_rig.RESET_POWER", RESET_WATCHDOG):
        rig.cut(100)
    therapy = rig.pump.therapy
    assert rig.state == "alarm" and active_alarms(rig) == ["unexpected_reset"]
    assert therapy.alarms.highest() == alarm.HIGH and therapy.alarms.stops()
    rig.key("start")
    assert rig.state == "alarm"


@pytest.mark.parametrize("off_by_s, proven", [(0, True), (600, False), (-600, False)])
def test_a_disagreeing_clock_does_not_prove_time_off(rig, off_by_s, proven):
    """TIM-04, LIM-03: the RTC is compared with the monotonic clock; unproven, the lockout runs on from the cut."""
    rig.press()
    rig.run(4 * MIN_MS)
    rig.wake()
    rig.pump.rtc_read(rig.plant.rtc.unix_s() + off_by_s, True)
    rig.cut(10 * MIN_MS)
    assert rig.pump.power_up.report.time_proven is proven
    rig.prescribe(RX)
    rig.run(20 * MIN_MS)
    rig.press()
    assert last_reason(rig) == (None if proven else "lockout")
    if not proven:
        rig.run(9 * MIN_MS)  # 2 before the cut, and 29 since: a lockout that began anew would still run
        rig.press()
        assert last_reason(rig) is None


@pytest.mark.parametrize("off_by_s, agrees", [(-3, False), (-2, True), (2, True), (3, False)])
def test_the_rtc_may_differ_by_two_seconds(rig, off_by_s, agrees):
    """TIM-04: seconds are read at any part of them, from both clocks."""
    recovery.remember_rtc(rig.pump.therapy, 1_800_000_000)
    rig.pump.therapy.clock.s += 60
    assert recovery.rtc_agrees(rig.pump.therapy, 1_800_000_060 + off_by_s) is agrees


@pytest.mark.parametrize("off_by_s, agrees", [(12, True), (13, False), (-12, True), (-13, False)])
def test_the_rtc_may_drift_by_a_hundred_ppm(rig, off_by_s, agrees):
    """TIM-04: both crystals together, over 10^5 s."""
    recovery.remember_rtc(rig.pump.therapy, 1_800_000_000)
    rig.pump.therapy.clock.s += 100_000
    assert recovery.rtc_agrees(rig.pump.therapy, 1_800_100_000 + off_by_s) is agrees


@pytest.mark.parametrize("off_s, proven", [(14_400, True), (14_400 + 70, False), (86_400, False), (-3, False)])
def test_an_rtc_proves_four_hours_without_power(rig, off_s, proven):
    """TIM-04, LIM-03: what it shows beyond counts as nothing: it may have jumped."""
    rig.press()
    rig.run(3 * MIN_MS)
    rig.pump.rtc_read(rig.plant.rtc.unix_s(), True)
    rig.plant.rtc.set_unix_s(rig.plant.rtc.unix_s() + off_s - 5)
    rig.cut(5_000)
    report = rig.pump.power_up.report
    assert report.time_proven is proven and (report.off_s > 14_000) is proven
    rig.prescribe(RX)
    rig.press()
    assert last_reason(rig) == (None if proven else "lockout")


@pytest.mark.parametrize("rtc_s, kept", [(1_800_000_000, False), (0, True), (946_684_800, True), (4_294_967_295, True)])
def test_a_clock_that_cannot_be_right_is_an_alarm(rig, rtc_s, kept):
    """ALM-23: battery lost, silent or 1970, 2000, 2106: medium, and basal goes on; it ends with a valid reading."""
    rig.pump.rtc_read(rtc_s, kept)
    assert active_alarms(rig) == ["clock_invalid"] and rig.state == "infusing"
    rig.run(10_000)
    rig.pump.rtc_read(rig.plant.rtc.unix_s(), True)
    assert active_alarms(rig) == []
    rig.plant.rtc.set_unix_s(rtc_s)
    rig.cut(5_000, proven=kept)
    assert "clock_invalid" in active_alarms(rig) and not rig.pump.power_up.report.time_proven


def test_a_clock_that_jumps_is_an_alarm_until_it_is_set(rig):
    """ALM-23: more than 60 s against the monotonic clock."""

    def read():
        rig.run(60_000)
        rig.wake()
        rig.pump.rtc_read(rig.plant.rtc.unix_s(), True)
        return active_alarms(rig)

    assert read() == []
    for jump_s, codes in ((59, []), (62, ["clock_invalid"])):
        rig.plant.rtc.set_unix_s(rig.plant.rtc.unix_s() + jump_s)
        assert read() == codes
        assert read() == codes
    rig.set_clock(1_767_600_000)
    assert read() == []


# --- a prescription between load and confirmation


def test_what_was_given_since_the_load_counts_at_the_confirmation(rig):
    """LIB-06, RX-03: it fits when loaded but not when confirmed: the old one stays in force."""
    tight = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_1h_ug=650)
    assert rig.load(tight) is None
    rig.press()
    rig.run(130_000)
    staged = rig.pump.prescription_change.staged
    rig.hold_start()
    therapy = rig.pump.therapy
    assert staged is not None and rig.pump.prescription_change.staged is None
    assert rig.state == "infusing" and therapy.rx.limit_1h_ug == 800
    assert rig.tape.entries[-1].what == "rx_refused"


def test_a_loaded_prescription_expires(rig):
    """RX-06: after 3 min without confirmation it is dropped; the one in force continues."""
    assert rig.load(RX) is None
    before = rig.pump.therapy.rx
    rig.run(179_000)
    assert rig.pump.prescription_change.staged is not None
    rig.run(2_000)
    rig.hold_start()
    assert rig.pump.therapy.rx is before and rig.state == "infusing"


def test_only_the_start_key_confirms(rig):
    """LIM-14, RX-01, RX-10: not the patient's button, nor another key however long it is held, nor a short press."""
    assert rig.load(RX) is None
    before = rig.pump.therapy.rx
    rig.key("ack", 3000)
    rig.key("start", 1900)
    rig.press(2900)
    assert rig.pump.therapy.rx is before and rig.pump.prescription_change.staged is not None
    rig.hold_start()
    assert rig.pump.therapy.rx is not before and rig.pump.prescription_change.staged is None


def test_the_stop_key_rejects_a_prescription(rig):
    """RX-01: what was loaded and is not wanted is gone at once."""
    assert rig.load(RX) is None
    before = rig.pump.therapy.rx
    rig.key("stop", 100)
    assert rig.pump.prescription_change.staged is None
    rig.hold_start()
    assert rig.pump.therapy.rx is before


# --- filling the line


def made_ready():
    """A pump that may fill its line as soon as its start key is pressed."""
    rig = TherapyRig()
    assert rig.load(RX) is None
    rig.hold_start()
    rig.pump.start_stop.make_ready_to_prime()
    rig.run(1_000)
    return rig


@pytest.mark.parametrize("wait_ms, state", [(170_000, "priming"), (190_000, "stopped")])
def test_a_line_is_filled_by_a_finger_on_the_pump(wait_ms, state):
    """DEL-31, DEL-32, H13: the link makes ready; nothing moves before the key, and it waits 3 min for it."""
    rig = made_ready()
    rig.run(wait_ms)
    assert rig.state == "stopped" and rig.plant.runs == []
    rig.key("start")
    assert rig.state == state


def test_a_changed_line_is_filled_anew():
    """DEL-33: the next line takes as much as the first, and until it is full the pump does not start."""
    rig = made_ready()
    rig.key("start")
    rig.run(4 * MIN_MS)
    assert rig.state == "stopped" and rig.pump.therapy.primed
    first_nl = rig.pump.therapy.ledger.volume_nl(PRIME)
    nl = rig.pump.start_stop.make_ready_to_prime()
    assert rig.pump.therapy.primed  # nothing has begun yet
    rig.run(1_000)
    rig.key("start")
    rig.run(MIN_MS)
    rig.key("stop")
    assert rig.state == "stopped" and not rig.pump.therapy.primed
    assert rig.pump.start_stop.make_ready_to_prime() < nl  # an interrupted filling is continued
    rig.run(1_000)
    rig.key("start")
    rig.run(4 * MIN_MS)
    assert rig.pump.therapy.primed
    assert rig.pump.therapy.ledger.volume_nl(PRIME) == pytest.approx(2 * first_nl, rel=0.001)


@pytest.mark.parametrize("pa", [-310, 310, 1_300])
def test_a_line_with_the_pressure_of_a_patient_is_not_filled(pa):
    """H13: an open line is at the pressure of the air, to 0.3 kPa."""
    rig = made_ready()
    rig.plant.pressure.pa = pa
    rig.run(6_000)
    with pytest.raises(Refused) as refused:
        rig.pump.start_stop.make_ready_to_prime()
    assert refused.value.code == "prime_connected"
    rig.key("start")  # what waited before is refused as well
    assert rig.state == "stopped" and rig.plant.runs == []


@pytest.mark.parametrize(("rise_pa", "state"), [(130, "priming"), (300, "priming"), (420, "stopped"), (530, "stopped")])
def test_a_line_that_is_on_the_catheter_is_found_by_a_slow_beginning(rise_pa, state):
    """H13: within 50 uL, whatever the pressure before; the line then counts as not filled."""
    rig = made_ready()
    rig.key("start")
    rig.plant.pressure.pa += rise_pa - 130  # which the flow of 1 mL/h makes in the line itself
    rig.run(100_000)  # at 1 mL/h: 10 uL, and the lash of a 50 mL syringe, 13.4 uL
    assert rig.state == state
    assert rig.plant.position() * 140 < 50_000 or state == "priming"
    if state == "stopped":
        assert not rig.pump.therapy.primed
        assert rig.pump.therapy.confirmation.refused == "prime_connected"


def let_the_probe_end(rig):
    """The slow beginning is over; from then on only the limit of pressure ends the filling."""
    while rig.plant.position() * rig.pump.therapy.ledger.pl_step < 26_000_000:
        rig.run(100)


@pytest.mark.parametrize("risen_pa, state", [(19_900, "priming"), (20_100, "alarm")])
def test_filling_goes_on_to_the_limit_of_pressure(risen_pa, state):
    """H13: 20 kPa more than at the start; risen in steps that the sensor's check believes, after the probe."""
    rig = made_ready()
    rig.key("start")
    let_the_probe_end(rig)
    start_pa = rig.plant.pressure.pa
    for n in range(1, 101):
        rig.plant.pressure.pa = start_pa + (risen_pa - 1_300) * n // 100  # the flow of 10 mL/h makes 1.3 kPa
        rig.run(100)
    rig.run(1_000)
    assert rig.state == state


def test_filling_ends_when_pressure_rises():
    """H13: an open line builds no pressure; 20 kPa more than at the start is a HIGH alarm, within 50 uL."""
    rig = made_ready()
    rig.key("start")
    let_the_probe_end(rig)
    begun = rig.plant.position()
    for _ in range(200):
        rig.plant.pressure.pa += 250
        rig.run(100)
    assert rig.state == "alarm" and active_alarms(rig) == ["occlusion_downstream"]
    assert not rig.pump.therapy.primed and (rig.plant.position() - begun) * 140 < 50_000


# --- faults


def test_a_failed_self_test_starts_nothing():
    """POST-02: HIGH, logged with the part that failed; a prescription is refused with the reason."""
    rig = TherapyRig()
    rig.pump.power_up.self_tested(2)
    assert rig.state == "alarm" and active_alarms(rig) == ["self_test"]
    assert rig.tape.entries[-1].what == "state"
    assert {"passed": 0, "failed_driver": 2} in [entry.payload for entry in rig.tape.entries]
    assert rig.prescribe(RX) == "self_test"
    rig.key("start")
    assert rig.state == "alarm" and rig.plant.runs == []


def test_a_syringe_that_is_not_gripped_stops(rig):
    """ALM-09: at once, and gripped again it takes a refill and a prescription to go on."""
    rig.run(MIN_MS)
    before = rig.plant.position()
    rig.contact(SYRINGE, 1)
    rig.run(MIN_MS)
    assert rig.state == "alarm" and active_alarms(rig) == ["syringe"] and rig.plant.position() == before
    rig.contact(SYRINGE, 0)
    rig.key("start")
    assert rig.state == "alarm"
    assert rig.prescribe(RX) is None
    assert rig.state == "stopped" and rig.pump.start_stop.blocked_by() == "unnamed"
    assert refill(rig, 49_000, None, "test-fluid", 1000, "bd-50") is None
    rig.key("start")
    assert rig.state == "infusing" and active_alarms(rig) == []


def test_a_failed_log_stops_after_the_running_bolus(rig):
    """ALM-22, LOG-12: the bolus that runs is finished, no other begins, then the pump stops."""
    rig.press()
    therapy, promised = rig.pump.therapy, rig.pump.therapy.pca.usteps
    with patch.object(rig.tape, "append", side_effect=OSError):
        rig.press()  # its record cannot be written
        assert rig.state == "bolus" and active_alarms(rig) == ["log_failed"] and therapy.alarms.blocks_bolus()
        rig.run(3 * MIN_MS)
    assert rig.state == "alarm" and therapy.ledger.usteps[PCA] == promised
    rig.key("start")
    assert rig.state == "alarm"


def test_a_long_pause_is_an_alarm(rig):
    """ALM-20: 10 min after a stop; nothing starts by itself, and the start ends the alarm."""
    rig.key("stop")
    rig.run(9 * MIN_MS)
    assert active_alarms(rig) == []
    rig.run(2 * MIN_MS)
    assert active_alarms(rig) == ["paused_long"] and rig.state == "stopped"
    rig.key("start")
    assert active_alarms(rig) == [] and rig.state == "infusing"


@pytest.mark.parametrize("pause_ms, reason", [(20 * MIN_MS, "lockout"), (40 * MIN_MS, None)])
def test_a_lockout_runs_on_while_the_pump_is_stopped(rig, pause_ms, reason):
    """LIM-28, LIM-27: in real time from the end of the bolus, however long the pause."""
    rig.press()
    rig.run(3 * MIN_MS)
    rig.key("stop")
    rig.run(pause_ms)
    rig.key("start")
    rig.press()
    assert last_reason(rig) == reason


# --- the reservoir


def refill(rig, *words):
    """Code with which a refill is refused; None if it is accepted."""
    try:
        rig.pump.clinician_actions.refill(*words)
    except Refused as refused:
        return refused.code
    return None


def test_a_refill_with_another_fluid_is_refused(rig):
    """H04, ITH-01: drug and strength of the container are those of the prescription, or nothing changes."""
    assert refill(rig, 50_000, None, "test-fluid", 1000, "bd-50") == "refill_while_infusing"
    rig.key("stop")
    before = rig.remaining_nl()
    assert refill(rig, 50_000, None, "morphine", 1000, "bd-50") == "refill_fluid"
    assert refill(rig, 50_000, None, "test-fluid", 500, "bd-50") == "refill_fluid"
    assert refill(rig, 50_001, None, "test-fluid", 1000, "bd-50") == "refill_volume"
    assert rig.remaining_nl() == before
    assert refill(rig, 50_000, None, "test-fluid", 1000, "bd-50") is None
    assert rig.remaining_nl() == 50_000_000


@pytest.mark.parametrize("off_ul, alarmed", [(2400, False), (2600, True), (-2400, False), (-2600, True)])
def test_the_returned_volume_is_compared(rig, off_ul, alarmed):
    """H17, RES-08, ALM-29: by more than 5 % of 49.7 mL, either way; START waits for an acknowledgement."""
    rig.key("stop")
    returned_ul = rig.remaining_nl() // 1000 + off_ul
    assert refill(rig, 50_000, returned_ul, "test-fluid", 1000, "bd-50") is None
    assert active_alarms(rig) == (["refill"] if alarmed else [])
    rig.key("start")
    assert rig.state == ("stopped" if alarmed else "infusing")
    rig.key("ack")
    rig.key("start")
    assert rig.state == "infusing" and active_alarms(rig) == []


@pytest.mark.parametrize("off_ul, alarmed", [(90, False), (110, True), (-90, False), (-110, True)])
def test_the_returned_volume_of_a_small_syringe(off_ul, alarmed):
    """RES-08, H17: of what is left of 1.5 mL, 0.1 mL is more than 5 %."""
    rig = TherapyRig(fill_ul=1_500, syringe="bd-5")
    rig.prescribe(RX)
    rig.key("stop")
    returned_ul = rig.remaining_nl() // 1000 + off_ul
    assert refill(rig, 5_000, returned_ul, "test-fluid", 1000, "bd-5") is None
    assert active_alarms(rig) == (["refill"] if alarmed else [])


def pause_and_resume(rig, refill_too=False):
    rig.key("stop")
    if refill_too:
        assert refill(rig, 50_000, None, "test-fluid", 1000, "bd-50") is None
    rig.key("start")


def test_a_refill_is_no_stop_key(rig):
    """ALM-19: three refills in ten minutes end no therapy; the stop keys beside them count as before."""
    for _ in range(3):
        pause_and_resume(rig, refill_too=True)
        rig.run(MIN_MS)
    assert rig.state == "infusing" and active_alarms(rig) == []
    pause_and_resume(rig)
    pause_and_resume(rig, refill_too=True)
    pause_and_resume(rig)
    assert rig.state == "infusing" and active_alarms(rig) == []
    rig.key("stop")
    assert rig.state == "alarm" and active_alarms(rig) == ["repeat_stops"]


@pytest.mark.parametrize("third_ms, is_alarm", [(600_000, True), (600_001, False)])
def test_the_third_stop_counts_to_the_millisecond(rig, third_ms, is_alarm):
    """ALM-19: exactly 600.0 s after the first is within the window, a millisecond later is not."""
    first_ms = rig.plant.now_ms
    rig.key("stop")
    rig.key("start")
    rig.run_until(first_ms + 300_000)
    rig.key("stop")
    rig.key("start")
    rig.run_until(first_ms + third_ms)
    rig.key("stop")
    assert (active_alarms(rig) == ["repeat_stops"]) == is_alarm


def test_stop_keys_count_over_a_power_cut_and_a_restart(rig):
    """ALM-19: a power cut and a new prescription clear no count."""
    for lead_on in (lambda: rig.cut(5_000), lambda: None):
        rig.run(MIN_MS)
        rig.key("stop")
        lead_on()
        rig.prescribe(RX)
        assert rig.state == "infusing"
    rig.run(MIN_MS)
    rig.key("stop")
    assert rig.state == "alarm" and active_alarms(rig) == ["repeat_stops"]


@pytest.mark.parametrize("never_started", [False, True])
def test_a_therapy_that_stands_after_a_power_cut_is_an_alarm(never_started):
    """ALM-20: whatever the reason; the time before the power cut does not count, an ended therapy is none."""
    rig = TherapyRig()
    rig.prescribe(RX)
    if never_started:
        assert rig.load(RX) is None
        rig.hold_start()
    else:
        rig.key("stop")
    rig.run(9 * MIN_MS)
    assert active_alarms(rig) == []
    rig.cut(5_000)
    rig.run(9 * MIN_MS)
    assert active_alarms(rig) == []
    rig.run(2 * MIN_MS)
    assert active_alarms(rig) == ["paused_long"] and rig.state == "stopped"
    rig.cancel()
    rig.run(20 * MIN_MS)
    assert active_alarms(rig) == []
    rig.cut(5_000)
    rig.run(20 * MIN_MS)
    assert active_alarms(rig) == []


def test_an_alarm_that_was_seen_and_is_over_counts_as_a_pause(rig):
    """ALM-20: until it is acknowledged it sounds itself."""
    rig.pump.therapy.alarms.occur(alarm.STALL)
    rig.run(20 * MIN_MS)
    assert active_alarms(rig) == ["stall"]
    rig.key("ack")
    rig.run(9 * MIN_MS)
    assert active_alarms(rig) == ["stall"]
    rig.run(2 * MIN_MS)
    assert active_alarms(rig) == ["stall", "paused_long"]


# --- a press is judged again at the start of its bolus


def test_a_press_held_over_a_clinicians_bolus_obeys_the_limits(rig):
    """LIM-07, DEL-09: the order is given between contact and release, and takes what the limit had left."""
    rig.order(150, 120)
    rig.run(SEEN_MS)
    rig.contact(START, 0)
    rig.run(100)
    rig.contact(PCA_NO, 0)
    rig.contact(PCA_NC, 1)
    rig.run(100)
    rig.contact(START, 1)
    rig.run(500)
    assert rig.state == "bolus"
    rig.contact(PCA_NO, 1)
    rig.contact(PCA_NC, 0)
    rig.run(60)
    assert last_reason(rig) == "limit_1h"


def test_a_press_held_over_the_end_of_a_bolus_obeys_its_lockout(rig):
    """LIM-01: a clinician's bolus that is stopped between contact and release starts a full lockout."""
    rig.clinician_bolus(100, 600)
    rig.contact(PCA_NO, 0)
    rig.contact(PCA_NC, 1)
    rig.run(100)
    rig.key("stop")
    rig.key("start")
    rig.contact(PCA_NO, 1)
    rig.contact(PCA_NC, 0)
    rig.run(60)
    assert last_reason(rig) == "lockout" and rig.state == "infusing"


# --- a step generator that does not answer


@pytest.mark.parametrize("press", [False, True])
def test_a_grant_that_never_ends_stops_the_pump(rig, press):
    """ALM-12: within a second after its end; all of it is booked."""
    if press:
        rig.press()
    rig.run(5_000)
    while not rig.in_flight():
        rig.run(100)
    rig.plant.steps.busy = lambda: True
    rig.run(12_000)
    assert rig.state == "alarm" and "second_channel" in active_alarms(rig) and not rig.in_flight()
    assert rig.booked_usteps() >= rig.plant.position()
    rig.key("ack")
    rig.key("start")
    assert rig.state == "alarm"


def test_a_back_off_ends_with_a_step_generator_that_does_not_answer(rig):
    """ALM-12, OCC-05: no relief runs after second_channel; what was not surely drawn back is not credited."""
    while rig.state != "alarm":  # to the absolute limit, and it stays there
        rig.plant.pressure.pa += 50
        rig.run(50)
    for _ in range(2_000):
        rig.run(50)
        if rig.pump.relief.active and rig.in_flight():
            break
    assert rig.pump.relief.active
    rig.plant.steps.busy = lambda: True
    rig.run(15_000)
    assert not rig.pump.relief.active and not rig.in_flight()
    assert rig.state == "alarm" and "second_channel" in active_alarms(rig)


# --- edges that were lost


def resync(rig, levels=None, lost_stops=()):
    """Edges came faster than the loop took them: the present levels, and which contacts lost an edge that stops."""
    for contact in range(CONTACTS):
        level = (levels or {}).get(contact, rig.plant.contacts.levels[contact])
        rig.pump.front_panel.resync(contact, level, contact in lost_stops)
    rig.wake()


def test_a_stop_key_whose_edges_were_all_lost_stops(rig):
    """ALS-13, DEL-18: pressed and released while a chattering cord filled the ring."""
    resync(rig, lost_stops=(STOP_KEY,))
    assert rig.state == "stopped" and rig.last("key").payload["key"] == Keys.STOP


def test_a_stop_key_whose_release_was_lost_stops(rig):
    """ALS-13: its press had been handed over, and was not yet decided."""
    clock = rig.pump.therapy.clock
    rig.pump.front_panel.edge(STOP_KEY, 0, clock.s, clock.ms)
    resync(rig)
    assert rig.state == "stopped"


def test_a_stop_key_that_is_down_stops_once(rig):
    """ALS-13: its press was lost, and it is down still; the release gives no second stop."""
    resync(rig, levels={STOP_KEY: 0})
    assert rig.state == "stopped"
    rig.plant.contacts.levels[STOP_KEY] = 0
    rig.run(1_000)
    rig.contact(STOP_KEY, 1)
    rig.run(1_000)
    rig.key("start")
    assert rig.state == "infusing"
    assert len([entry for entry in rig.tape.entries if entry.what == "key" and entry.payload["key"] == Keys.STOP]) == 1


def test_lost_edges_of_other_contacts_stop_nothing(rig):
    resync(rig)
    rig.run(1_000)
    assert rig.state == "infusing" and active_alarms(rig) == []


def test_a_clamp_that_was_opened_and_closed_unseen_needs_a_refill(rig):
    """H04: another syringe may be in it; nobody needs a prescription for the one that is prescribed."""
    rig.key("stop")
    resync(rig, lost_stops=(SYRINGE,))
    rig.key("start")
    assert rig.state == "stopped" and rig.pump.start_stop.blocked_by() == "unnamed"
    rig.cut(5_000)
    assert rig.pump.therapy.fluids.unnamed
    rig.prescribe(RX)
    assert rig.pump.start_stop.blocked_by() == "unnamed"
    assert refill(rig, 49_000, None, "test-fluid", 1000, "bd-50") is None
    rig.key("start")
    assert rig.state == "infusing"


def test_stop_finds_its_place_in_a_full_queue_of_keys():
    """ALS-13: the loop was busy for so long that eight key events wait."""
    keys = Keys()
    for k in range(12):
        keys.edge(ACK_KEY, 0, k, 0)
        keys.edge(ACK_KEY, 1, k, 100)
        keys.poll(k, 200)
    keys.edge(STOP_KEY, 0, 20, 0)
    keys.poll(20, 100)
    taken = [keys.take() for _ in range(keys.queued)]
    assert len(taken) == 8 and taken[-1] == Keys.STOP


# --- a jump of the rotor


def test_a_jump_of_the_rotor_is_booked_once(rig):
    """RPL-04, H27: the power-up that finds it writes account and new reference together."""
    rig.cut(5_000)
    read = rig.plant.encoder.read
    rig.plant.encoder.read = lambda: (read() + 40) % 4096  # 31 usteps forward
    booked = []
    for _ in range(3):
        rig.cut(5_000)
        booked.append(rig.pump.therapy.ledger.usteps[EXCESS])
    assert booked[0] > 0 and booked == [booked[0]] * 3


def test_a_bolus_that_the_syringe_no_longer_holds_is_refused_whole():
    """LIM-16, DEL-09: the bolus and 0.5 mL of guard have to be there."""
    rig = TherapyRig(fill_ul=1_000)
    rig.prescribe(RX)
    while rig.remaining_nl() > 600_000:
        rig.run(10_000)
    before = rig.pump.therapy.ledger.usteps[PCA]
    rig.press()
    assert last_reason(rig) == "reservoir" and rig.state == "infusing"
    rig.run(MIN_MS)
    assert rig.pump.therapy.ledger.usteps[PCA] == before


def test_records_add_up_to_the_ledger(rig):
    """LOG-14: boluses and stretches of basal in the log are what the ledger holds, to the microstep."""
    rig.press()
    rig.run(30_000)
    rig.key("stop")
    rig.key("start")
    rig.run(HOUR_MS)
    rig.press()
    rig.run(3 * HOUR_MS)
    rig.clinician_bolus(50, 300)
    rig.run(10 * MIN_MS)
    rig.key("stop")
    logged = [0, 0, 0]
    for entry in rig.tape.entries:
        if entry.what == "basal_segment":
            logged[BASAL] += entry.payload["usteps"]
        elif entry.what == "bolus_end":
            logged[(None, PCA, CLINICIAN)[entry.payload["kind"]]] += entry.payload["usteps"]
    assert logged == rig.pump.therapy.ledger.usteps[:3] and min(logged) > 0


# --- the display


def test_the_display_shows_what_runs(rig):
    """DEL-35, LIM-11: state, drug, flow, total and the time to the next bolus; and that this is no medical device."""
    screen = Screen(rig.pump, {"board": "b", "build": "1", "drivers": ()})

    def rows():
        shown = screen.rows()
        assert len(shown) == 8 and all(len(row) == WIDTH for row in shown)
        return [row.strip() for row in shown]

    assert rows()[0] == "INFUSING   BENCH" and rows()[1] == "TEST FLUID" and rows()[3] == "0.600 mL/h"
    assert rows()[5] == "bolus ready" and rows()[7] == NOT_A_DEVICE
    rig.press()
    rig.run(3 * MIN_MS)
    assert rows()[4].startswith("total 13") and rows()[5] == "bolus 30 min"
    rig.press()
    assert rows()[6] == "no: lockout"
    rig.door(True)
    assert rows()[0] == "ALARM      BENCH" and rows()[6] == "!door"
    assert rows()[3].startswith("total 1") and rows()[4:6] == ["door is open:", "close it"]


def blocked(rig):
    """Code of what keeps START from the infusion; checks that START does nothing if there is one, and only then."""
    code = rig.pump.start_stop.blocked_by()
    screen = Screen(rig.pump, {"board": "b", "build": "1", "drivers": ()})
    if rig.pump.therapy.rx:
        assert (
            tuple(row.strip() for row in screen.rows()[4:6])[: 2 if code else 1]
            == start_blocked(code)[: 2 if code else 1]
        )
    rig.key("start")
    assert (rig.state == "infusing") == (code is None)
    return code


def test_the_display_says_why_start_does_nothing():
    """ALM-20, RES-08: each reason, one after the other, until nothing keeps START from the infusion."""
    rig = TherapyRig()
    assert blocked(rig) == "no_prescription"
    assert rig.load(RX) is None
    rig.hold_start()
    assert blocked(rig) == "line"
    rig.prime()
    while not rig.pump.therapy.primed:
        rig.run(1_000)
    rig.contact(STOP_KEY, 0)
    assert rig.pump.start_stop.blocked_by() == "stop_key"
    rig.run(10_100)
    assert rig.pump.start_stop.blocked_by() == "key_stuck"
    rig.contact(STOP_KEY, 1)
    rig.run(5_000)
    rig.door(True)
    assert blocked(rig) == "door"
    rig.door(False)
    rig.pump.therapy.alarms.occur(alarm.REFILL)
    assert blocked(rig) == "refill"
    rig.key("ack")
    assert blocked(rig) is None
    rig.pump.therapy.alarms.occur(alarm.STALL)
    rig.wake()
    assert blocked(rig) == "alarm"
    rig.key("ack")
    assert blocked(rig) == "prescription"
    rig.contact(SYRINGE, 1)
    rig.run(31)
    assert blocked(rig) == "clamp"
    rig.contact(SYRINGE, 0)
    rig.run(31)
    rig.prescribe(RX)
    assert blocked(rig) == "unnamed"
    rig.prescribe(replace(RX, concentration_ug_per_ml=500))
    assert blocked(rig) == "exchange"
    rig.prescribe(RX)
    assert refill(rig, 49_000, None, "test-fluid", 1000, "bd-50") is None
    assert blocked(rig) is None
    rig.key("stop")
    rig.pump.therapy.reservoir.fill(100_000)
    rig.pump.prescription_change.set_reservoir_thresholds()
    assert blocked(rig) == "empty"


def test_every_reason_has_its_words():
    """ALM-20: a code that blocks START without a text would leave the person alone."""
    source = Path(start_stop.__file__).read_text().partition("# -- priming")[0]
    codes = set(re.findall(r'(?:return|else|\() ?"([a-z_]+)"(?: if keys| else|\n|\))', source))
    assert {"no_prescription", "door", "stop_key", "line"} <= codes
    words = {code: rows for code, *rows in START_BLOCKED}
    assert codes <= set(words)
    assert all(1 <= len(row) <= WIDTH for rows in words.values() for row in rows)


@pytest.mark.parametrize("contact", [DOOR, SYRINGE])
def test_a_bounce_of_door_or_clamp_costs_nothing(contact):
    """ALM-08, H35: 2 ms raise nothing, ask for no prescription, and lose no volume; booked is what was made."""
    made = []
    for bounced_ms in (0, 2):
        rig = infusing_rig(UNLIMITED_RX)
        rig.press()
        for _ in range(60):
            rig.run(997)
            if bounced_ms:
                rig.contact(contact, 1)
            rig.run(2)
            rig.contact(contact, 0)
        assert active_alarms(rig) == [] and not rig.pump.therapy.needs_rx and rig.state == "bolus"
        rig.run(120_000)
        rig.key("stop")
        assert rig.booked_usteps() == rig.plant.position()
        made.append(rig.plant.position())
    assert abs(made[1] - made[0]) <= 1


@pytest.mark.parametrize("contact, code", [(DOOR, "door"), (SYRINGE, "syringe")])
def test_an_opening_stops_at_once_and_alarms_within_a_second(rig, contact, code):
    """ALM-08, RES-02: no ustep after the edge, the alarm 30 ms later; the clamp asks for a new prescription."""
    rig.press()
    rig.run(5_000)
    rig.contact(contact, 1)
    at = rig.plant.position()
    rig.run(31)
    assert active_alarms(rig) == [code] and rig.state == "alarm"
    rig.run(1_000)
    assert rig.plant.position() == at == rig.booked_usteps()
    assert rig.pump.therapy.needs_rx == (contact == SYRINGE)


@pytest.mark.parametrize("stops", [True, False])
def test_a_refill_after_which_nobody_starts_is_noticed(rig, stops):
    """ALM-20: stop, clamp, swap, clamp, told; ten minutes after the pump came to rest, whoever stopped it."""
    if stops:
        rig.key("stop")
    stopped_s = rig.pump.therapy.clock.s
    for level in (1, 0):
        rig.contact(SYRINGE, level)
        rig.run(20_000)
    if not stops:
        rig.key("ack")
        stopped_s = rig.pump.therapy.clock.s
    rig.pump.clinician_actions.refill(50_000, None, "test-fluid", RX.concentration_ug_per_ml, "bd-50")
    rig.run((stopped_s + 595 - rig.pump.therapy.clock.s) * 1000)
    assert "paused_long" not in active_alarms(rig)
    rig.run(8_000)
    assert "paused_long" in active_alarms(rig)


@pytest.mark.parametrize("off_by_s, counts", [(-121, False), (-119, True), (119, True), (121, False)])
def test_time_off_counts_once_the_signed_time_agrees(rig, off_by_s, counts):
    """TIM-04, LIM-03: within 2 min of the clock chip; no log-on counts it twice, and none while the pump infuses."""
    rig.press()
    rig.run(3 * MIN_MS)
    rig.cut(6 * HOUR_MS)
    assert rig.pump.power_up.report.unproven_off_s > 21_000
    before_s = rig.pump.therapy.clock.s
    for _ in range(2):
        rig.pump.access.signed_utc_s = rig.plant.rtc.unix_s() + off_by_s
        rig.pump.time_signed()
    leapt_s = rig.pump.therapy.clock.s - before_s
    assert (21_590 <= leapt_s <= 21_610) if counts else leapt_s == 0
    rig.prescribe(RX)
    rig.press()
    assert last_reason(rig) == (None if counts else "lockout")


def test_time_off_is_not_counted_while_the_pump_infuses(rig):
    """TIM-04: the schedule runs by the monotonic time; the next log-on at rest counts it."""
    rig.press()
    rig.run(3 * MIN_MS)
    rig.cut(6 * HOUR_MS)
    rig.prescribe(RX)
    before_s = rig.pump.therapy.clock.s
    rig.pump.access.signed_utc_s = rig.plant.rtc.unix_s()
    rig.pump.time_signed()
    assert rig.pump.therapy.clock.s == before_s
    rig.key("stop")
    rig.pump.time_signed()
    assert rig.pump.therapy.clock.s >= before_s + 21_000
