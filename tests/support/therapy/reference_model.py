"""Reference model of the therapy rules: keeps every event, answers each question by reading them all.

Written from the contract alone and sharing no line with the pump, so that both agree only if both are right. Not fast
and not bounded: integers in ms and ng, fractions where a division is not exact, and a search through every instant at
which anything can change.

Rules, in the words of the contract:

- A bolus that ended at `e` is in a window `W` at `t` iff `e > t - W`; a running one is in every window.
- A rate replaced at `x` was in force in the window iff `x > t - W`; it is in force from its confirmation until
  another prescription replaces it, started or not, also while stopped or cancelled.
- A lockout `L` after an end `e` is over iff `t >= e + L`; of all prescriptions since, the longest L holds.
- boluses in the window + this one + a full window of basal at the highest rate <= limit.
"""

from dataclasses import dataclass, field
from fractions import Fraction

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WINDOWS_MS = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "24h": DAY_MS}
DEMAND_GAP_MS = 2000  # a press within it of the last press is no new demand
GUARD_NL = 500_000  # 0.5 mL that a bolus leaves in the reservoir

REASONS = (
    "pendant",
    "hold",
    "alarm",
    "not_infusing",
    "no_pca",
    "bridge",
    "log_failed",
    "running",
    "lockout",
    "count_1h",
    "count_24h",
    "limit_1h",
    "limit_4h",
    "limit_24h",
    "reservoir",
)
CLINICIAN_REASONS = (
    "hold",
    "alarm",
    "not_infusing",
    "bridge",
    "running",
    "lockout",
    "limit_1h",
    "limit_4h",
    "limit_24h",
    "reservoir",
)
# The reasons that pass with time alone: only they have a next possible time.
REASONS_OF_TIME = ("bridge", "running", "lockout", "count_1h", "count_24h", "limit_1h", "limit_4h", "limit_24h")


