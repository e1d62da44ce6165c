"""Limits on a bolus: lockout, counts and rolling mass windows; the reason of a refusal and the next possible time.

The rule for a window W that ends now [LIM-07, decision 4; the published counter-example is D1 of the Open PCA review]:
    boluses that ended in it or are running + this bolus + a FULL window of basal, at the highest rate in force
    in the past window or scheduled in the next, <= limit.
Without new boluses every term only falls as time passes, so the next possible time is the latest of the instants at
which each rule is first met. Runs once per press, not in the delivery tick, so it may use ints past 2^30. Instants are
(s, ms); masses are ng.
"""

from pump.base.clock import add, before, later
from pump.base.units import DAY_S, HOUR_S, const
from pump.dosing.dose_history import BOLUSES, NG_PER_UG, PCA, restated

# Reasons for a refusal, in the order in which they are checked, but for BRIDGE. The numbers are part of the records.
ACCEPTED = const(0)
PENDANT = const(1)  # never given: a faulty pendant gives no press
HOLD = const(2)  # the interlock of a respiratory monitor [ITH-10]
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
NOT_CONFIRMED = const(15)  # of an order only: another took its place, or START was not pressed in time
BRIDGE = const(16)  # another drug in the line; checked after NO_PCA

REASONS = (
    None, "pendant", "hold", "alarm", "not_infusing", "no_pca", "log_failed", "running", "lockout",
    "count_1h", "count_24h", "limit_1h", "limit_4h", "limit_24h", "reservoir", "not_confirmed", "bridge",
)  # fmt: skip

FOUR_HOURS_S = const(14_400)
SPARE = const(4)  # places of the history kept for boluses that run already

NEVER = None


class Pending:
    """A running or suspended bolus as the windows count it: its whole mass, at its planned end."""

    def __init__(self, kind, mass_ng, end_s, end_ms):
        self.kind, self.mass_ng, self.end_s, self.end_ms = kind, mass_ng, end_s, end_ms


def basal_ng(ug_per_day, window_s):
    """Mass in ng of `window_s` of basal, rounded up."""
    return (ug_per_day * 1000 * window_s + DAY_S - 1) // DAY_S


