"""Nothing drifts: steps follow the exact rate for ever, and a wrap of the ticks changes nothing."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from pump.schedule import BASAL, PCA, Schedule, basal_interval, bolus_interval
from pump.units import SYRINGES

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
    """A ustep is due each `interval`; after any grant the count is that of exact division, to one ustep."""
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