def ceil(number):
    """Smallest integer that is not below `number` (int or Fraction)."""
    return -((-number.numerator) // number.denominator)


@dataclass(frozen=True)
class Prescription:
    """What was signed and confirmed. A limit or count that is None was stated as "none".

    `equivalence` says what one ng of another drug counts as, such as {"morphine": Fraction(1, 5)}.
    """

    drug: str = "test-fluid"
    concentration_ug_per_ml: int = 1000
    basal_ug_per_day: int = 0
    bolus_ug: int = 0
    bolus_duration_s: int = 60
    lockout_s: int = 60
    max_boluses_per_h: int | None = None
    max_boluses_per_24h: int | None = None
    limit_1h_ug: int | None = None
    limit_4h_ug: int | None = None
    limit_24h_ug: int | None = None
    equivalence: dict = field(default_factory=dict, hash=False)

    def limit_ng(self, window):
        """Limit in ng of the window "1h", "4h" or "24h"; None if there is none."""
        ug = getattr(self, f"limit_{window}_ug")
        return None if ug is None else ug * 1000

    def counts_as(self, drug):
        """Fraction that a mass of `drug` is multiplied with to be a mass of this prescription's drug."""
        return Fraction(1) if drug == self.drug else Fraction(self.equivalence[drug])


@dataclass
class Bolus:
    """One accepted bolus. `end` is None while it runs; `ng` is its mass in the windows."""

    kind: str  # "pca" or "clinician"
    drug: str
    start: int
    prescribed_ng: int
    planned_end: int  # ms at which it ends if nothing else happens
    end: int | None = None
    ng: int | None = None  # what was prescribed, or what was booked if it was interrupted
    booked_ng: int = 0  # of a running one: what is on the ledger so far

    def __post_init__(self):
        if self.ng is None:
            self.ng = self.prescribed_ng

    def runs_at(self, t):
        """True if it ran at `t`."""
        return self.start <= t and (self.end is None or t < self.end)

    def is_in(self, window_ms, t):
        """True if it counts in a window of `window_ms` that ends at `t` (ms)."""
        return self.end is None or self.end > t - window_ms


@dataclass
class Reign:
    """A prescription from the instant it was confirmed until another one replaced it."""

    rx: Prescription
    confirmed: int
    replaced: int | None = None


class ReferenceModel:
    """The therapy as its events say it. Times are ms of the pump's monotonic clock, masses ng, volumes nL."""

    def __init__(self):
        self.reigns = []  # every prescription ever confirmed
        self.boluses = []  # every bolus ever accepted
        self.presses = []  # every contact of the pendant
        self.refusals = []  # (t, reason)
        self.infusing = False
        self.cancelled = False
        self.pendant_fault = False
        self.hold = False
        self.log_failed = False
        self.bridged = False  # another drug is in the line; what has left the tip tells it, see `fluid_queue`
        self.alarms = {}  # code -> action, of those that stand

    # --- what happened

    def confirmed(self, t, rx):
        """A new prescription was confirmed at `t`; it replaces the one before and clears nothing."""
        if self.reigns:
            self.reigns[-1].replaced = t
        self.reigns.append(Reign(rx, t))
        self.infusing = False
        self.cancelled = False

    def started(self, t):
        """Therapy runs from `t`."""
        self.infusing = True

    def stopped(self, t):
        """Delivery stopped at `t`. Running boluses are ended by `interrupted`, not here."""
        self.infusing = False

    def cancel(self, t):
        """The clinician ended the prescription at `t`: it can be started no more, and forgets nothing."""
        self.infusing = False
        self.cancelled = True

    def accepted(self, t, kind, ng, planned_end):
        """A bolus of `ng` started at `t`, which ends at `planned_end` unless something else happens."""
        self.boluses.append(Bolus(kind, self.rx.drug, t, ng, planned_end))
        return self.boluses[-1]

    def delivered(self, bolus, t):
        """`bolus` ended whole at `t`."""
        bolus.end = t

    def interrupted(self, bolus, t, booked_ng):
        """`bolus` was ended at `t` with `booked_ng` of it on the ledger."""
        bolus.end = t
        bolus.ng = booked_ng

    def cut(self, bolus, t):
        """Power was lost during `bolus`, which counts whole; the pump says that it ended at `t`."""
        bolus.end = t

    def pressed(self, t):
        """The pendant was pressed at `t`. True if that is a demand."""
        demand = not any(t - earlier < DEMAND_GAP_MS for earlier in self.presses)
        self.presses.append(t)
        return demand

    # --- what is the case

    @property
    def rx(self):
        """The prescription in force; IndexError if there never was one."""
        return self.reigns[-1].rx

    def running(self, t, kind=None):
        """The boluses (of one kind) that ran at `t`."""
        return [b for b in self.boluses if b.runs_at(t) and kind in (None, b.kind)]

    def lockout_end(self, end):
        """The ms at which the lockout that a bolus started by ending at `end` is over."""
        lockouts = [r.rx.lockout_s for r in self.reigns if r.replaced is None or r.replaced >= end]
        return end + 1000 * max(lockouts)

    def highest_basal_ng(self, t, window_ms, rx):
        """Mass in ng, rounded up, of a full window of basal at the highest rate.

        That is the highest in force in the past window or scheduled by `rx`; a rate of another drug counts by
        the equivalence of `rx`.
        """
        rates = [Fraction(rx.basal_ug_per_day)]
        for reign in self.reigns:
            in_window = reign.replaced is None or reign.replaced > t - window_ms
            if in_window and reign.rx.basal_ug_per_day:
                rates.append(reign.rx.basal_ug_per_day * rx.counts_as(reign.rx.drug))
        return ceil(max(rates) * 1000 * window_ms / DAY_MS)

    def boluses_ng(self, t, window_ms, rx):
        """Mass in ng of the boluses in the window that ends at `t`, each as `rx` counts it, rounded up."""
        inside = [b for b in self.boluses if b.is_in(window_ms, t)]
        return sum(b.ng if b.drug == rx.drug else 1000 * ceil(b.ng * rx.counts_as(b.drug) / 1000) for b in inside)

    def projected_ng(self, t, window, bolus_ng=0, rx=None):
        """What the window would hold with one more bolus of `bolus_ng` and a full window of basal."""
        rx = rx or self.rx
        window_ms = WINDOWS_MS[window]
        return self.boluses_ng(t, window_ms, rx) + bolus_ng + self.highest_basal_ng(t, window_ms, rx)

    def passes_limit(self, t, window, bolus_ng, rx=None):
        """True if the projection is above the limit of that window."""
        limit_ng = (rx or self.rx).limit_ng(window)
        return limit_ng is not None and self.projected_ng(t, window, bolus_ng, rx) > limit_ng

    def count(self, t, window):
        """Accepted patient boluses inside the window, interrupted ones too, by their end."""
        return sum(b.kind == "pca" and b.is_in(WINDOWS_MS[window], t) for b in self.boluses)

    def locked_out(self, t, kind):
        """True if a lockout runs at `t` for a bolus of `kind`.

        During a clinician bolus (whose own lockout starts at its end) only the patient boluses lock one out.
        """
        ended = [b for b in self.boluses if b.end is not None and b.end <= t]
        if kind == "pca" and self.running(t, "clinician"):
            ended = [b for b in ended if b.kind == "pca"]
        return any(t < self.lockout_end(end) for end in [b.end for b in ended])

    # --- decisions

    def reasons(self, t, kind, ng, remaining_nl):
        """Every reason against a bolus at `t`, unordered."""
        rx = self.rx
        over = {w: self.passes_limit(t, w, ng) for w in WINDOWS_MS}
        most = {"1h": rx.max_boluses_per_h, "24h": rx.max_boluses_per_24h}
        rest_ng = sum(b.prescribed_ng - b.booked_ng for b in self.running(t, "clinician"))
        need_nl = Fraction((ng + rest_ng) * 1000, rx.concentration_ug_per_ml) + GUARD_NL
        found = {
            "pendant": self.pendant_fault,
            "hold": self.hold,
            "alarm": any(action in ("stop", "no_bolus") for action in self.alarms.values()),
            "not_infusing": not self.infusing,
            "no_pca": rx.bolus_ug == 0,
            "bridge": self.bridged,
            "log_failed": self.log_failed,
            "running": bool(self.running(t, "pca" if kind == "pca" else None)),
            "lockout": self.locked_out(t, kind),
            **{f"count_{w}": n is not None and self.count(t, w) >= n for w, n in most.items()},
            **{f"limit_{w}": over[w] for w in WINDOWS_MS},
            "reservoir": remaining_nl is not None and remaining_nl < need_nl,
        }
        return [r for r in (REASONS if kind == "pca" else CLINICIAN_REASONS) if found[r]]

    def refusal(self, t, kind="pca", ng=None, remaining_nl=None):
        """The first reason in the contract's order against a bolus at `t`, or None if it must be accepted.

        `remaining_nl` None leaves the reservoir out. `ng` None is the bolus of the prescription.
        """
        if ng is None:
            ng = self.rx.bolus_ug * 1000
        return next(iter(self.reasons(t, kind, ng, remaining_nl)), None)

    def new_prescription_refusal(self, t, rx):
        """limit_1h, limit_4h or limit_24h if `rx` must be refused for it at `t`, else None."""
        over = [f"limit_{w}" for w in WINDOWS_MS if self.passes_limit(t, w, 0, rx)]
        return over[0] if over else None

    def next_possible(self, now, kind="pca", ng=None):
        """Earliest ms >= `now` at which a bolus would be accepted if nothing else happened; None for never.

        Only what passes with time is looked at: running, lockout, counts and limits. Every instant at
        which any of these can change is tried in order; running boluses are taken to end as planned.
        """
        if ng is None:
            ng = self.rx.bolus_ug * 1000
        if ng == 0:
            return None
        for t in self.instants(now):
            future = self.as_if_nothing_happened_until(t)
            if not any(r in REASONS_OF_TIME for r in future.reasons(t, kind, ng, None)):
                return t
        return None

    def instants(self, now):
        ends = [b.planned_end if b.end is None else b.end for b in self.boluses]
        changes = [now, *ends]
        for end in ends:
            changes += [end + 1000 * r.rx.lockout_s for r in self.reigns]
            changes += [end + w for w in WINDOWS_MS.values()]
        for reign in self.reigns:
            if reign.replaced is not None:
                changes += [reign.replaced + w for w in WINDOWS_MS.values()]
        return sorted({t for t in changes if t >= now})

    def as_if_nothing_happened_until(self, t):
        future = ReferenceModel()
        future.reigns = self.reigns
        future.infusing = True
        for b in self.boluses:
            end = b.planned_end if b.end is None and b.planned_end <= t else b.end
            future.boluses.append(Bolus(b.kind, b.drug, b.start, b.prescribed_ng, b.planned_end, end, b.ng))
        return future
