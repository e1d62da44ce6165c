"""Step schedule: when microsteps are due, by exact rational intervals, planned in grants of bounded size.

Each stream (basal, PCA bolus, clinician bolus) has its own step times: the interval is whole microseconds plus a
fraction kept as a remainder, so that it never drifts [NUM-03]. A grant holds the steps due in the next window, at most
10 s and at most 1 uL (or one microstep, if that is larger), at an even period. If a grant is cut short, the streams go
back to their saved state, the steps really made are taken from it, and the others are due again. Time that passes
without motion is never caught up [H32]: at most one interval of backlog is kept.

Steps are taken in the order in which they are due. From now on, step i of a stream is due after wait + i * interval; so
the steps of basal alone, nearly always the case, are counted by one division. At most one bolus runs beside basal, the
other is held; for two streams, `_take_merged` finds the share of each.

`plan`, `settle` and `cut` run in the delivery tick: no allocation, every intermediate below 2^30.
"""

from pump.base.units import DAY_S, MAX_FLOW_NL_PER_H, const

BASAL = const(0)
PCA = const(1)
CLINICIAN = const(2)
STREAMS = const(3)

WINDOW_US = const(10_000_000)  # a grant lasts at most 10 s
GRANT_PL = const(1_000_000)  # and moves at most 1 uL
MIN_PERIOD_US = const(5_000)  # the step generator itself steps no faster
MAX_INTERVAL_US = const(1_000_000_000)  # 1000 s a step; interval + window stays below 2^30
UNLIMITED = const(-1)
MAX_STEPS = const(34)  # of a grant: 1 uL in the narrowest syringe
MAX_PARTS = const(30_000_000)  # denominator of the fraction; (steps + 1) * parts stays below 2^30

# A bolus makes its last step this much before its planned end, so that it ends exactly then.
END_MARGIN_US = const(2_000)


def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a


class Interval:
    """Time between two steps: numerator / denominator us, kept as whole_us + part / parts us.

    Raises ValueError above MAX_INTERVAL_US, or if the reduced denominator is above MAX_PARTS. An interval below
    MIN_PERIOD_US is set to MIN_PERIOD_US.
    """

    def __init__(self, numerator, denominator):
        g = _gcd(numerator, denominator)
        numerator //= g
        denominator //= g
        self.whole_us = numerator // denominator
        self.part = numerator % denominator
        self.parts = denominator
        if self.whole_us > MAX_INTERVAL_US or self.parts > MAX_PARTS:
            raise ValueError("a step every %d us is outside the range of the schedule" % self.whole_us)
        if self.whole_us < MIN_PERIOD_US:  # faster than the motor: only with a lost pL per ustep
            self.whole_us, self.part, self.parts = MIN_PERIOD_US, 0, 1

    def check_word(self):
        """See `base.dose_guard`."""
        return self.whole_us ^ self.part ^ self.parts


def basal_interval(basal_ug_per_day, concentration_ug_per_ml, pl_step):
    """Interval of a basal rate above 0. A step is pl_step * concentration * 1e-9 ug; a day has 86400e6 us."""
    return Interval(DAY_S * pl_step * concentration_ug_per_ml, basal_ug_per_day * 1000)


def bolus_interval(usteps, duration_ms):
    """Interval that makes `usteps` in `duration_ms`, the last one END_MARGIN_US before the end."""
    return Interval(max(1, duration_ms * 1000 - END_MARGIN_US), usteps)


