"""Monotonic time of the pump since commissioning, as two integers: seconds and milliseconds (0 to 999).

`ticks_ms` wraps every 12.4 days and an int past 2^30 allocates on RP2040, so therapy time is kept as whole seconds
(good for 34 years) and a millisecond remainder. Wall time never enters here [TIM-01].
"""


class MonotonicClock:
    """Adds up the elapsed milliseconds of a wrapping counter.

    The caller measures the elapsed time with `time.ticks_diff`, at least once in 6 days: half a wrap of the counter.
    """

    def __init__(self, s=0, ms=0):
        self.s = s
        self.ms = ms

    def advance(self, elapsed_ms):
        """Advances the clock by `elapsed_ms` >= 0. Allocates nothing."""
        ms = self.ms + elapsed_ms
        self.s += ms // 1000
        self.ms = ms % 1000

    def restore(self, s, ms):
        """Time begins at (s, ms) after a power cut."""
        self.s, self.ms = s, ms

    def ago(self, elapsed_ms):
        """The instant `elapsed_ms` >= 0 before now, as (s, ms)."""
        ms = self.ms - elapsed_ms
        return self.s + ms // 1000, ms % 1000

    def check_word(self):
        """See `base.dose_guard`."""
        return self.s ^ self.ms


def add(s, ms, duration_s, duration_ms=0):
    """The instant (s, ms) plus `duration_s` and `duration_ms`, as (s, ms)."""
    ms += duration_ms
    return s + duration_s + ms // 1000, ms % 1000


def before(a_s, a_ms, b_s, b_ms):
    """True if instant (a_s, a_ms) lies strictly before instant (b_s, b_ms)."""
    return a_s < b_s or (a_s == b_s and a_ms < b_ms)


def later(a, b):
    """The later of two instants (s, ms)."""
    return b if before(a[0], a[1], b[0], b[1]) else a
