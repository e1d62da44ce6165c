"""Single rules of the pump core, on the ideal machine of the rig: what needs no world and no model beside it."""

from unittest.mock import patch

import pytest
from pump import alarms as alarm
from pump.journal import BOLUS_BASE, PULSE_BASE, RX_BASE, STATE_BASE
from pump.ledger import BASAL, CLINICIAN, PCA
from pump.pump import RESET_WATCHDOG
from pump.refusal import Refused
from pump.screen import NOT_A_DEVICE, WIDTH, Screen

from model.plant import SYRINGE
from model.reference import DAY_MS, HOUR_MS, Prescription
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


def active(rig):
    return rig.pump.core.alarms.active_codes()


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
def test_a_pump_that_forgot_gives_no_bolus_for_a_day(rig, base, size):
    """LIM-19, RX-08, H30, ALM-26: both slots damaged at once. HIGH, and no bolus for 24 h, whatever is prescribed."""
    rig.press()
    rig.run(10 * MIN_MS)
    for at in range(base, base + size):
        rig.plant.fram.cells[at] ^= 0x5A
    rig.cut(60_000)
    assert rig.state == "alarm" and "config" in active(rig)
    rig.prescribe(RX)
    assert rig.state == "infusing" and active(rig) == []
    rig.press()
    assert last_reason(rig) == "lockout"
    rig.run(DAY_MS - 3 * MIN_MS)
    rig.press()
    assert last_reason(rig) == "lockout"
    rig.run(4 * MIN_MS)
    rig.press()
    assert last_reason(rig) is None


def test_a_new_pump_has_nothing_to_forget():
    """Blank memory is a new pump, no lost one: no alarm, and the first bolus needs no day."""
    rig = Rig()
    assert rig.state == "stopped" and active(rig) == []
    rig.prescribe(RX)
    rig.press()
    assert last_reason(rig) is None


def test_a_watchdog_reset_while_infusing_stays_stopped(rig):
    """WDG-10, RPL-01: a HIGH alarm that stops; the start key alone leads nowhere."""
    rig.run(MIN_MS)
    with patch("model.rig.RESET_POWER", RESET_WATCHDOG):
        rig.cut(100)
    core = rig.pump.core
    assert rig.state == "alarm" and active(rig) == ["unexpected_reset"]
    assert core.alarms.highest() == alarm.HIGH and core.alarms.stops()
    rig.key("start")
    assert rig.state == "alarm"


@pytest.mark.parametrize("off_by_s, proven", [(0, True), (600, False), (-600, False)])
def test_a_clock_that_disagrees_proves_nothing(rig, off_by_s, proven):
    """TIM-04, LIM-03: the RTC is compared with the monotonic clock; one that was set makes the lockout start anew."""
    rig.press()
    rig.run(3 * MIN_MS)
    rig.pump.tell_rtc(rig.plant.rtc.unix_s() + off_by_s)
    rig.run(MIN_MS)
    rig.cut(10 * MIN_MS)
    assert rig.pump.report.time_proven is proven
    rig.prescribe(RX)
    rig.run(20 * MIN_MS)
    rig.press()
    assert last_reason(rig) == (None if proven else "lockout")


# --- a prescription between load and confirmation


def test_what_was_given_since_the_load_counts_at_the_confirmation(rig):
    """LIB-06, RX-03: loaded while it fitted, no longer when it is confirmed: the old one goes on."""
    tight = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_1h_ug=650)
    assert rig.load(tight) is None
    rig.press()
    rig.run(130_000)
    staged = rig.pump.intake.staged
    rig.key("start", 2500)
    core = rig.pump.core
    assert staged is not None and rig.pump.intake.staged is None
    assert rig.state == "infusing" and core.rx.limit_1h_ug == 800
    assert rig.tape.entries[-1].what == "rx_refused"


def test_a_loaded_prescription_does_not_wait_for_ever(rig):
    """RX-06: after 3 min without confirmation it is gone; the one in force goes on."""
    assert rig.load(RX) is None
    before = rig.pump.core.rx
    rig.run(179_000)
    assert rig.pump.intake.staged is not None
    rig.run(2_000)
    rig.key("start", 2500)
    assert rig.pump.core.rx is before and rig.state == "infusing"


def test_only_the_start_key_confirms(rig):
    """LIM-14, RX-01, RX-10: not the patient's button, nor another key however long it is held, nor a short press."""
    assert rig.load(RX) is None
    before = rig.pump.core.rx
    rig.key("ack", 3000)
    rig.key("start", 1900)
    rig.press(2900)
    assert rig.pump.core.rx is before and rig.pump.intake.staged is not None
    rig.key("start", 2500)
    assert rig.pump.core.rx is not before and rig.pump.intake.staged is None


def test_the_stop_key_says_no(rig):
    """RX-01: what was loaded and is not wanted is gone at once."""
    assert rig.load(RX) is None
    before = rig.pump.core.rx
    rig.key("stop", 100)
    assert rig.pump.intake.staged is None
    rig.key("start", 2500)
    assert rig.pump.core.rx is before


# --- filling the line


def made_ready():
    """A pump that may fill its line as soon as its start key is pressed."""
    rig = Rig()
    assert rig.load(RX) is None
    rig.key("start", 2500)
    rig.pump.prime()
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


