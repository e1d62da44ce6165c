"""The schedule, which counts steps by division and merges streams, equals the stepwise schedule grant by grant."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st
from pump.base.units import DAY_S, SYRINGES
from pump.delivery.schedule import BASAL, CLINICIAN, PCA, UNLIMITED, Interval, Schedule
from support.therapy.stepwise_schedule import STREAMS, WINDOW_US, StepwiseSchedule

SMALL_INT = 1 << 30
SLOWEST_US = 1_000_000_000

# Flow in nL/h or, as a bolus, (usteps, ms): both give an interval that the machine can make.
NL_PER_H = st.integers(10_000, 10_000_000) | st.sampled_from([10_000, 100_000, 600_000, 5_000_000, 10_000_000])
BOLUS_USTEPS = st.integers(1, 300) | st.integers(300, 60_000)
ELAPSED_US = st.integers(0, 60_000).map(lambda ms: ms * 1000) | st.integers(0, 2_000_000)

ACTIONS = st.one_of(
    st.tuples(st.just("basal"), NL_PER_H, st.integers(1, 25_000)),
    st.tuples(st.just("bolus"), st.sampled_from([PCA, CLINICIAN]), BOLUS_USTEPS, NL_PER_H),
    st.tuples(st.just("stop"), st.sampled_from([BASAL, PCA, CLINICIAN])),
    st.tuples(st.just("hold"), st.sampled_from([BASAL, PCA, CLINICIAN]), st.booleans()),
    st.tuples(st.just("pass"), ELAPSED_US),
    st.tuples(st.just("grants"), st.integers(1, 30), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(0, 34), ELAPSED_US),
)


class Pair:
    """A schedule and the stepwise schedule, given the same calls."""

    def __init__(self, syringe):
        self.pl = SYRINGES[syringe][2]
        self.schedule, self.walk = Schedule(), StepwiseSchedule(self.pl)
        self.schedule.configure(self.pl)

    def basal(self, nl_per_h, concentration):
        ug_per_day = max(1, nl_per_h * 24 * concentration // 1_000_000)
        numerator, denominator = DAY_S * self.pl * concentration, ug_per_day * 1000
        if numerator // denominator <= SLOWEST_US:
            self.start(BASAL, numerator, denominator, UNLIMITED)

    def bolus(self, stream, usteps, nl_per_h):
        us = -(-usteps * self.pl * 3600 // nl_per_h) * 1000
        if us // usteps <= SLOWEST_US:
            other = PCA + CLINICIAN - stream
            if self.walk.left[other]:
                self.hold(other, True)  # one bolus at a time, as in `Boluses`
            self.start(stream, us, usteps, usteps)

    def start(self, stream, numerator, denominator, usteps):
        self.schedule.start(stream, Interval(numerator, denominator), usteps)
        self.walk.start(stream, Fraction(numerator, denominator), usteps)

    def stop(self, stream):
        self.schedule.stop(stream)
        self.walk.stop(stream)

    def hold(self, stream, held):
        other = PCA + CLINICIAN - stream
        if stream != BASAL and not held and self.walk.left[stream] and self.walk.runs(other):
            return
        self.schedule.hold(stream, held)
        self.walk.hold(stream, held)

    def pass_(self, elapsed_us):
        self.schedule.pass_time(elapsed_us)
        self.walk.pass_time(elapsed_us)

    def grants(self, count, late_ms):
        """Whole grants one after the other, each looked at `late_ms` after its last step."""
        for _ in range(count):
            self.plan()
            elapsed_us = self.walk.last_us + late_ms * 1000 if sum(self.walk.planned) else WINDOW_US
            self.schedule.settle(elapsed_us)
            self.walk.settle(elapsed_us)
            self.compare()

    def cut(self, steps_made, elapsed_us):
        steps_made = min(steps_made, self.plan())
        self.schedule.cut(steps_made, elapsed_us)
        self.walk.cut(steps_made, elapsed_us)

    def plan(self):
        steps = self.schedule.plan()
        assert steps == self.walk.plan() == self.schedule.steps
        self.compare()
        return steps

    def compare(self):
        schedule, walk = self.schedule, self.walk
        assert (schedule.first_us, schedule.period_us) == (walk.first_us, walk.period_us)
        assert schedule.last_us == walk.last_us
        assert (schedule.planned, schedule.made, schedule.left) == (walk.planned, walk.made, walk.left)
        assert schedule.next_due_us() == walk.next_due_us()
        for k in range(STREAMS):  # the remainder, too
            if walk.runs(k):
                parts = schedule._parts[k]
                assert schedule._wait_us[k] * parts + schedule._carry[k] == walk.due[k] * parts
                assert 0 <= schedule._carry[k] < parts


@given(st.sampled_from(sorted(SYRINGES)), st.lists(ACTIONS, max_size=40))
@example("bd-5", [("basal", 5_000_000, 24_989), ("bolus", PCA, 48_000, 5_000_000), ("grants", 30, 0), ("cut", 17, 0)])
@example("bd-50", [("basal", 10_000, 1_000), ("pass", 60_000_000), ("cut", 1, 0), ("bolus", CLINICIAN, 1, 10_000)])
def test_grants_equal_those_of_the_stepwise_schedule(syringe, actions):
    """DEL-01, DEL-27, NUM-03: steps, layout, shares and remainders for any starts, holds, cuts and delays."""
    pair = Pair(syringe)
    for name, *values in actions:
        getattr(pair, "pass_" if name == "pass" else name)(*values)
        pair.compare()
