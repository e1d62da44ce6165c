"""A step schedule that plans one step after the other, in the order they fall due. `Schedule` must equal it.

Intervals are exact fractions; only whole microseconds are rounded, where stated.
"""

from fractions import Fraction
from math import floor

STREAMS = 3
WINDOW_US = 10_000_000
MIN_PERIOD_US = 5_000


class StepwiseSchedule:
    """Due times of the three streams, in us from now. A due time is exact; a step is made in its whole microsecond."""

    def __init__(self, pl_step):
        self.most = max(1, 1_000_000 // pl_step)
        self.interval = [Fraction(0)] * STREAMS
        self.due = [Fraction(0)] * STREAMS  # of the next step
        self.left = [0] * STREAMS  # -1: without end
        self.held = [False] * STREAMS
        self.planned = [0] * STREAMS
        self.made = [0] * STREAMS
        self.order = []  # stream of each planned step
        self.first_us = 0
        self.period_us = MIN_PERIOD_US
        self.last_us = 0

    def start(self, stream, interval_us, usteps):
        self.interval[stream] = self.due[stream] = interval_us
        self.left[stream] = usteps
        self.held[stream] = False

    def stop(self, stream):
        self.left[stream] = 0

    def hold(self, stream, held):
        self.held[stream] = held

    def plan(self):
        """Plan the steps due within the window, until the grant is full or a stream ends. Returns their number."""
        self.before = (list(self.due), list(self.left))
        self.order = []
        dues = []
        while len(self.order) < self.most:
            k = self.next_stream()
            if k is None or floor(self.due[k]) > WINDOW_US:
                break
            dues.append(floor(self.due[k]))
            self.order.append(k)
            self.advance(k)
            if self.left[k] == 0:
                break
        self.planned = [self.order.count(k) for k in range(STREAMS)]
        self.last_us = 0
        if dues:
            self.first_us = self.last_us = max(dues[0], MIN_PERIOD_US)
        if len(dues) > 1:
            self.period_us = max((dues[-1] - self.first_us) // (len(dues) - 1), MIN_PERIOD_US)
            self.last_us += (len(dues) - 1) * self.period_us
        return len(dues)

    def settle(self, elapsed_us):
        self.made, self.planned = self.planned, [0] * STREAMS
        self.pass_time(elapsed_us)

    def cut(self, steps_made, elapsed_us):
        """Return to the state before the grant, then advance by the steps that were made."""
        self.due, self.left = self.before
        made = self.order[:steps_made]
        for k in made:
            self.advance(k)
        self.made, self.planned = [made.count(k) for k in range(STREAMS)], [0] * STREAMS
        self.pass_time(elapsed_us)

    def pass_time(self, elapsed_us):
        for k in range(STREAMS):
            if self.runs(k):
                self.due[k] -= elapsed_us
                whole = floor(self.interval[k])
                if floor(self.due[k]) < -whole:  # at most one interval of backlog; the fraction of a microsecond stays
                    self.due[k] += -whole - floor(self.due[k])

    def next_due_us(self):
        k = self.next_stream()
        return -1 if k is None else floor(self.due[k])

    def next_stream(self):
        """The stream due first; of two in the same microsecond the bolus. None: nothing is due."""
        return min((k for k in range(STREAMS) if self.runs(k)), key=lambda k: (floor(self.due[k]), -k), default=None)

    def runs(self, k):
        return self.left[k] != 0 and not self.held[k]

    def advance(self, k):
        self.due[k] += self.interval[k]
        if self.left[k] > 0:
            self.left[k] -= 1
