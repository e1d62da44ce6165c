"""State of one bolus: its request, size, planned end, and whether it is suspended. Times are (s, ms)."""

from pump.base.clock import add
from pump.dosing.limits import Pending


class Bolus:
    """A PCA or clinician bolus. One object per kind, used for one bolus after another."""

    def __init__(self, kind, stream):
        self.kind = kind  # PCA or CLINICIAN of `dose_history`
        self.stream = stream  # PCA or CLINICIAN of `schedule`, and the account in the ledger
        self.active = False  # running or suspended
        self.request = (0, 0)  # contact of the press, or arrival of the order
        self.started = (0, 0)
        self.suspended = None  # time since when a PCA bolus suspends this one
        self.end = (0, 0)  # planned end; moves when a suspended bolus resumes
        self.usteps = 0
        self.mass_ng = 0
        self.duration_ms = 0
        self.made_ng = 0  # given before the strength at the tip changed; `usteps` and `duration_ms` count from then
        self.mark = 0  # usteps booked on its account of the ledger when it began

    def begin(self, now, request, usteps, mass_ng, duration_ms, mark):
        """Starts a bolus of `usteps` at `now`. `mark`: usteps booked on its account before its first step."""
        self.active = True
        self.mark = mark
        self.made_ng = 0
        self.request, self.started, self.suspended = request, now, None
        self.usteps, self.mass_ng, self.duration_ms = usteps, mass_ng, duration_ms
        self.end = add(now[0], now[1], 0, duration_ms)

    def left_ms(self, now):
        """Ms from `now` to the planned end; of a suspended bolus, from its suspension. At least 1."""
        at = self.suspended or now
        return max(1, (self.end[0] - at[0]) * 1000 + self.end[1] - at[1])

    def restate(self, now, usteps, made_ng, duration_ms):
        """Another strength is at the tip: `made_ng` more are given, `usteps` are left, for `duration_ms`."""
        at = self.suspended or now
        self.made_ng += made_ng
        self.usteps, self.duration_ms = usteps, duration_ms
        self.end = add(at[0], at[1], 0, duration_ms)

    def finish(self):
        """The bolus has ended, complete or interrupted."""
        self.active = False

    def suspend(self, now):
        """Suspends the bolus at `now`."""
        self.suspended = now

    def resume(self, now):
        """Resumes the bolus at `now`; its planned end moves by the time it was suspended."""
        self.end = self.end_if_resumed(now)
        self.suspended = None

    def end_if_resumed(self, when):
        """The planned end (s, ms); for a suspended bolus, if it resumes at `when`."""
        if self.suspended is None:
            return self.end
        suspended_ms = (when[0] - self.suspended[0]) * 1000 + when[1] - self.suspended[1]
        return add(self.end[0], self.end[1], 0, suspended_ms)

    def pending(self, end):
        """This bolus as the limit windows count it: its whole mass, ending at `end`."""
        return Pending(self.kind, self.mass_ng, end[0], end[1])

    def check_word(self):
        """See `base.dose_guard`. Between two boluses only `active` counts."""
        if not self.active:
            return -1  # as no bolus that runs
        word = self.usteps ^ hash(self.mass_ng) ^ self.duration_ms ^ self.mark
        word ^= hash(self.made_ng)
        word ^= self.started[0] ^ self.started[1] ^ self.end[0] ^ self.end[1]
        if self.suspended is not None:
            word ^= self.suspended[0] ^ self.suspended[1]
        return word
