"""From microsteps to plunger travel: driver, rotor, screw, nut, plunger.

    step pulses -> rotor (TMC2209, 3200 usteps/rev) -> screw (0.8 mm lead, pitch error) -> nut (backlash)
                -> plunger (stick-slip) -> volume (bore)

The screw locks itself: only the rotor moves it, never the pressure in the syringe. Against more than STALL_N the rotor
does not turn.
"""

from math import pi, sin

from .rng import PITCH, Rng
from .settings import SYRINGES

_UM_PER_USTEP = 0.25  # 800 um lead / 3200
_RAD_PER_USTEP = 2 * pi / 3200
_STALL_N = 90.0  # push of the nut at which the motor stalls; an assumption for this motor and screw, not a measurement
_FRICTION_N = 10.0  # of the stopper in the barrel; an assumption as well
_ELECTRICAL_TURN = 64  # usteps of one electrical period: four full steps


class Drive:
    """rotor      angle in usteps since the start; the encoder measures it
    reservoir_ul  volume left in the syringe; at 0 the plunger is at its end stop
    """

    def __init__(self, pump, seed):
        rng = Rng(seed, PITCH)
        self.bore_error_percent = pump["bore_error_percent"]
        self.set_bore(pump["syringe"])
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
        self.gripped = True  # False: the gripper is open, and the plunger does not follow the screw
        self.creep_percent = 0.0
        self.creep_carry = 0.0
        self.nut_um = self._screw_um() + self.half_lash_um  # the whole backlash still has to be taken up
        self.plunger_um = self.nut_um

    def set_bore(self, size):
        """The syringe in the holder is of this size, a key of SYRINGES."""
        bore_mm = SYRINGES[size][1] * (1 + self.bore_error_percent / 100)
        self.ul_per_um = pi / 4 * bore_mm * bore_mm / 1000
        self.stall_kpa = (_STALL_N - _FRICTION_N) / (pi / 4 * bore_mm * bore_mm) * 1000

    def turn(self, pulses, kpa=0.0):
        """Take `pulses` step pulses (negative: backwards) against `kpa` in the syringe.

        Returns the displaced uL, forwards positive.
        """
        if self.stalled or (pulses > 0 and kpa > self.stall_kpa) or not (self.powered and self.enabled):
            return 0.0
        if self.creep_percent:
            extra = self.creep_carry + pulses * self.creep_percent / 100
            whole = int(extra)
            self.creep_carry = extra - whole
            pulses += whole
        return self._move(pulses)

    def steps_to_stall(self, kpa, ul_per_kpa):
        """Steps at which the motor stalls in a closed line at `kpa`, at least 1; the backlash aside."""
        return max(1, int((self.stall_kpa - kpa) * ul_per_kpa / (_UM_PER_USTEP * self.ul_per_um)) + 1)

    def set_coils(self, powered, enabled):
        """Set the motor supply and the enable pin. Returns the uL displaced by a snap of the rotor.

        Loss of the supply clears the driver's microstep counter. When the coils are energised again, they pull the
        rotor to the nearest position of counter 0, up to two full steps away. The enable pin alone clears nothing.
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
        """A new syringe of `ul`: plunger on the nut, nut on the screw's forward flank (no backlash to take up)."""
        self.nut_um = self._screw_um() - self.half_lash_um
        self.plunger_um = self.nut_um
        self.reservoir_ul = ul

    def grip(self, gripped):
        """Close or open the gripper. It takes the plunger where that stands, with the whole backlash to take up."""
        self.gripped = gripped
        self.nut_um = self._screw_um() + self.half_lash_um
        self.plunger_um = self.nut_um

    def flow_freely(self, ul):
        """The fluid takes the plunger along by `ul`, if the syringe holds as much. Returns the displaced uL."""
        ul = min(ul, self.reservoir_ul)
        self.reservoir_ul -= ul
        return ul

    def _screw_um(self):
        rotor = self.rotor
        return rotor * _UM_PER_USTEP + self.pitch_um * sin(rotor * _RAD_PER_USTEP + self.pitch_phase)

    def _move(self, usteps):
        """Turn the rotor by `usteps`; nut and plunger follow. Returns the displaced uL."""
        before_um = self.plunger_um
        ul_per_um = self.ul_per_um
        self.rotor += usteps
        if not self.gripped:
            return 0.0
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
        if ul > self.reservoir_ul:  # end stop: the plunger stops, and the rotor loses the remaining steps
            ul = self.reservoir_ul
            plunger_um = before_um + ul / ul_per_um
            self.rotor -= max(0, int((nut_um - plunger_um) / _UM_PER_USTEP))
            nut_um = plunger_um
        self.nut_um = nut_um
        self.plunger_um = plunger_um
        self.reservoir_ul -= ul
        return ul
