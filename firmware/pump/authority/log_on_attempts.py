"""Counts failed log-ons in a row and closes log-on after them [SEC-03]. Kept in FRAM: a power cut does not reset it."""

from pump.base.units import const

TRIES = const(5)  # failures until log-on is closed
FIRST_CLOSED_S = const(60)  # doubles with each further TRIES failures ...
LONGEST_CLOSED_S = const(3_600)  # ... up to this
_MOST_DOUBLINGS = const(6)


class LogOnAttempts:
    """failures        failed log-ons since the last successful one
    closed_until_s  monotonic s until which log-on is closed; 0: open
    """

    def __init__(self):
        self.failures = 0
        self.closed_until_s = 0

    def failed(self, now_s):
        """Counts a failure at `now_s`, monotonic. Each fifth closes log-on. Returns for how many s, or 0."""
        self.failures += 1
        if self.failures % TRIES:
            return 0
        doublings = min(self.failures // TRIES - 1, _MOST_DOUBLINGS)
        closed_s = min(FIRST_CLOSED_S << doublings, LONGEST_CLOSED_S)
        self.closed_until_s = now_s + closed_s
        return closed_s

    def succeeded(self):
        """Resets the count after a successful log-on. True if there were failures."""
        had_failures = self.failures > 0
        self.failures = self.closed_until_s = 0
        return had_failures

    def closed_for_s(self, now_s):
        """Seconds from `now_s`, monotonic, until log-on opens; 0 or less: it is open."""
        return self.closed_until_s - now_s

    def restore(self, failures, closed_until_s):
        """Sets the values read from FRAM."""
        self.failures, self.closed_until_s = failures, closed_until_s
