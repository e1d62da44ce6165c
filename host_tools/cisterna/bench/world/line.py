"""Syringe, line and catheter: one compliance at the pump, one resistance to the tip, clamps in between.

    dP/dt = (q - (P - Ptip) / R) / C

solved exactly over any time in which the plunger's flow q is constant and Ptip moves linearly. No valve:
fluid runs backwards when the tip is higher. What leaves is what the plunger displaced less what the walls
took up, to the last bit.
"""

from math import exp

_KPA_S_PER_UL = 3.6  # of 1 kPa per mL/h
_SYRINGE_SHARE = 0.3  # of the compliance that lies on the syringe's side of an upstream clamp


class Line:
    """kpa       pressure at the pump's outlet, where the sensor is
    syringe_kpa  pressure in the syringe; the same unless an upstream clamp parts them
    """

    def __init__(self, pump):
        self.ul_per_kpa = pump["compliance_ul_per_kpa"]
        self.open_kpa_s_per_ul = pump["resistance_kpa_per_ml_h"] * _KPA_S_PER_UL
        self.kpa = 0.0
        self.syringe_kpa = 0.0
        self.clamped = 0.0  # downstream, 0 .. 1
        self.upstream_closed = False
        self._set_up()

    def clamp(self, fraction):
        """Downstream: the resistance becomes 1 / (1 - fraction) of the open one; 1 is closed."""
        self.clamped = fraction
        self._set_up()

    def clamp_upstream(self, closed):
        """Between syringe and sensor. Opening lets both sides even out at once."""
        if closed == self.upstream_closed:
            return
        if not closed:
            self.kpa += (self.syringe_kpa - self.kpa) * _SYRINGE_SHARE
        self.syringe_kpa = self.kpa
        self.upstream_closed = closed
        self._set_up()

    def flow(self, seconds, ul, tip_before_kpa, tip_after_kpa):
        """The plunger displaces `ul` evenly over `seconds`. Returns the uL that leave the tip (negative:
        enter).
        """
        if self.upstream_closed:
            self.syringe_kpa += ul / self.syringe_ul_per_kpa
            ul = 0.0
        before_kpa = self.kpa
        c = self.c
        if seconds == 0 or self.closed:
            self.kpa = before_kpa + ul / c
            return 0.0
        tau = self.tau
        run_kpa = (tip_after_kpa - tip_before_kpa) / seconds * tau  # how far the pressure trails a moving tip
        push_kpa = self.r * ul / seconds
        lead_kpa = before_kpa - tip_before_kpa - push_kpa + run_kpa
        after_kpa = tip_after_kpa + push_kpa + lead_kpa * exp(-seconds / tau) - run_kpa
        self.kpa = after_kpa
        return ul - c * (after_kpa - before_kpa)

    def _set_up(self):
        self.closed = self.clamped >= 1
        self.c = self.ul_per_kpa * (1 - _SYRINGE_SHARE) if self.upstream_closed else self.ul_per_kpa
        self.syringe_ul_per_kpa = self.ul_per_kpa * _SYRINGE_SHARE
        self.r = 0.0 if self.closed else self.open_kpa_s_per_ul / (1 - self.clamped)
        self.tau = self.r * self.c
