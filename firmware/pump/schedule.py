"""When the next microsteps are due. Exact rational step intervals, granted to the motor in finite pieces.

Each stream (basal, PCA bolus, clinician bolus) has its own ideal step times: an interval of whole microseconds plus a
fraction kept as a remainder, so that it never drifts [NUM-03]. A grant is what is due in the next window, at most
10 s and at most 1 uL (or one microstep, if that is larger), laid out at an even period; if it is cut short, the steps
really made are played again over the saved state, and the rest falls due anew. Time that passes without motion is
never caught up [H32]: at most one interval of backlog is kept.

Everything in `plan`, `settle` and `cut` runs in the delivery tick: no allocation, every intermediate below 2^30.
"""

from pump.units import DAY_S, MAX_FLOW_NL_PER_H, const

BASAL = const(0)
PCA = const(1)
CLINICIAN = const(2)
STREAMS = const(3)

WINDOW_US = const(10_000_000)  # a grant lasts at most 10 s
GRANT_PL = const(1_000_000)  # and moves at most 1 uL
MIN_PERIOD_US = const(5_000)  # what the step generator holds by itself
MAX_INTERVAL_US = const(1_000_000_000)  # 1000 s a step; interval + window stays below 2^30
UNLIMITED = const(-1)
MAX_STEPS = const(64)

# A bolus makes its last step a little before its time is up, so that it ends exactly when planned.
END_MARGIN_US = const(2_000)


def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a


class Interval:
    """Time between two steps: whole_us + part/parts us. `of(numerator, denominator)` in us."""

    def __init__(self, numerator, denominator):
        g = _gcd(numerator, denominator)
        numerator //= g
        denominator //= g
        self.whole_us = numerator // denominator
        self.part = numerator % denominator
        self.parts = denominator
        if self.whole_us > MAX_INTERVAL_US:
            raise ValueError("a step every %d us is slower than the schedule can hold" % self.whole_us)


def basal_interval(basal_ug_per_day, concentration_ug_per_ml, pl_step):
    """Interval of a basal rate. One step holds pl_step * concentration * 1e-9 ug; a day has 86400e6 us."""
    return Interval(DAY_S * pl_step * concentration_ug_per_ml, basal_ug_per_day * 1000)


def bolus_interval(usteps, duration_ms):
    """Interval that makes `usteps` in `duration_ms`, the last one END_MARGIN_US before its end."""
    return Interval(max(1, duration_ms * 1000 - END_MARGIN_US), usteps)


