"""May this bolus start, and if not, why not and when? Lockout, counts and rolling mass windows.

The rule for a window W that ends now [LIM-07, decision 4; the published counter-example is D1 of the Open PCA review]:
    boluses that ended in it or are running + this bolus + a FULL window of basal, at the highest rate in force
    in the past window or scheduled in the next, <= limit.
Without new boluses every term only falls as time passes, so "when next" is the latest of the instants at which each
rule is first met. Runs once a press, not in the delivery tick, so it may use ints past 2^30.
"""

from pump.clock import add, before, later
from pump.history import BOLUSES, PCA
from pump.units import DAY_S, HOUR_S, const

# Reasons, in the order in which they are looked for.
ACCEPTED = const(0)
PENDANT = const(1)
HOLD = const(2)
ALARM = const(3)
NOT_INFUSING = const(4)
NO_PCA = const(5)
LOG_FAILED = const(6)
RUNNING = const(7)
LOCKOUT = const(8)
COUNT_1H = const(9)
COUNT_24H = const(10)
LIMIT_1H = const(11)
LIMIT_4H = const(12)
LIMIT_24H = const(13)
RESERVOIR = const(14)

REASONS = (
    None, "pendant", "hold", "alarm", "not_infusing", "no_pca", "log_failed", "running", "lockout",
    "count_1h", "count_24h", "limit_1h", "limit_4h", "limit_24h", "reservoir",
)  # fmt: skip

FOUR_HOURS_S = const(14_400)
SPARE = const(4)  # places of the history kept for what runs already

NEVER = None


class Pending:
    """A bolus that is running or suspended, as the windows see it: whole mass, ending when it is planned to end."""

    def __init__(self, kind, mass_ng, end_s, end_ms):
        self.kind, self.mass_ng, self.end_s, self.end_ms = kind, mass_ng, end_s, end_ms


def basal_ng(ug_per_day, window_s):
    """Mass of a full window of basal in ng, rounded up."""
    return (ug_per_day * 1000 * window_s + DAY_S - 1) // DAY_S


