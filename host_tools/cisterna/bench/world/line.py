"""Syringe, line and catheter: one compliance at the pump, one resistance to the tip, clamps in between.

    dP/dt = (q - (P - Ptip) / R) / C

solved exactly over any time in which the plunger's flow q is constant and Ptip changes linearly. No valve: fluid runs
backwards when the tip is higher. Volume that leaves = volume displaced - volume stored in the compliance, exactly.
"""

from math import exp

_KPA_S_PER_UL = 3.6  # of 1 kPa per mL/h
_SYRINGE_SHARE = 0.3  # part of the compliance on the syringe's side of an upstream clamp
_LINE_SHARE = 0.2  # part of the resistance before the connector; the thin catheter beyond it has the rest


class Line:
    """kpa       pressure at the pump's outlet, where the sensor is
    syringe_kpa  pressure in the syringe; differs only while an upstream clamp is closed
    """

    def __init__(self, pump):
        self.ul_per_kpa = pump["compliance_ul_per_kpa"]
        self.open_kpa_s_per_ul = pump["resistance_kpa_per_ml_h"] * _KPA_S_PER_UL
        self.kpa = 0.0
        self.syringe_kpa = 0.0
        self.clamped = 0.0  # downstream, 0 .. 1
        self.connected = False  # to the catheter
        self.plunger_is_free = False  # the syringe has atmospheric pressure
        self.upstream_closed = False
        self._update_coefficients()

    def clamp(self, fraction):
        """Downstream clamp, 0 (open) to 1 (closed): the resistance is 1 / (1 - fraction) of the open one."""
        self.clamped = fraction
        self._update_coefficients()

    def connect(self, connected):
        """Join the line to the catheter (True), or take the line off: only its own resistance is left then."""
        self.connected = connected
        self._update_coefficients()

    def free_plunger(self, is_free):
        """The plunger follows the fluid (True): what the line had stored is back in the syringe at once.

        Returns the uL that the plunger is displaced by that, forwards positive.
        """
        self.plunger_is_free = is_free
        if not is_free:
            return 0.0
        if self.upstream_closed:
            ul = -self.syringe_kpa * self.syringe_ul_per_kpa
            self.syringe_kpa = 0.0
            return ul
        ul = -self.kpa * self.ul_per_kpa
        self.kpa = 0.0
        return ul

    def free_flow(self, seconds, tip_before_kpa, tip_after_kpa):
        """As `flow`, with a free plunger, which is displaced by the same volume."""
        if self.closed:
            return 0.0
        return -(tip_before_kpa + tip_after_kpa) / 2 * seconds / self.r

    def clamp_upstream(self, closed):
        """Clamp between syringe and sensor. When it opens, both pressures equalise at once."""
        if closed == self.upstream_closed:
            return
        if not closed:
            self.kpa += (self.syringe_kpa - self.kpa) * _SYRINGE_SHARE
        self.syringe_kpa = self.kpa
        self.upstream_closed = closed
        self._update_coefficients()

    def flow(self, seconds, ul, tip_before_kpa, tip_after_kpa):
        """The plunger displaces `ul` evenly over `seconds`. Returns the uL that leave at the tip; negative: enter.

        tip_before_kpa, tip_after_kpa  tip pressure at the beginning and end; linear in between
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
        lag_kpa = (tip_after_kpa - tip_before_kpa) / seconds * tau  # steady lag behind a tip pressure that changes
        flow_kpa = self.r * ul / seconds
        transient_kpa = before_kpa - tip_before_kpa - flow_kpa + lag_kpa
        after_kpa = tip_after_kpa + flow_kpa + transient_kpa * exp(-seconds / tau) - lag_kpa
        self.kpa = after_kpa
        return ul - c * (after_kpa - before_kpa)

    def _update_coefficients(self):
        self.closed = self.clamped >= 1
        self.c = self.ul_per_kpa * (1 - _SYRINGE_SHARE) if self.upstream_closed else self.ul_per_kpa
        self.syringe_ul_per_kpa = self.ul_per_kpa * _SYRINGE_SHARE
        share = 1.0 if self.connected else _LINE_SHARE
        self.r = 0.0 if self.closed else share * self.open_kpa_s_per_ul / (1 - self.clamped)
        self.tau = self.r * self.c