def shortest_bolus_ms(usteps, pl_step, basal_ug_per_day, concentration_ug_per_ml):
    """Shortest duration of a bolus in ms, so that basal + bolus do not exceed 10 mL/h [DEL-04, DEL-05].

    Raises ValueError if basal alone needs 10 mL/h or more.
    """
    basal_nl_per_h = -(-basal_ug_per_day * 1_000_000 // (24 * concentration_ug_per_ml))
    free_nl_per_h = MAX_FLOW_NL_PER_H - basal_nl_per_h
    if free_nl_per_h <= 0:
        raise ValueError("no flow is left for a bolus beside a basal of %d nL/h" % basal_nl_per_h)
    return -(-usteps * pl_step * 3600 // free_nl_per_h) + END_MARGIN_US // 1000


# The streams that run, by a bit per stream. Two boluses at once: `_update_running` raises.
_STREAMS_OF = ((), (BASAL,), (PCA,), (BASAL, PCA), (CLINICIAN,), (BASAL, CLINICIAN))


class Schedule:
    """Step times of the three streams, in us from the instant of the last `settle`, `cut` or `pass_time`.

    Streams are started, stopped and held between two grants, not while one is planned.
    """

    def __init__(self):
        self._wait_us = [0] * STREAMS  # until the next step of the stream
        self._whole_us = [0] * STREAMS
        self._part = [0] * STREAMS
        self._parts = [1] * STREAMS
        self._carry = [0] * STREAMS  # remainder of the fraction, 0 <= carry < parts
        self.left = [0] * STREAMS  # steps still to make; 0: idle, UNLIMITED: basal
        self._held = [False] * STREAMS
        self._running = ()  # the streams that have steps left and are not held
        self._saved_wait = [0] * STREAMS  # before the last plan, of the streams with a share in it
        self._saved_carry = [0] * STREAMS
        self._saved_left = [0] * STREAMS
        self.made = [0] * STREAMS  # steps of each stream made in the grant of the last settle or cut
        self.planned = [0] * STREAMS  # steps of each stream in the grant of the last plan
        self.steps = 0  # the layout of the grant: number, first step, period, last step
        self.first_us = 0
        self.period_us = MIN_PERIOD_US
        self.last_us = 0
        self._first_due_us = self._last_due_us = 0  # of the steps taken last
        self._max_steps = 1

    def configure(self, pl_step):
        """Sets the volume of a ustep in pL, which limits the steps of a grant."""
        self._max_steps = min(MAX_STEPS, max(1, GRANT_PL // pl_step))

    def start(self, stream, interval, usteps=UNLIMITED):
        """Starts a stream; its first step is due one interval from now."""
        self._held[stream] = False
        self.restate(stream, interval, usteps)

    def restate(self, stream, interval, usteps):
        """As `start`, for a stream that runs or is held. `interval`: None for no steps."""
        if interval:
            self._whole_us[stream] = interval.whole_us
            self._part[stream] = interval.part
            self._parts[stream] = interval.parts
            self._carry[stream] = interval.part
            self._wait_us[stream] = interval.whole_us
        self.left[stream] = usteps
        self._update_running()

    def stop(self, stream):
        """Ends a stream and drops its remaining steps."""
        self.left[stream] = 0
        self._update_running()

    def stop_all(self):
        """Ends every stream."""
        for k in range(STREAMS):
            self.left[k] = 0
        self.steps = 0
        self._update_running()

    def hold(self, stream, held):
        """Suspends (`held` True) or resumes a stream. The time to its next step stands still while it is held.

        Raises ValueError if two boluses would run at once.
        """
        self._held[stream] = held
        self._update_running()

    def _update_running(self):
        """Derives `_running` from `left` and `_held`."""
        bits = 0
        for k in range(STREAMS):
            if self.left[k] and not self._held[k]:
                bits |= 1 << k
        if bits >= len(_STREAMS_OF):
            raise ValueError("two boluses at once: one must be held")
        self._running = _STREAMS_OF[bits]

    # -- grants

    def plan(self):
        """Takes the steps due in the next window as a grant. Returns their number (0: none is due yet).

        `first_us`, `period_us` and `last_us` hold the layout, `planned` the share of each stream.
        """
        self.steps = steps = self._take(self._max_steps, self.planned)
        if steps == 0:
            self.last_us = 0
            return 0
        first = self._first_due_us
        if first < MIN_PERIOD_US:
            first = MIN_PERIOD_US
        self.first_us = self.last_us = first
        if steps > 1:
            period = (self._last_due_us - first) // (steps - 1)
            if period < MIN_PERIOD_US:
                period = MIN_PERIOD_US
            self.period_us = period
            self.last_us = first + (steps - 1) * period
        return steps

    def next_due_us(self):
        """Time in us to the next step of any stream, or -1 if no stream runs."""
        best = -1
        for k in self._running:
            if best < 0 or self._wait_us[k] <= self._wait_us[best]:
                best = k
        return -1 if best < 0 else self._wait_us[best]

    def settle(self, elapsed_us):
        """The whole grant was made; `elapsed_us` have passed since `plan`. `made` gets the share of each stream."""
        made, planned = self.made, self.planned
        made[0], made[1], made[2] = planned[0], planned[1], planned[2]
        planned[0] = planned[1] = planned[2] = 0
        self.steps = 0
        self.pass_time(elapsed_us)

    def cut(self, steps_made, elapsed_us):
        """The grant ended after `steps_made` of its steps, `elapsed_us` after `plan`; the others are due again.

        `made` gets the share of each stream.
        """
        planned = self.planned
        for k in range(STREAMS):
            if planned[k]:
                self._wait_us[k] = self._saved_wait[k]
                self._carry[k] = self._saved_carry[k]
                self.left[k] = self._saved_left[k]
                planned[k] = 0
        self._update_running()
        self._take(steps_made, self.made)
        self.steps = 0
        self.pass_time(elapsed_us)

    def pass_time(self, elapsed_us):
        """Advances time by `elapsed_us`. At most one interval of backlog is kept, older steps are dropped."""
        for k in self._running:
            wait = self._wait_us[k] - elapsed_us
            if wait < -self._whole_us[k]:
                wait = -self._whole_us[k]
            self._wait_us[k] = wait

    # -- steps, taken in the order in which they are due

    def _take(self, most, shares):
        """Takes at most `most` of the steps due in the window. Returns their number; `shares` gets it by stream."""
        shares[0] = shares[1] = shares[2] = 0
        running = self._running
        if not running or most == 0:
            return 0
        if len(running) == 1:
            return self._take_alone(running[0], most, shares)
        return self._take_merged(running[0], running[1], most, shares)

    def _take_alone(self, k, most, shares):
        """`_take` for a stream that runs alone."""
        wait, whole, parts = self._wait_us[k], self._whole_us[k], self._parts[k]
        if wait > WINDOW_US:
            return 0
        if 0 < self.left[k] < most:
            most = self.left[k]
        last = (WINDOW_US - wait) // whole  # number of the last step, counted from 0
        if last >= most:
            last = most - 1
        carry = self._carry[k] + last * self._part[k]
        if wait + last * whole + carry // parts > WINDOW_US:  # the fractions add up to less than an interval
            last -= 1
            carry -= self._part[k]
        self._first_due_us = wait
        wait += last * whole + carry // parts
        self._last_due_us = wait
        carry = carry % parts + self._part[k]
        shares[k] = last + 1
        self._advance(k, last + 1, wait + whole + carry // parts, carry % parts)
        return last + 1

    def _take_merged(self, a, b, most, shares):
        """`_take` for two streams. Of two steps due at the same time that of `b`, the bolus, goes first.

        A stream that ends in the window ends the grant with its last step: the last step of a bolus is on time only if
        no slower stream shares its even period.
        """
        steps_a, steps_b = self._due_by(a, WINDOW_US, most), self._due_by(b, WINDOW_US, most)
        left_a, left_b = self.left[a], self.left[b]
        if 0 < left_b <= steps_b and left_b <= most:
            steps_b = left_b
            steps_a = self._due_by(a, self._due_us(b, left_b - 1) - 1, most)
        if 0 < left_a <= steps_a and left_a <= most:
            steps_a = left_a
            steps_b = self._due_by(b, self._due_us(a, left_a - 1), most)
        if steps_a + steps_b > most:
            steps_a = self._share(a, steps_a, b, steps_b, most)
            steps_b = most - steps_a
        shares[a], shares[b] = steps_a, steps_b
        wait_a, wait_b = self._wait_us[a], self._wait_us[b]
        self._first_due_us = self._last_due_us = wait_b if wait_b <= wait_a else wait_a
        if steps_a:
            self._take_first(a, steps_a)
        if steps_b:
            self._take_first(b, steps_b)
        return steps_a + steps_b

    def _due_by(self, k, until_us, most):
        """Number of steps of stream k due by `until_us`. Exact up to `most`; a greater result may be 1 too high."""
        wait = self._wait_us[k]
        if wait > until_us:
            return 0
        steps = (until_us - wait) // self._whole_us[k] + 1
        if steps <= most and self._due_us(k, steps - 1) > until_us:
            steps -= 1  # the fractions add up to less than an interval
        return steps

    def _due_us(self, k, number):
        """When step `number` of stream k is due, in us; its next step is number 0."""
        fraction = (self._carry[k] + number * self._part[k]) // self._parts[k]
        return self._wait_us[k] + number * self._whole_us[k] + fraction

    def _share(self, a, steps_a, b, steps_b, most):
        """How many of the first `most` steps are steps of `a`, if steps_a + steps_b > most are due.

        Step i of `a` is among them if step most - 1 - i of `b` comes after it. The search starts at the result for
        evenly spread steps, and goes up or down from there.
        """
        wait_a, carry_a, whole_a = self._wait_us[a], self._carry[a], self._whole_us[a]
        wait_b, carry_b, whole_b = self._wait_us[b], self._carry[b], self._whole_us[b]
        part_a, parts_a = self._part[a], self._parts[a]
        part_b, parts_b = self._part[b], self._parts[b]
        low = most - steps_b if steps_b < most else 0
        high = steps_a if steps_a < most else most
        i = most * steps_a // (steps_a + steps_b)
        if i < low:
            i = low
        elif i >= high:
            i = high - 1
        while low < high:
            j = most - 1 - i
            due_a = wait_a + i * whole_a + (carry_a + i * part_a) // parts_a
            if due_a < wait_b + j * whole_b + (carry_b + j * part_b) // parts_b:
                low = i = i + 1
            else:
                high = i
                i -= 1
        return low

    def _take_first(self, k, steps):
        """Takes `steps` (>= 1) steps of stream k."""
        whole, part, parts = self._whole_us[k], self._part[k], self._parts[k]
        carry = self._carry[k] + (steps - 1) * part
        wait = self._wait_us[k] + (steps - 1) * whole + carry // parts
        if wait > self._last_due_us:
            self._last_due_us = wait
        carry = carry % parts + part
        self._advance(k, steps, wait + whole + carry // parts, carry % parts)

    def _advance(self, k, steps, wait, carry):
        """Takes `steps` off stream k; its next step is due at `wait`, remainder `carry`. Saves the old state."""
        self._saved_wait[k], self._saved_carry[k], self._saved_left[k] = self._wait_us[k], self._carry[k], self.left[k]
        self._wait_us[k], self._carry[k] = wait, carry
        if self.left[k] > 0:
            self.left[k] -= steps
            if self.left[k] == 0:
                self._update_running()

    def check_word(self):
        """See `base.dose_guard`."""
        return self.steps ^ self._max_steps

    def quick_lists(self):
        """See `base.dose_guard`."""
        return (
            self._wait_us, self._carry, self.left, self.planned, self._saved_wait, self._saved_carry, self._saved_left,
        )  # fmt: skip

    def steady_lists(self):
        """See `base.dose_guard`."""
        return self._whole_us, self._part, self._parts, self._held
