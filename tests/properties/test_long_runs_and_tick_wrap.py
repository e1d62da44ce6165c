"""Steps follow the exact rate without drift, and a wrap of the ticks changes nothing."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pump.base.units import SYRINGES, pl_per_ustep
from pump.delivery.schedule import BASAL, PCA, Schedule, basal_interval, bolus_interval
from support.therapy.ideal_plant import TICKS_PERIOD
from support.therapy.record_checker import RecordChecker
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

US_PER_DAY = 86_400_000_000
SMALL_INT = 1 << 30


@st.composite
def flows(draw):
    """(pl of a ustep, ug/mL, ug/day) of a flow the machine can make: 0.01 to 10 mL/h."""
    pl = SYRINGES[draw(st.sampled_from(sorted(SYRINGES)))][2]
    concentration = draw(st.integers(1, 25_000))
    nl_per_h = draw(st.integers(10_000, 10_000_000) | st.sampled_from([10_000, 600_000, 10_000_000]))
    return pl, concentration, max(1, nl_per_h * 24 * concentration // 1_000_000)


def fly(schedule, until_us, look_ms):
    """Grants back to back, each looked at `look_ms` after it landed: yields (us, usteps made so far)."""
    now_us = made = 0
    while now_us < until_us:
        steps = schedule.plan()
        wait_us = schedule.last_us + look_ms * 1000 if steps else min(10_000_000, schedule.next_due_us())
        schedule.settle(wait_us)
        now_us += wait_us
        made += steps
        yield now_us, made


@given(flows(), st.integers(0, 3))
def test_steps_of_a_constant_flow_never_drift_from_the_exact_rate(flow, look_ms):
    """DEL-01, NUM-03, TIM-03: after any grant the count is that of exact division by the interval, to one ustep."""
    pl, concentration, basal = flow
    interval_us = Fraction(pl * concentration * US_PER_DAY, basal * 10**9)
    schedule = Schedule()
    schedule.configure(pl)
    schedule.start(BASAL, basal_interval(basal, concentration, pl))
    for now_us, made in fly(schedule, 300 * max(interval_us, 1_000_000), look_ms):
        due = now_us / interval_us
        assert due - 1 - look_ms * 1000 / interval_us < made <= due + 1


@given(flows(), st.integers(4, 2000), st.integers(1, 3600))
def test_a_bolus_makes_exactly_its_usteps_beside_an_undisturbed_basal(flow, usteps, duration_s):
    """DEL-04, DEL-06, DEL-20."""
    pl, concentration, basal = flow
    interval_us = Fraction(pl * concentration * US_PER_DAY, basal * 10**9)
    duration_s = max(duration_s, usteps // 90 + 1)
    schedule = Schedule()
    schedule.configure(pl)
    schedule.start(BASAL, basal_interval(basal, concentration, pl))
    schedule.start(PCA, bolus_interval(usteps, duration_s * 1000), usteps)
    basal_made = bolus_made = now_us = 0
    for _ in range(100_000):
        steps = schedule.plan()
        wait_us = schedule.last_us if steps else min(10_000_000, schedule.next_due_us())
        schedule.settle(wait_us)
        now_us += wait_us
        basal_made += schedule.made[BASAL]
        bolus_made += schedule.made[PCA]
        if schedule.left[PCA] == 0:
            break
    assert bolus_made == usteps
    assert abs(basal_made - now_us / interval_us) <= 2


def morning(ticks_at_power_up_ms):
    """A few hours of therapy with presses, a stop and a new rate: the tape and the motor's runs."""
    rx = Prescription(basal_ug_per_day=14_400, bolus_ug=50, bolus_duration_s=60, lockout_s=600, limit_1h_ug=750)
    rig = TherapyRig(ticks_at_power_up_ms)
    rig.guarded = True
    checker = RecordChecker(rig)
    checker.loaded = rx
    assert rig.prescribe(rx) is None
    for _ in range(6):
        rig.run(7 * 60_000)
        rig.press()
    rig.key("stop")
    rig.run(1_000)
    rig.key("start")
    checker.loaded = replace(rx, basal_ug_per_day=7_200)
    assert rig.prescribe(checker.loaded) is None
    rig.run(60 * 60_000)
    return rig.tape.entries, rig.plant.runs


@pytest.mark.parametrize("before_wrap_ms", [1, 5_000, 118_000, 130_000, 1_234_567])
def test_a_wrap_of_the_ticks_changes_nothing(before_wrap_ms):
    """TIM-02, H29."""
    assert morning(TICKS_PERIOD - before_wrap_ms) == morning(0)


def test_two_days_of_basal_are_exact_to_a_ustep():
    """TIM-03."""
    rx = Prescription(basal_ug_per_day=14_399, concentration_ug_per_ml=997)
    rig = TherapyRig()
    checker = RecordChecker(rig)
    checker.loaded = rx
    assert rig.prescribe(rx) is None
    start = next(e for e in reversed(rig.tape.entries) if e.what == "state")
    interval_us = Fraction(pl_per_ustep("bd-50") * 997 * US_PER_DAY, 14_399 * 10**9)
    first = len(rig.plant.runs) - 1
    for hours in (1, 7, 40):
        rig.run(hours * 3_600_000)
        made = sum(run.made_by(rig.plant.now_us) for run in rig.plant.runs[first:])
        due = (rig.plant.now_us - start.true_ms * 1000) / interval_us
        assert due - 2 < made <= due + 1