class Limits:
    """The limits of one prescription over one history. Masses in ng; a limit or count of 0 means "none".

    `factor` (numerator, denominator) restates past mass in the prescribed drug, where the past was another drug's.
    """

    def __init__(self, rx, history, factor=(1, 1)):
        self.basal_ug_per_day = rx.basal_ug_per_day
        self._history = history
        self._factor = factor
        self._windows = (
            (HOUR_S, rx.limit_1h_ug * 1000, LIMIT_1H),
            (FOUR_HOURS_S, rx.limit_4h_ug * 1000, LIMIT_4H),
            (DAY_S, rx.limit_24h_ug * 1000, LIMIT_24H),
        )
        self._counts = (
            (HOUR_S, rx.max_boluses_per_h, COUNT_1H),
            (DAY_S, rx.max_boluses_per_24h, COUNT_24H),
        )

    def refusal(self, mass_ng, s, ms, pending=(), counted=True):
        """The first limit that a bolus of `mass_ng` at (s, ms) would break, or ACCEPTED.

        `pending` are the boluses running or suspended at that instant. `counted`: PCA boluses obey the counts.
        """
        if len(self._history.boluses) >= BOLUSES - SPARE:
            return COUNT_24H  # the pump could not remember it for 24 h
        if counted:
            for window_s, most, reason in self._counts:
                if most and self._count_free_at(window_s, most, s, ms, pending) != (s, ms):
                    return reason
        for window_s, limit_ng, reason in self._windows:
            if limit_ng and self._mass_free_at(window_s, limit_ng, mass_ng, s, ms, pending) != (s, ms):
                return reason
        return ACCEPTED

    def admits(self, s, ms, pending, basal_in_force_ug_per_day):
        """The first window that this prescription would break by what was given already, or ACCEPTED.

        No bolus is asked for: boluses in the window or running, and a full window at the highest rate, the one in
        force until now included, must fit.
        """
        own = self.basal_ug_per_day
        self.basal_ug_per_day = max(own, self._restated(basal_in_force_ug_per_day))
        reason = self.refusal(0, s, ms, pending, counted=False)
        self.basal_ug_per_day = own
        return reason

    def _restated(self, amount):
        return (amount * self._factor[0] + self._factor[1] - 1) // self._factor[1]

    def earliest(self, mass_ng, s, ms, pending=(), counted=True):
        """The earliest instant (s, ms) from the given one at which the limits allow the bolus, or NEVER."""
        when = (s, ms)
        if counted:
            for window_s, most, _ in self._counts:
                if most:
                    when = later(when, self._count_free_at(window_s, most, s, ms, pending))
        for window_s, limit_ng, _ in self._windows:
            if limit_ng:
                free = self._mass_free_at(window_s, limit_ng, mass_ng, s, ms, pending)
                if free is NEVER:
                    return NEVER
                when = later(when, free)
        return when

    def _count_free_at(self, window_s, most, s, ms, pending):
        """When fewer than `most` PCA boluses lie in the window: now, or when the one too many leaves it."""
        ends = [(e_s, e_ms) for e_s, e_ms, _, kind in self._in_window(window_s, s, ms, pending) if kind == PCA]
        if len(ends) < most:
            return s, ms
        e_s, e_ms = ends[len(ends) - most]
        return e_s + window_s, e_ms

    def _mass_free_at(self, window_s, limit_ng, mass_ng, s, ms, pending):
        """When boluses + basal + `mass_ng` fit the limit: now, when enough has left the window, or NEVER."""
        boluses = self._in_window(window_s, s, ms, pending)
        rates = self._rates_in_window(window_s, s, ms)
        room_ng = limit_ng - mass_ng
        given_ng = sum(entry[2] for entry in boluses)
        when = (s, ms)
        while given_ng + basal_ng(self._highest(rates), window_s) > room_ng:
            # Let the next thing leave the window: the oldest bolus, or the highest past rate.
            bolus, rate = boluses[0] if boluses else NEVER, rates[0] if rates else NEVER
            if bolus is NEVER and rate is NEVER:
                return NEVER
            if rate is NEVER or (bolus is not NEVER and before(bolus[0], bolus[1], rate[0], rate[1])):
                when = (bolus[0] + window_s, bolus[1])
                given_ng -= boluses.pop(0)[2]
            else:
                when = (rate[0] + window_s, rate[1])
                rates.pop(0)
        return when

    def _highest(self, rates):
        """The highest of the prescribed basal rate and the past ones still in the window, ug/day."""
        return max(rates[0][2], self.basal_ug_per_day) if rates else self.basal_ug_per_day

    def _in_window(self, window_s, s, ms, pending):
        """Boluses in the window, oldest end first: (end s, end ms, mass ng, kind); pending ones at their end."""
        ring = self._history.boluses
        edge = s - window_s
        found = []
        k = len(ring) - 1
        while k >= 0:
            entry = ring.at(k)
            if entry[0] < edge or (entry[0] == edge and entry[1] <= ms):
                break
            found.append((entry[0], entry[1], self._restated(entry[2]), entry[3]))
            k -= 1
        found.reverse()
        for p in pending:
            if before(edge, ms, p.end_s, p.end_ms):
                found.append((p.end_s, p.end_ms, self._restated(p.mass_ng), p.kind))
        found.sort(key=_by_end)
        return found

    def _rates_in_window(self, window_s, s, ms):
        """Past rates in force in the window, each higher than all that were in force after it, oldest first.

        Only such a rate can be the highest, and when it leaves, the next in the list takes its place.
        """
        ring = self._history.rates
        edge = s - window_s
        found = []
        k = len(ring) - 1
        while k >= 0:
            entry = ring.at(k)
            if entry[0] < edge or (entry[0] == edge and entry[1] <= ms):
                break
            rate = self._restated(entry[2])
            if not found or rate > found[0][2]:
                found.insert(0, (entry[0], entry[1], rate))
            k -= 1
        return found


def _by_end(entry):
    return entry[0], entry[1]


class Lockouts:
    """When a lockout ends. Every bolus end starts one, and nothing shortens or clears it [LIM-01, -26, -27].

    `pca` runs from the last PCA end; `any` from the last end of either kind. During a clinician bolus only
    the first holds a PCA press back.
    """

    def __init__(self):
        self.pca_end = (0, 0)
        self.any_end = (0, 0)
        self.pca_until = (0, 0)
        self.any_until = (0, 0)

    def bolus_ended(self, s, ms, is_pca, lockout_s):
        """Starts a full lockout at the end (s, ms) of a bolus."""
        self.any_end = (s, ms)
        self.any_until = later(self.any_until, add(s, ms, lockout_s))
        if is_pca:
            self.pca_end = (s, ms)
            self.pca_until = later(self.pca_until, add(s, ms, lockout_s))

    def prescribed(self, lockout_s):
        """A new lockout length: the longer one holds for a lockout that runs."""
        if self.any_end != (0, 0):
            self.any_until = later(self.any_until, add(*self.any_end, lockout_s))
        if self.pca_end != (0, 0):
            self.pca_until = later(self.pca_until, add(*self.pca_end, lockout_s))

    def block_until(self, s, ms):
        """Holds every bolus back until (s, ms): time or history could not be proven."""
        self.pca_until = later(self.pca_until, (s, ms))
        self.any_until = later(self.any_until, (s, ms))
