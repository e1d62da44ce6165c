"""Counts how often the stop key ended an infusion: three times within ten minutes is an alarm [ALM-19].

The last two stops are kept in FRAM, so that a power cut or a new prescription does not reset the count. A stop for a
refill is part of the refill and does not count.
"""

from pump.base.units import const

WINDOW_MS = const(600_000)  # the third stop exactly this long after the first is within it
NEVER = (0, 0)


class RepeatStops:
    """earlier, last: the two latest stops, each (s, ms) of the monotonic clock; NEVER: none."""

    def __init__(self):
        self.earlier = self.last = NEVER
        self._is_paused = False  # since `last`, nothing has started

    def stopped(self, now):
        """The stop key ended an infusion at `now` (s, ms). True at the third stop within the window."""
        first = self.earlier
        self.earlier, self.last = self.last, now
        self._is_paused = True
        if first == NEVER:
            return False
        return (now[0] - first[0]) * 1000 + now[1] - first[1] <= WINDOW_MS

    def started(self):
        """An infusion has started."""
        self._is_paused = False

    def refilled(self):
        """A refill came in the pause: the stop before it does not count."""
        if self._is_paused:
            self.earlier, self.last = NEVER, self.earlier
            self._is_paused = False

    def restore(self, earlier, last):
        """What FRAM has kept."""
        self.earlier, self.last = earlier, last
