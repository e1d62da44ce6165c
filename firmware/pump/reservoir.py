"""What is left in the syringe, by the ledger: dead reckoning with a guard, never a sensor's tolerance [D5, RES-04]."""

from pump.ledger import ACCOUNTS, CREDIT
from pump.units import const

EMPTY_NL = const(300_000)
GUARD_NL = const(500_000)  # kept back from every bolus [LIM-16]
LOW_NL = const(1_000_000)
LOW_BASAL_H = const(4)


class Reservoir:
    """Volume left, and the counter readings at which it gets low or empty (so that the tick only compares ints)."""

    def __init__(self, ledger):
        self._ledger = ledger
        self.fill_nl = 0
        self.mark_nl = 0  # drawn in total when the syringe was filled
        self._low_at = self._empty_at = 0

    def drawn_nl(self):
        """Volume that ever left the syringes, priming included."""
        volume_nl = self._ledger.volume_nl
        return sum(volume_nl(k) for k in range(ACCOUNTS) if k != CREDIT) - volume_nl(CREDIT)

    def remaining_nl(self):
        """Volume left, at least 0."""
        return max(0, self.fill_nl - (self.drawn_nl() - self.mark_nl))

    def fill(self, nl):
        """A syringe with `nl` was put in."""
        self.fill_nl = nl
        self.mark_nl = self.drawn_nl()

    def watch(self, bolus_nl, flow_nl_per_h):
        """Sets the thresholds for a prescription: low at max(1 mL, two boluses, 4 h of basal), empty at 0.3 mL."""
        low_nl = max(LOW_NL, 2 * bolus_nl, LOW_BASAL_H * flow_nl_per_h)
        drawn, remaining, pl = self._ledger.drawn_usteps(), self.remaining_nl(), self._ledger.pl_step
        self._low_at = drawn + (remaining - low_nl) * 1000 // pl
        self._empty_at = drawn + (remaining - EMPTY_NL) * 1000 // pl

    def is_low(self):
        """True at or below the low mark. Runs in the delivery tick."""
        return self._ledger.drawn_usteps() >= self._low_at

    def is_empty(self):
        """True at or below the empty mark. Runs in the delivery tick."""
        return self._ledger.drawn_usteps() >= self._empty_at

    def fits(self, bolus_nl, promised_nl):
        """Whether a bolus fits beside what is promised already, with the guard."""
        return self.remaining_nl() >= bolus_nl + promised_nl + GUARD_NL
