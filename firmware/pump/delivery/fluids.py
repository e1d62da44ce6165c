"""The fluids between plunger and tip: what is in the syringe, what the line still holds, what leaves the tip [H11].

A prescription of another drug, strength or syringe changes nothing here: the syringe in the holder is the one that a
clinician named last. START does nothing until the clamp was opened and a refill named what is prescribed.

After an exchange the line holds the old fluid, and a front moves through it with the plunger. Until it has passed the
tip, a bridge, the pump doses what leaves the tip. From FRONT_PERCENT before one dead space to as much after it either
fluid may be there: the stronger counts. So the strength at the tip changes once: early to a stronger fluid, late to a
weaker one. Of another drug, basal is the lower of the old and the new rate until one dead space.

`front_is_due` runs in the delivery tick: no allocation.
"""

from binascii import crc32

from pump.base.units import HOUR_S, const, flow_nl_per_h, pl_per_ustep, volume_nl_of_usteps
from pump.delivery.schedule import GRANT_PL, MAX_STEPS

FRONT_PERCENT = const(10)
_NEVER = const(0x3FFFFFFF)


def drug_number(drug):
    """A number below 2^30 for the name of a drug; never 0."""
    return crc32(drug.encode()) & 0x3FFFFFFF or 1


def basal_in_bridge(new_ug_per_day, old_ug_per_day, equivalence, is_old, is_through):
    """Basal in ug/day of the drug at the tip, in a bridge to another drug; rounded toward less drug.

    is_old: the line's drug is at the tip. is_through: one dead space was pumped, the new rate holds.
    """
    numerator, denominator = equivalence
    if is_old:
        restated = new_ug_per_day * denominator // numerator if numerator else 0
        return restated if is_through else min(restated, old_ug_per_day)
    return new_ug_per_day if is_through else min(new_ug_per_day, old_ug_per_day * numerator // denominator)


class Fluids:
    """drug, ug_per_ml: what is in the syringe; 0: no syringe was named yet. The syringe's size is the ledger's pl_step.

    unnamed           the clamp was opened, and no refill has said since what is in the holder
    as_prescribed     drug, strength and size are those of the prescription
    line_drug, line_ug_per_ml  the old fluid in a bridge; 0: no bridge
    line_basal_ug_per_day      of the prescription under which another drug was given, as mass of that drug
    equivalence       (mass of the prescribed drug, mass of the line's drug); (0, 1): not known
    front_mark        usteps drawn when the front left the syringe
    tip_basal_ug_per_day  the basal now, as mass of the drug at the tip; its strength is the ledger's
    """

    def __init__(self, ledger):
        self._ledger = ledger
        self.drug = self.ug_per_ml = 0
        self.unnamed = self.as_prescribed = False
        self.line_drug = self.line_ug_per_ml = self.line_basal_ug_per_day = self.front_mark = 0
        self.equivalence = (1, 1)
        self.tip_basal_ug_per_day = 0
        self._through = self._late = self._next = _NEVER  # usteps drawn at 1 and 1.1 dead spaces, and at the next mark
        self._after = (0, 0)  # for people only: basal and strength when the next mark comes before `_through`
        self._is_other_drug = False

    def restore(self, drug, ug_per_ml, unnamed):
        """What FRAM has kept of the syringe."""
        self.drug, self.ug_per_ml, self.unnamed = drug, ug_per_ml, unnamed

    def restore_line(self, line_drug, line_ug_per_ml, line_basal_ug_per_day, equivalence, front_mark):
        """What FRAM has kept of the line."""
        self.line_drug, self.line_ug_per_ml = line_drug, line_ug_per_ml
        self.line_basal_ug_per_day, self.equivalence, self.front_mark = line_basal_ug_per_day, equivalence, front_mark

    # -- the syringe

    def clamp_opened(self):
        """The clamp of the syringe was opened: what is in the holder is unknown until a refill names it."""
        self.unnamed = True

    def drug_changed(self, rx, old_rx, factor):
        """`rx` restates the mass of `old_rx`, of another drug, by `factor` (mass of the new drug, mass of the old)."""
        if self.drug == drug_number(rx.drug):
            self.equivalence = (1, 1)  # back to the drug that was never exchanged
        elif self.drug == drug_number(old_rx.drug):
            self.line_basal_ug_per_day = old_rx.basal_ug_per_day
            self.equivalence = factor if old_rx.basal_ug_per_day else (0, 1)
        else:
            self.equivalence = (self.equivalence[0] * factor[0], self.equivalence[1] * factor[1])

    def named(self, rx, line_is_full):
        """The syringe of `rx` is in the holder, a clinician says. Another fluid in a full line begins a bridge."""
        drug, ug_per_ml = drug_number(rx.drug), rx.concentration_ug_per_ml
        if line_is_full and self.drug and (drug, ug_per_ml) != (self.drug, self.ug_per_ml):
            self.line_drug, self.line_ug_per_ml = self.drug, self.ug_per_ml
            self.front_mark = self._ledger.drawn_usteps()
        self.drug, self.ug_per_ml = drug, ug_per_ml
        self.unnamed = False
        self._ledger.set_fluid(pl_per_ustep(rx.syringe), self.line_ug_per_ml or ug_per_ml)

    def is_of(self, rx):
        """True if the syringe that was named last is the one of `rx`: its drug, strength and size."""
        held = (self.drug, self.ug_per_ml, self._ledger.pl_step)
        return held == (drug_number(rx.drug), rx.concentration_ug_per_ml, pl_per_ustep(rx.syringe))

    # -- the tip

    def settle(self, rx, line_is_full):
        """Finds out where the front is, and sets strength and basal at the tip. Nothing may be in flight."""
        ledger = self._ledger
        self.as_prescribed = self.is_of(rx)
        self._through = self._late = self._next = _NEVER
        if self.as_prescribed and self.line_drug:
            if self._settle_front(rx):
                return
            self.line_drug = self.line_ug_per_ml = 0  # the bridge is over
        ug_per_ml, basal = rx.concentration_ug_per_ml, rx.basal_ug_per_day
        if not self.as_prescribed and line_is_full and self.drug:
            ug_per_ml, basal = self.ug_per_ml, self._basal(rx, self.drug, True, False)
        self._is_other_drug = False
        self.tip_basal_ug_per_day = basal
        ledger.set_fluid(ledger.pl_step, ug_per_ml)

    def _settle_front(self, rx):
        """`settle` in a bridge. False: the front has passed the tip for certain."""
        ledger = self._ledger
        pl = ledger.pl_step
        volume = -(-rx.deadspace_ul * 1_000_000 // pl)
        early = volume * (100 - FRONT_PERCENT) // 100 - min(MAX_STEPS, max(1, GRANT_PL // pl))
        late = volume * (100 + FRONT_PERCENT) // 100 + 1
        at = ledger.drawn_usteps() - self.front_mark
        if at >= late:
            return False
        self._is_other_drug = self.line_drug != self.drug
        numerator, denominator = self.equivalence if self._is_other_drug else (1, 1)
        is_weaker = self.line_ug_per_ml * numerator < self.ug_per_ml * denominator
        change = early if is_weaker else late
        through = late if numerator == 0 else volume
        is_old = at < change
        self.tip_basal_ug_per_day = self._basal(rx, self.line_drug, is_old, at >= through)
        after = self.ug_per_ml if is_weaker else self.line_ug_per_ml
        self._after = (self._basal(rx, self.line_drug, not is_weaker, False), after)
        ledger.set_fluid(pl, self.line_ug_per_ml if is_old else self.ug_per_ml)
        self._through, self._late = self.front_mark + through, self.front_mark + late
        self._next = self._late
        for mark in (volume, early):
            if at < mark:
                self._next = self.front_mark + mark
        return True

    def _basal(self, rx, line_drug, is_old, is_through):
        if line_drug == drug_number(rx.drug):
            return rx.basal_ug_per_day
        rates = rx.basal_ug_per_day, self.line_basal_ug_per_day
        return basal_in_bridge(rates[0], rates[1], self.equivalence, is_old, is_through)

    def front_is_due(self):
        """True when the front has come to a mark: `settle` is due. Runs in the delivery tick."""
        return self._ledger.drawn_usteps() >= self._next

    def in_bridge(self):
        """True from the exchange of the fluid until the old one has certainly left the line."""
        return self.line_drug != 0

    def bars_bolus(self):
        """True while a bridge to another drug refuses every bolus."""
        return self._is_other_drug and self._ledger.drawn_usteps() < self._through

    def barred_ms(self):
        """Ms of basal until `bars_bolus` ends; -1: never, without a basal."""
        drawn, first = self._ledger.drawn_usteps(), min(self._next, self._through)
        now_ms = self._ms(first - drawn, self.tip_basal_ug_per_day, self._ledger.concentration_ug_per_ml)
        then_ms = self._ms(self._through - first, self._after[0], self._after[1]) if first < self._through else 0
        return -1 if now_ms < 0 or then_ms < 0 else now_ms + then_ms

    def _ms(self, usteps, ug_per_day, ug_per_ml):
        """Ms in which basal makes `usteps`, and the longest grant more; -1: never."""
        if ug_per_day == 0:
            return -1
        return -(-usteps * self._ledger.pl_step * ug_per_ml * 24 * HOUR_S // (ug_per_day * 1_000_000)) + 10_000

    def left_nl(self):
        """Volume in nL until the bridge is over; 0 without one."""
        if not self.line_drug or self._late == _NEVER:
            return 0
        return volume_nl_of_usteps(max(0, self._late - self._ledger.drawn_usteps()), self._ledger.pl_step)

    def flow_nl_per_h(self):
        """Flow of the basal now, nL/h, rounded down."""
        return flow_nl_per_h(self.tip_basal_ug_per_day, self._ledger.concentration_ug_per_ml)

    def check_word(self):
        """See `base.dose_guard`."""
        word = self.drug ^ self.ug_per_ml ^ self.unnamed << 1 ^ self.as_prescribed << 2 ^ self._is_other_drug << 3
        word ^= self.line_drug ^ self.line_ug_per_ml ^ self.line_basal_ug_per_day ^ self.front_mark
        word ^= self.equivalence[0] ^ self.equivalence[1] << 1
        return word ^ self.tip_basal_ug_per_day ^ self._through ^ self._late ^ self._next

    # -- what a prescription would meet in the line

    def weakest_ug_per_ml(self, rx):
        """The weaker of the strength of `rx` and that of the same drug in the line."""
        ug_per_ml = rx.concentration_ug_per_ml
        for drug, held in ((self.drug, self.ug_per_ml), (self.line_drug, self.line_ug_per_ml)):
            if drug == drug_number(rx.drug) and 0 < held < ug_per_ml:
                ug_per_ml = held
        return ug_per_ml

    def phases(self, rx, line_basal_ug_per_day, equivalence):
        """(basal in ug/day, ug/mL) of each time of the bridge to `rx` with the fluid that is in the line now.

        The other two: as the fields would be once `rx` is in force.
        """
        drug, held = self.line_drug or self.drug, self.line_ug_per_ml or self.ug_per_ml
        if drug == drug_number(rx.drug):
            return [(rx.basal_ug_per_day, held), (rx.basal_ug_per_day, rx.concentration_ug_per_ml)]
        new, old = rx.basal_ug_per_day, line_basal_ug_per_day
        found = [(basal_in_bridge(new, old, equivalence, True, is_through), held) for is_through in (False, True)]
        return found + [(basal_in_bridge(new, old, equivalence, False, False), rx.concentration_ug_per_ml)]
