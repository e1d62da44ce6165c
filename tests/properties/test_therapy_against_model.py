"""The pump core against the reference model: for any actions in any order, each decision is that of
the model.

Every rule is something that a patient, a clinician or the mains may do. The checker compares each
decision, reason and next time with the model, and holds the true books; see there for what is checked.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.therapy.ideal_plant import DOOR
from support.therapy.record_checker import INFUSING, RecordChecker
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

MIN_MS = 60_000
HOUR_MS = 60 * MIN_MS

BASALS = st.sampled_from([0, 700, 2_400, 14_400, 48_000])
BOLUSES = st.sampled_from([50, 100, 333, 50, 100, 1, 0])
DURATIONS_S = st.sampled_from([30, 120, 600, 1])
LOCKOUTS_S = st.sampled_from([60, 300, 1_800])
COUNTS = st.sampled_from([None, 4, None, 2, 1])
ROOMS = st.sampled_from([None, 6, 4, None, 3, 2, 1, 0])  # boluses that a limit leaves room for
ORDERS_UG, ORDERS_S = st.sampled_from([20, 100, 250, 5]), st.sampled_from([1, 120, 1_200, 7_200])
FINGERS_MS = st.sampled_from([60, 200, 900, 2_900])
SHORT_MS = st.integers(1, 5_000)
LONG_MS = st.integers(1, 20 * MIN_MS) | st.sampled_from([MIN_MS, 30 * MIN_MS, HOUR_MS, 4 * HOUR_MS])
OFF_MS = st.integers(100, 20_000) | st.sampled_from([MIN_MS, HOUR_MS, 6 * HOUR_MS])


@st.composite
def prescriptions(draw):
    """Prescriptions of test-fluid whose basal alone fits; limits leave room for some boluses above it."""
    basal, bolus = draw(BASALS), draw(BOLUSES)

    def limit(hours):
        room = draw(ROOMS)
        return None if room is None else max(1, -(-basal * hours // 24) + room * max(bolus, 50))

    return Prescription(
        concentration_ug_per_ml=draw(st.sampled_from([1000, 1000, 777])),
        basal_ug_per_day=basal,
        bolus_ug=bolus,
        bolus_duration_s=draw(DURATIONS_S),
        lockout_s=draw(LOCKOUTS_S),
        max_boluses_per_h=draw(COUNTS),
        max_boluses_per_24h=draw(COUNTS),
        limit_1h_ug=limit(1),
        limit_4h_ug=limit(4),
        limit_24h_ug=limit(24),
    )


class Therapy(RuleBasedStateMachine):
    """One pump and all that can happen to it.

    What may be given: DEL-09, LIM-01, LIM-04, LIM-05, LIM-08, LIM-11, LIM-16, LIM-26, LIM-27, LIM-28, LIM-29, H31, H34.
    What moves: DEL-27, DEL-28, DEL-29, DEL-30, OCC-07, NUM-04, NUM-07, H32.
    Across power cuts and clock changes: LIM-03, LIM-17, LIM-18, PWR-08, PWR-09, RPL-01, RPL-02, RPL-03, RPL-04, RPL-05,
    TIM-01, COM-05, H27, H28.
    """

    @initialize(rx=prescriptions(), fill_ul=st.sampled_from([50_000, 50_000, 3_000]))
    def begin(self, rx, fill_ul):
        self.rig = TherapyRig(fill_ul=fill_ul)
        self.rig.guarded = True
        self.checker = RecordChecker(self.rig)
        self.prescribe(rx)

    def teardown(self):
        if hasattr(self, "rig"):
            self.checker.check_windows()

    def infusing(self):
        return self.rig.state in INFUSING

    def not_infusing(self):
        return self.rig.state not in INFUSING

    # --- time

    @rule(ms=SHORT_MS)
    def wait_a_little(self, ms):
        self.rig.run(ms)

    @rule(ms=LONG_MS)
    def wait(self, ms):
        self.rig.run(ms)

    @precondition(infusing)
    @rule(more_ms=st.sampled_from([-1, 0, 1, 1_000]))
    def wait_out_the_lockout(self, more_ms):
        self.rig.run(1000 * self.checker.model.rx.lockout_s + more_ms)

    @rule(ms=st.integers(1, 7_900))
    def the_loop_is_held_up(self, ms):
        self.checker.hang(ms)

    # --- the patient

    @rule(hold_ms=FINGERS_MS)
    def press(self, hold_ms):
        self.rig.press(hold_ms)

    @rule(gap_ms=st.sampled_from([50, 300, 1_500, 2_500]))
    def press_twice(self, gap_ms):
        self.rig.press(100)
        self.rig.run(gap_ms)
        self.rig.press(100)

    @precondition(infusing)
    @rule(ms=st.integers(0, 3_000))
    def press_and_wait_for_its_end(self, ms):
        self.rig.press()
        self.rig.run(1000 * self.checker.model.rx.bolus_duration_s + ms)

    @precondition(lambda self: self.checker.next_possible and self.rig.state in INFUSING)
    @rule(early_ms=st.sampled_from([0, 0, 1]))
    def press_at_the_time_that_was_told(self, early_ms):
        kind, ng, told_ms = self.checker.next_possible
        wait_ms = told_ms - self.rig.pump_ms_now() - early_ms
        if kind != "pca" or not 2_100 <= wait_ms <= 5 * HOUR_MS:
            return
        self.rig.run(wait_ms - 1)
        if self.checker.next_possible != (kind, ng, told_ms):
            return  # something ended in between
        self.rig.run(1)
        before = self.checker.accepted
        self.rig.press(60)
        reason = self.checker.last_reason
        if reason == "reservoir":
            return  # what time alone allows, the syringe need not hold
        assert self.checker.accepted - before == (0 if early_ms else 1), reason

    # --- the clinician

    @precondition(infusing)
    @rule()
    def stop(self):
        self.rig.key("stop")

    @precondition(not_infusing)
    @rule(hold_ms=st.sampled_from([60, 200]))
    def start(self, hold_ms):
        self.rig.key("start", hold_ms)

    @rule(name=st.sampled_from(["start", "stop", "ack"]), hold_ms=st.sampled_from([10, 40, 60, 1_900]))
    def touch_a_key(self, name, hold_ms):
        self.rig.key(name, hold_ms)

    @rule()
    def stop_and_start(self):
        self.rig.key("stop")
        self.rig.run(1_000)
        self.rig.key("start")

    @rule(ug=ORDERS_UG, over_s=ORDERS_S)
    def order(self, ug, over_s):
        self.rig.order(ug, over_s)

    @rule(ug=ORDERS_UG, over_s=ORDERS_S)
    def clinician_bolus(self, ug, over_s):
        self.rig.clinician_bolus(ug, over_s)

    @precondition(infusing)
    @rule()
    def pause(self):
        self.rig.pause()

    @rule(rx=prescriptions())
    def prescribe(self, rx):
        checker, rig = self.checker, self.rig
        if rig.plant.contacts.level(DOOR):
            rig.door(False)
        refused_by_model = checker.model.new_prescription_refusal(rig.pump_ms_now(), rx)
        checker.loaded = rx
        code = rig.prescribe(rx)
        if code is None and rig.pump.start_stop.blocked_by() == "exchange":
            assert rig.exchange(rx) is None
            rig.key("start")
        if code is None or code.startswith("limit_"):
            assert code == refused_by_model, f"{code}, the model says {refused_by_model}"

    @precondition(infusing)
    @rule(basal=BASALS, lockout_s=LOCKOUTS_S)
    def adjust(self, basal, lockout_s):
        self.prescribe(replace(self.checker.model.rx, basal_ug_per_day=basal, lockout_s=lockout_s))

    @rule()
    def restart(self):
        self.prescribe(self.checker.model.rx)

    @precondition(not_infusing)
    @rule()
    def bring_it_back(self):
        self.restart()

    @precondition(infusing)
    @rule()
    def cancel(self):
        self.rig.cancel()

    @precondition(infusing)
    @rule()
    def open_the_door(self):
        self.rig.door(True)

    @precondition(lambda self: self.rig.plant.contacts.level(DOOR))
    @rule()
    def close_the_door(self):
        self.rig.door(False)

    @rule(years=st.integers(-5, 15), s=st.integers(-7_200, 7_200))
    def set_the_clock(self, years, s):
        self.rig.set_clock(self.rig.plant.rtc.unix_s() + years * 31_557_600 + s)

    # --- the mains

    @precondition(infusing)
    @rule(after_us=st.integers(0, 12_000_000), off_ms=OFF_MS, proven=st.booleans())
    def power_fails(self, after_us, off_ms, proven):
        self.rig.run(after_us // 1000)
        self.rig.plant.now_us += after_us % 1000
        self.checker.cut(off_ms, proven)

    @precondition(infusing)
    @rule(after_us=st.integers(0, 1_000_000), off_ms=OFF_MS, proven=st.booleans())
    def power_fails_in_a_bolus(self, after_us, off_ms, proven):
        self.rig.press()
        self.power_fails(after_us, off_ms, proven)

    @precondition(not_infusing)
    @rule(off_ms=OFF_MS, proven=st.booleans())
    def power_fails_again(self, off_ms, proven):
        self.checker.cut(off_ms, proven)


TestTherapy = Therapy.TestCase
TestTherapy.settings = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=50)


def test_both_boluses_end_at_once():
    """A press suspends a clinician's bolus, and a cancel ends both: each gets its next time with neither running."""
    drug = {"drug": "test-fluid", "concentration_ug_per_ml": 1000, "basal_ug_per_day": 0}
    rx = Prescription(bolus_ug=100, bolus_duration_s=30, lockout_s=60, **drug)
    therapy = Therapy()
    therapy.begin(rx=rx, fill_ul=50_000)
    therapy.clinician_bolus(over_s=1, ug=20)
    therapy.press(hold_ms=60)
    therapy.cancel()
    therapy.teardown()
    assert therapy.checker.accepted == 2