def test_a_line_is_filled_once():
    """DEL-33: a full line is not filled again."""
    rig = made_ready()
    rig.key("start")
    rig.run(3 * MIN_MS)
    assert rig.state == "stopped" and rig.pump.core.primed
    with pytest.raises(Refused) as refused:
        rig.pump.prime()
    assert refused.value.code == "prime_done"


def test_filling_ends_when_pressure_rises():
    """H13: an open end lets go; 20 kPa more than at the start is a HIGH alarm, within 50 uL."""
    rig = made_ready()
    rig.key("start")
    for _ in range(100):
        rig.plant.pressure.pa += 250
        rig.run(100)
    assert rig.state == "alarm" and active(rig) == ["occlusion_downstream"]
    assert not rig.pump.core.primed and rig.plant.position() * 140 < 50_000


# --- faults


def test_a_failed_self_test_starts_nothing():
    """POST-02: HIGH, logged with the part that failed; a prescription is refused with the reason."""
    rig = Rig()
    rig.pump.self_tested(2)
    assert rig.state == "alarm" and active(rig) == ["self_test"]
    assert rig.tape.entries[-1].what == "state"
    assert {"passed": 0, "failed_driver": 2} in [entry.payload for entry in rig.tape.entries]
    assert rig.prescribe(RX) == "self_test"
    rig.key("start")
    assert rig.state == "alarm" and rig.plant.runs == []


def test_a_syringe_that_is_not_gripped_stops(rig):
    """ALM-09: at once, and gripped again it takes a prescription to go on."""
    rig.run(MIN_MS)
    before = rig.plant.position()
    rig.contact(SYRINGE, 1)
    rig.run(MIN_MS)
    assert rig.state == "alarm" and active(rig) == ["syringe"] and rig.plant.position() == before
    rig.contact(SYRINGE, 0)
    rig.key("start")
    assert rig.state == "alarm"
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing" and active(rig) == []


def test_a_log_that_fails_ends_with_the_bolus_that_runs(rig):
    """ALM-22, LOG-12: the bolus that runs is finished, no other begins, then the pump stops."""
    rig.press()
    core, promised = rig.pump.core, rig.pump.core.pca.usteps
    with patch.object(rig.tape, "append", side_effect=OSError):
        rig.press()  # its record cannot be written
        assert rig.state == "bolus" and active(rig) == ["log_failed"] and core.alarms.blocks_bolus()
        rig.run(3 * MIN_MS)
    assert rig.state == "alarm" and core.ledger.usteps[PCA] == promised
    rig.key("start")
    assert rig.state == "alarm"


def test_a_long_pause_is_told(rig):
    """ALM-20: 10 min after a stop; nothing starts by itself, and the start ends the alarm."""
    rig.key("stop")
    rig.run(9 * MIN_MS)
    assert active(rig) == []
    rig.run(2 * MIN_MS)
    assert active(rig) == ["paused_long"] and rig.state == "stopped"
    rig.key("start")
    assert active(rig) == [] and rig.state == "infusing"


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
        rig.pump.intake.refill(*words)
    except Refused as refused:
        return refused.code
    return None


def test_a_refill_with_another_fluid_is_refused(rig):
    """H04, ITH-01: drug and strength of the container are those of the prescription, or nothing changes."""
    assert refill(rig, 50_000, None, "test-fluid", 1000) == "refill_while_infusing"
    rig.key("stop")
    before = rig.remaining_nl()
    assert refill(rig, 50_000, None, "morphine", 1000) == "refill_fluid"
    assert refill(rig, 50_000, None, "test-fluid", 500) == "refill_fluid"
    assert refill(rig, 50_001, None, "test-fluid", 1000) == "refill_volume"
    assert rig.remaining_nl() == before
    assert refill(rig, 50_000, None, "test-fluid", 1000) is None
    assert rig.remaining_nl() == 50_000_000


@pytest.mark.parametrize("off_ul, alarmed", [(2400, False), (2600, True), (-2400, False), (-2600, True)])
def test_the_returned_volume_is_compared(rig, off_ul, alarmed):
    """H17, RES-08, ALM-29: by more than 5 % of 49.7 mL, either way, and only a new prescription leads on."""
    rig.key("stop")
    returned_ul = rig.remaining_nl() // 1000 + off_ul
    assert refill(rig, 50_000, returned_ul, "test-fluid", 1000) is None
    assert active(rig) == (["refill"] if alarmed else [])
    rig.key("start")
    assert rig.state == ("stopped" if alarmed else "infusing")


def test_a_bolus_that_the_syringe_no_longer_holds_is_refused_whole():
    """LIM-16, DEL-09: the bolus and 0.5 mL of guard have to be there."""
    rig = Rig(fill_ul=1_000)
    rig.prescribe(RX)
    while rig.remaining_nl() > 600_000:
        rig.run(10_000)
    before = rig.pump.core.ledger.usteps[PCA]
    rig.press()
    assert last_reason(rig) == "reservoir" and rig.state == "infusing"
    rig.run(MIN_MS)
    assert rig.pump.core.ledger.usteps[PCA] == before


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
    assert logged == rig.pump.core.ledger.usteps[:3] and min(logged) > 0


# --- the display


def test_the_display_says_what_runs(rig):
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
    assert rows()[0] == "ALARM      BENCH" and rows()[3] == "0.000 mL/h" and rows()[6] == "!door"
