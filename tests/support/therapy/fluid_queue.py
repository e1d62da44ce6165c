"""The fluids in the line as a queue: what has left the tip, by the steps of the motor alone, in exact fractions.

Plugs of volume and strength enter at the plunger and leave at the tip. Shares no line with the pump.
"""

from fractions import Fraction

from pump.base.units import SYRINGES


class FluidQueue:
    """Watches a `TherapyRig` from now on. The line holds `line_nl` of the fluid that is in the syringe now.

    The syringe that the rig names in a refill is the one in the holder: `refill` of the rig is watched.
    """

    def __init__(self, rig, line_nl):
        self.rig = rig
        self._fluid = self._named()
        self._plugs = [[Fraction(line_nl), self._fluid]]
        self._left_ng = Fraction(0)
        self._at = rig.plant.position()
        self._step_nl = self._nl()
        self._refill, rig.refill = rig.refill, self._refilled
        self._line_nl = line_nl
        self._since_nl = Fraction(2 * line_nl)  # pumped since another drug was put in
        self._drug = rig.pump.therapy.rx.drug

    def _nl(self):
        return Fraction(SYRINGES[self.rig.syringe][2], 1000)

    def _named(self):
        return self.rig.pump.therapy.rx.concentration_ug_per_ml

    def _refilled(self, rx, fill_ul=None):
        """The rig says what a hand has put in."""
        self._push()
        code = self._refill(rx, fill_ul)
        if code is None:
            self._fluid, self._step_nl = rx.concentration_ug_per_ml, self._nl()
            if rx.drug != self._drug:
                self._drug, self._since_nl = rx.drug, Fraction(0)
        return code

    def _push(self):
        at = self.rig.plant.position()
        moved_nl = (at - self._at) * self._step_nl
        self._at = at
        self._since_nl += moved_nl
        if moved_nl < 0:
            raise ValueError("the plunger went back: not in this queue")
        if moved_nl:
            self._plugs.append([moved_nl, self._fluid])
        while moved_nl:
            plug = self._plugs[0]
            part = min(moved_nl, plug[0])
            self._left_ng += part * plug[1] / 1000
            plug[0] -= part
            moved_nl -= part
            if not plug[0]:
                self._plugs.pop(0)

    def may_be_bridged(self, near_nl=2_000):
        """Whether another drug is still in the line: {True}, {False}, or both within `near_nl` of the last of it."""
        self._push()
        return {self._since_nl + nl < self._line_nl for nl in (-near_nl, near_nl)}

    def given_ng(self):
        """Mass in ng that has left the tip since this queue was made."""
        self._push()
        return self._left_ng
