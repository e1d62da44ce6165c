"""Volume left in the syringe: computed from the ledger, with a guard, not measured by a sensor [D5, RES-04]."""

from pump.base.units import const
from pump.delivery.ledger import ACCOUNTS, CREDIT

EMPTY_NL = const(300_000)  # alarm `reservoir_empty`
GUARD_NL = const(500_000)  # no bolus may take the volume below this [LIM-16]
# Alarm `reservoir_low`: the largest of LOW_NL, two boluses, and LOW_BASAL_H of basal
LOW_NL = const(1_000_000)
LOW_BASAL_H = const(4)


class Reservoir:
    """Volume left, and its thresholds as counts of usteps drawn, so that the delivery tick only compares ints."""

    def __init__(self, ledger):
        self._ledger = ledger
        self.fill_nl = 0
        self.mark_nl = 0  # `drawn_nl()` when the syringe was filled
        self._low_at = self._empty_at = 0  # usteps drawn

    def drawn_nl(self):
        """Volume drawn from all syringes since the pump was new, nL: therapy and priming, less the retracted volume."""
        volume_nl = self._ledger.volume_nl
        return sum(volume_nl(k) for k in range(ACCOUNTS) if k != CREDIT) - volume_nl(CREDIT)

    def remaining_nl(self):
        """Volume left in nL, at least 0."""
        return max(0, self.fill_nl - (self.drawn_nl() - self.mark_nl))

    def fill(self, nl):
        """A syringe with `nl` was inserted."""
        self.fill_nl = nl
        self.mark_nl = self.drawn_nl()

    def restore(self, fill_nl, mark_nl):
        """What FRAM has kept: the fill, and the volume drawn in total at that time, in nL."""
        self.fill_nl, self.mark_nl = fill_nl, mark_nl

    def set_thresholds(self, bolus_nl, flow_nl_per_h):
        """Sets the thresholds for a prescription: low at max(1 mL, two boluses, 4 h of basal), empty at 0.3 mL."""
        low_nl = max(LOW_NL, 2 * bolus_nl, LOW_BASAL_H * flow_nl_per_h)
        drawn, remaining, pl = self._ledger.drawn_usteps(), self.remaining_nl(), self._ledger.pl_step
        self._low_at = drawn + (remaining - low_nl) * 1000 // pl
        self._empty_at = drawn + (remaining - EMPTY_NL) * 1000 // pl

    def is_low(self):
        """True at or below the low threshold. Runs in the delivery tick."""
        return self._ledger.drawn_usteps() >= self._low_at

    def is_empty(self):
        """True at or below the empty threshold. Runs in the delivery tick."""
        return self._ledger.drawn_usteps() >= self._empty_at

    def fits(self, bolus_nl, committed_nl):
        """True if the volume left covers a bolus, `committed_nl` of boluses that run, and GUARD_NL."""
        return self.remaining_nl() >= bolus_nl + committed_nl + GUARD_NL

    def check_word(self):
        """See `base.dose_guard`."""
        return self.fill_nl ^ hash(self.mark_nl) ^ self._low_at ^ self._empty_at