def bolus_duration_ms(usteps, pl_step, wanted_s, basal_ug_per_day, concentration_ug_per_ml):
    """Duration of a bolus in ms: as wanted, or longer if basal + bolus would pass 10 mL/h [DEL-04, DEL-05].

    Raises ValueError when basal alone uses all of the flow there is.
    """
    basal_nl_per_h = -(-basal_ug_per_day * 1_000_000 // (24 * concentration_ug_per_ml))
    free_nl_per_h = MAX_FLOW_NL_PER_H - basal_nl_per_h
    if free_nl_per_h <= 0:
        raise ValueError("no flow is left for a bolus beside a basal of %d nL/h" % basal_nl_per_h)
    shortest_ms = -(-usteps * pl_step * 3600 // free_nl_per_h) + END_MARGIN_US // 1000
    return max(wanted_s * 1000, shortest_ms)


class Schedule:
    """Step times of the three streams, in us from the instant of the last `plan`, `settle` or `cut`."""

    def __init__(self):
        self._wait_us = [0] * STREAMS  # until the stream's next step
        self._whole_us = [0] * STREAMS
        self._part = [0] * STREAMS
        self._parts = [1] * STREAMS
        self._carry = [0] * STREAMS  # remainder of the fraction, 0 <= carry < parts
        self.left = [0] * STREAMS  # steps still to make; 0 = idle
        self._held = [False] * STREAMS
        self._saved_wait = [0] * STREAMS
        self._saved_carry = [0] * STREAMS
        self._saved_left = [0] * STREAMS
        self._order = bytearray(MAX_STEPS)  # which stream each granted step belongs to
        self.made = [0] * STREAMS  # result of the last settle or cut
        self.planned = [0] * STREAMS  # what the last plan promised, a stream
        self.steps = 0
        self.first_us = 0
        self.period_us = MIN_PERIOD_US
        self.last_us = 0
        self._max_steps = 1

    def configure(self, pl_step):
        """Sets the volume of a microstep, which bounds a grant."""
        self._max_steps = min(MAX_STEPS, max(1, GRANT_PL // pl_step))

    def start(self, stream, interval, usteps=UNLIMITED):
        """Begins a stream now; its first step falls due one interval from now."""
        self._whole_us[stream] = interval.whole_us
        self._part[stream] = interval.part
        self._parts[stream] = interval.parts
        self._carry[stream] = interval.part
        self._wait_us[stream] = interval.whole_us
        self.left[stream] = usteps
        self._held[stream] = False

    def stop(self, stream):
        """Ends a stream; what was left of it is forgotten."""
        self.left[stream] = 0

    def stop_all(self):
        """Ends every stream."""
        for k in range(STREAMS):
            self.left[k] = 0
        self.steps = 0

    def hold(self, stream, held):
        """Suspends a stream or lets it go on; its time stands still meanwhile."""
        self._held[stream] = held

    def plan(self):
        """Finds the steps due in the next window and promises them. Returns how many (0: none is due yet).

        The layout is in `first_us`, `period_us`, `last_us`; the share of each stream in `planned`.
        """
        wait, left = self._wait_us, self.left
        steps = 0
        self.planned[0] = self.planned[1] = self.planned[2] = 0
        for k in range(STREAMS):
            self._saved_wait[k] = wait[k]
            self._saved_carry[k] = self._carry[k]
            self._saved_left[k] = left[k]
        while steps < self._max_steps:
            k = self._next_stream()
            if k < 0 or wait[k] > WINDOW_US:
                break
            due = wait[k]
            if steps == 0:
                self.first_us = due if due > MIN_PERIOD_US else MIN_PERIOD_US
            self.last_us = due
            self._order[steps] = k
            self.planned[k] += 1
            self._advance(k)
            steps += 1
            if left[k] == 0:
                break  # the last step of a bolus is in time only if nothing slower shares its even period
        self.steps = steps
        if steps > 1:
            period = (self.last_us - self.first_us) // (steps - 1)
            self.period_us = period if period > MIN_PERIOD_US else MIN_PERIOD_US
        self.last_us = self.first_us + (steps - 1) * self.period_us if steps else 0
        return steps

    def next_due_us(self):
        """Time to the next step of any stream, or -1 when none is scheduled."""
        k = self._next_stream()
        return -1 if k < 0 else self._wait_us[k]

    def settle(self, elapsed_us):
        """The whole grant was made; `elapsed_us` have passed since it was planned. `made` tells the shares."""
        self.made[0], self.made[1], self.made[2] = self.planned[0], self.planned[1], self.planned[2]
        self.planned[0] = self.planned[1] = self.planned[2] = 0
        self.steps = 0
        self.pass_time(elapsed_us)

    def cut(self, steps_made, elapsed_us):
        """The grant ended after `steps_made` of its steps; the others fall due anew. `made` tells the shares."""
        self.made[0] = self.made[1] = self.made[2] = 0
        for k in range(STREAMS):
            self._wait_us[k] = self._saved_wait[k]
            self._carry[k] = self._saved_carry[k]
            self.left[k] = self._saved_left[k]
            self.planned[k] = 0
        for i in range(steps_made):
            k = self._order[i]
            self.made[k] += 1
            self._advance(k)
        self.steps = 0
        self.pass_time(elapsed_us)

    def pass_time(self, elapsed_us):
        """Lets time go by; at most one interval of backlog is kept, older steps are given up."""
        for k in range(STREAMS):
            if self.left[k] and not self._held[k]:
                wait = self._wait_us[k] - elapsed_us
                if wait < -self._whole_us[k]:
                    wait = -self._whole_us[k]
                self._wait_us[k] = wait

    def _next_stream(self):
        """The stream whose step is due first; of two at once the bolus goes first. -1: none."""
        best = -1
        for k in range(STREAMS):
            if (
                self.left[k]
                and not self._held[k]
                and (best < 0 or self._wait_us[k] <= self._wait_us[best])
            ):
                best = k
        return best

    def _advance(self, k):
        """Moves stream k on to its next step."""
        wait = self._wait_us[k] + self._whole_us[k]
        carry = self._carry[k] + self._part[k]
        if carry >= self._parts[k]:
            carry -= self._parts[k]
            wait += 1
        self._wait_us[k] = wait
        self._carry[k] = carry
        if self.left[k] > 0:
            self.left[k] -= 1
