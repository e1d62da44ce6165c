"""One bolus on its way: what was asked for, when it is to end, and how it stands."""

from pump.clock import add
from pump.limits import Pending


class Bolus:
    """A PCA or clinician bolus that runs or is suspended. One object a kind, used again."""

    def __init__(self, kind, stream):
        self.kind = kind
        self.stream = stream
        self.active = False
        self.request = (0, 0)
        self.started = (0, 0)
        self.suspended = None  # instant since when another bolus has held it up
        self.end = (0, 0)  # planned, unless suspended
        self.usteps = 0
        self.mass_ng = 0
        self.duration_ms = 0
        self.mark = 0  # its account in the ledger when it began

    def begin(self, now, request, usteps, mass_ng, duration_ms, mark):
        """Starts it at `now` (s, ms). `mark`: microsteps of its kind that are booked already."""
        self.active = True
        self.mark = mark
        self.request, self.started, self.suspended = request, now, None
        self.usteps, self.mass_ng, self.duration_ms = usteps, mass_ng, duration_ms
        self.end = add(now[0], now[1], 0, duration_ms)

    def suspend(self, now):
        """Another bolus goes first."""
        self.suspended = now

    def resume(self, now):
        """Goes on with what is left; its end moves by the time it was held up."""
        self.end = self.end_if_resumed(now)
        self.suspended = None

    def end_if_resumed(self, when):
        """Its planned end, if it is (or will be) resumed at `when`."""
        if self.suspended is None:
            return self.end
        held_ms = (when[0] - self.suspended[0]) * 1000 + when[1] - self.suspended[1]
        return add(self.end[0], self.end[1], 0, held_ms)

    def pending(self, end):
        """What the windows must count for it: whole, ending at `end`."""
        return Pending(self.kind, self.mass_ng, end[0], end[1])