class Limits:
    """The limits of the prescription `rx` over a `DoseHistory`. A limit or count of 0 means "none".

    `factor` (numerator, denominator) converts past masses and rates of another drug into those of the prescribed drug.
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
        # Copies for the guard, of their own: `tuple` of a tuple would be the same one.
        self._kept_windows = tuple((window_s, limit_ng, reason) for window_s, limit_ng, reason in self._windows)
        self._kept_counts = tuple((window_s, most, reason) for window_s, most, reason in self._counts)

    def refusal(self, mass_ng, s, ms, pending=(), counted=True):
        """The first limit that a bolus of `mass_ng` at (s, ms) would break, or ACCEPTED.

        `pending`: the boluses running or suspended at that instant. `counted`: the counts apply (PCA boluses only).
        """
        if len(self._history.boluses) >= BOLUSES - SPARE:
            return COUNT_24H  # the history has no place to keep the bolus for 24 h
        if counted:
            for window_s, most, reason in self._counts:
                if most and self._count_free_at(window_s, most, s, ms, pending) != (s, ms):
                    return reason
        for window_s, limit_ng, reason in self._windows:
            if limit_ng and self._mass_free_at(window_s, limit_ng, mass_ng, s, ms, pending) != (s, ms):
                return reason
        return ACCEPTED

    def refusal_of_prescription(self, s, ms, pending, basal_in_force_ug_per_day):
        """The first mass limit of this prescription that past doses already exceed at (s, ms), or ACCEPTED.

        The sum is that of the rule without a new bolus; the highest rate includes the basal rate in force until now.
        """
        own = self.basal_ug_per_day
        self.basal_ug_per_day = max(own, self._converted(basal_in_force_ug_per_day))
        reason = self.refusal(0, s, ms, pending, counted=False)
        self.basal_ug_per_day = own
        return reason

    def _converted(self, amount, unit=1):
        if self._factor == (1, 1):
            return amount
        return restated(amount, self._factor[0], self._factor[1], unit)

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
        """When fewer than `most` PCA boluses are in the window: (s, ms) itself, or when enough have left it."""
        ends = [(e_s, e_ms) for e_s, e_ms, _, kind in self._in_window(window_s, s, ms, pending) if kind == PCA]
        if len(ends) < most:
            return s, ms
        e_s, e_ms = ends[len(ends) - most]
        return e_s + window_s, e_ms

    def _mass_free_at(self, window_s, limit_ng, mass_ng, s, ms, pending):
        """When boluses + basal + `mass_ng` fit the limit: (s, ms) itself, when enough has left the window, or NEVER."""
        boluses = self._in_window(window_s, s, ms, pending)
        rates = self._rates_in_window(window_s, s, ms)
        room_ng = limit_ng - mass_ng
        given_ng = sum(entry[2] for entry in boluses)
        when = (s, ms)
        while given_ng + basal_ng(self._highest(rates), window_s) > room_ng:
            # Whichever leaves the window first is taken out: the oldest bolus, or the highest past rate.
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
        """The highest of the prescribed basal rate and the past rates still in the window, ug/day."""
        return max(rates[0][2], self.basal_ug_per_day) if rates else self.basal_ug_per_day

    def _in_window(self, window_s, s, ms, pending):
        """Past and pending boluses in the window, by their (planned) end: (end s, end ms, mass ng, kind)."""
        ring = self._history.boluses
        edge = s - window_s
        found = []
        k = len(ring) - 1
        while k >= 0:
            entry = ring.at(k)
            if entry[0] < edge or (entry[0] == edge and entry[1] <= ms):
                break
            found.append((entry[0], entry[1], self._converted(entry[2], NG_PER_UG), entry[3]))
            k -= 1
        found.reverse()
        for p in pending:
            if before(edge, ms, p.end_s, p.end_ms):
                found.append((p.end_s, p.end_ms, self._converted(p.mass_ng, NG_PER_UG), p.kind))
        found.sort(key=_by_end)
        return found

    def _rates_in_window(self, window_s, s, ms):
        """Past rates in the window that are higher than every later rate, oldest first: (until s, until ms, ug/day).

        So the first is the highest, and when it leaves the window the next one is.
        """
        ring = self._history.rates
        edge = s - window_s
        found = []
        k = len(ring) - 1
        while k >= 0:
            entry = ring.at(k)
            if entry[0] < edge or (entry[0] == edge and entry[1] <= ms):
                break
            rate = self._converted(entry[2])
            if not found or rate > found[0][2]:
                found.insert(0, (entry[0], entry[1], rate))
            k -= 1
        return found

    def check_word(self):
        """See `base.dose_guard`. A limit in ng can be a large int, which is compared without allocation."""
        return (
            self.basal_ug_per_day << 2
            ^ (self._windows == self._kept_windows) << 1
            ^ (self._counts == self._kept_counts)
        )


def _by_end(entry):
    return entry[0], entry[1]


class Lockouts:
    """The two lockouts. Every bolus end starts one, and nothing shortens or clears it [LIM-01, -26, -27].

    `pca_*`: from the last end of a PCA bolus. `any_*`: from the last end of either kind. `*_end`: the bolus end,
    `*_until`: the end of the lockout. During a clinician bolus only the first blocks a PCA press.
    """

    def __init__(self):
        self.pca_end = (0, 0)
        self.any_end = (0, 0)
        self.pca_until = (0, 0)
        self.any_until = (0, 0)

    def restore(self, pca_end, any_end, pca_until, any_until):
        """What FRAM has kept, each an instant (s, ms)."""
        self.pca_end, self.any_end, self.pca_until, self.any_until = pca_end, any_end, pca_until, any_until

    def bolus_ended(self, s, ms, is_pca, lockout_s):
        """Starts a full lockout at the bolus end (s, ms)."""
        self.any_end = (s, ms)
        self.any_until = later(self.any_until, add(s, ms, lockout_s))
        if is_pca:
            self.pca_end = (s, ms)
            self.pca_until = later(self.pca_until, add(s, ms, lockout_s))

    def change_length(self, lockout_s):
        """A new prescription has `lockout_s`: a lockout that runs is extended if the new one ends later."""
        if self.any_end != (0, 0):
            self.any_until = later(self.any_until, add(self.any_end[0], self.any_end[1], lockout_s))
        if self.pca_end != (0, 0):
            self.pca_until = later(self.pca_until, add(self.pca_end[0], self.pca_end[1], lockout_s))

    def block_until(self, s, ms):
        """Blocks every bolus until (s, ms), because time or history could not be proven."""
        self.pca_until = later(self.pca_until, (s, ms))
        self.any_until = later(self.any_until, (s, ms))

    def check_word(self):
        """See `base.dose_guard`."""
        a, b = self.pca_until, self.any_until
        word = a[0] ^ a[1] ^ b[0] ^ b[1]
        a, b = self.pca_end, self.any_end
        return word ^ a[0] ^ a[1] ^ b[0] ^ b[1]
