"""From microsteps to plunger travel: driver, rotor, screw, nut, plunger.

    step pulses -> rotor (TMC2209, 3200 usteps/rev) -> screw (0.8 mm lead, pitch error) -> nut (backlash)
                -> plunger (stick-slip) -> volume (bore)

The screw locks itself: only the rotor moves it, never the pressure in the syringe.
"""

from math import pi, sin

from .rng import PITCH, Rng
from .settings import SYRINGES

_UM_PER_USTEP = 0.25  # 800 um lead / 3200
_RAD_PER_USTEP = 2 * pi / 3200
_ELECTRICAL_TURN = 64  # usteps after which the coil currents repeat: four full steps


class Drive:
    """rotor      usteps since the start, what the encoder on the screw sees
    reservoir_ul  what the syringe holds; the plunger is at its end stop at 0
    """

    def __init__(self, pump, seed):
        rng = Rng(seed, PITCH)
        bore_mm = SYRINGES[pump["syringe"]][1] * (1 + pump["bore_error_percent"] / 100)
        self.ul_per_um = pi / 4 * bore_mm * bore_mm / 1000
        self.pitch_um = pump["pitch_error_um"]
        self.pitch_phase = rng.uniform() * pi
        self.half_lash_um = pump["backlash_um"] / 2
        self.slip_um = pump["stick_slip_um"]
        self.reservoir_ul = pump["fill_ml"] * 1000

        self.rotor = 0
        self.powered = False  # motor supply
        self.enabled = False  # ENN low
        self.counter_lost = False  # the driver's microstep counter was cleared while the coils were dead
        self.stalled = False
        self.creep_percent = 0.0
        self.creep_carry = 0.0
        self.nut_um = self._screw_um() + self.half_lash_um  # the whole lash is still to be taken up
        self.plunger_um = self.nut_um

    def turn(self, pulses):
        """Takes `pulses` step pulses (negative: backwards). Returns the uL that the plunger displaced
        forwards.
        """
        if self.stalled or not (self.powered and self.enabled):
            return 0.0
        if self.creep_percent:
            extra = self.creep_carry + pulses * self.creep_percent / 100
            whole = int(extra)
            self.creep_carry = extra - whole
            pulses += whole
        return self._move(pulses)

    def set_coils(self, powered, enabled):
        """Motor supply and enable pin as they now are. Returns the uL that a snap of the rotor displaced.

        Losing the supply clears the driver's microstep counter; energised again, the coils pull the rotor to
        the nearest place that counter zero fits, up to two full steps away. The enable pin alone clears
        nothing.
        """
        if self.powered and not powered:
            self.counter_lost = True
        self.powered = powered
        self.enabled = enabled
        if not (self.counter_lost and powered and enabled):
            return 0.0
        self.counter_lost = False
        past = self.rotor % _ELECTRICAL_TURN
        return self._move(-past if past < _ELECTRICAL_TURN // 2 else _ELECTRICAL_TURN - past)

    def refill(self, ul):
        """A new syringe: in contact with the nut, the nut on the screw's forward flank."""
        self.nut_um = self._screw_um() - self.half_lash_um
        self.plunger_um = self.nut_um
        self.reservoir_ul = ul

    def _screw_um(self):
        rotor = self.rotor
        return rotor * _UM_PER_USTEP + self.pitch_um * sin(rotor * _RAD_PER_USTEP + self.pitch_phase)

    def _move(self, usteps):
        """Turns the rotor and drags nut and plunger along. Returns displaced uL."""
        before_um = self.plunger_um
        ul_per_um = self.ul_per_um
        self.rotor += usteps
        screw_um = self._screw_um()
        nut_um = self.nut_um
        if screw_um - self.half_lash_um > nut_um:
            nut_um = screw_um - self.half_lash_um
        elif screw_um + self.half_lash_um < nut_um:
            nut_um = screw_um + self.half_lash_um
        else:
            return 0.0
        slip_um = self.slip_um
        slips = int((nut_um - before_um) / slip_um) if slip_um else 0
        plunger_um = before_um + slips * slip_um if slip_um else nut_um
        ul = (plunger_um - before_um) * ul_per_um
        if ul > self.reservoir_ul:  # end stop: the plunger stays there, and the rotor loses what it cannot turn
            ul = self.reservoir_ul
            plunger_um = before_um + ul / ul_per_um
            self.rotor -= max(0, int((nut_um - plunger_um) / _UM_PER_USTEP))
            nut_um = plunger_um
        self.nut_um = nut_um
        self.plunger_um = plunger_um
        self.reservoir_ul -= ul
        return ul
