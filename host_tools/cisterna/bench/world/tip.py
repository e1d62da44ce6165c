"""Pressure at the catheter tip, piecewise linear: patient, height or back pressure, and body movement."""

from .rng import MOVEMENT, Rng
from .timeline import NEVER

_S = 1_000_000


class Ramp:
    """A pressure that changes linearly to a new value and then stays."""

    def __init__(self):
        self.start_us = self.end_us = 0
        self.start_kpa = self.end_kpa = 0.0

    def start(self, now_us, kpa, over_us):
        """Change from the present value to `kpa`, reached after `over_us`."""
        self.start_kpa = self.at(now_us)
        self.end_kpa = kpa
        self.start_us = now_us
        self.end_us = now_us + over_us

    def at(self, t_us):
        """kPa at `t_us`, which is not before the ramp's start."""
        if t_us >= self.end_us:
            return self.end_kpa
        fraction = (t_us - self.start_us) / (self.end_us - self.start_us)
        return self.start_kpa + (self.end_kpa - self.start_kpa) * fraction


class Tip:
    """kPa at the end of the line. Open air (0 kPa) until `connected`.

    knot_us  the next time at which the slope changes; the plant integrates up to it, then calls `pass_knot`
    """

    def __init__(self, pump, seed):
        self.rng = Rng(seed, MOVEMENT)
        self.patient_kpa = pump["tip_kpa"]
        self.amplitude_kpa = pump["movement_kpa"]
        self.connected = False
        self.raised = Ramp()
        self.movement = Ramp()
        self.next_movement_us = self._interval_us() if self.amplitude_kpa else NEVER
        self.knot_us = self.next_movement_us
        self._cache_resting(0)

    def at(self, t_us):
        """kPa at `t_us`, which lies between the previous knot and the next."""
        if not self.connected:
            return 0.0
        if self.resting:
            return self.resting_kpa
        return self.patient_kpa + self.raised.at(t_us) + self.movement.at(t_us)

    def raise_by(self, now_us, kpa, over_us):
        """Height or back pressure becomes `kpa` above `tip_kpa`, linearly over `over_us`."""
        self.raised.start(now_us, kpa, over_us)
        self._find_knot(now_us)

    def pass_knot(self):
        """Time has reached `knot_us`."""
        now_us = self.knot_us
        if now_us == self.next_movement_us:
            rng = self.rng
            self.movement.start(now_us, self.amplitude_kpa * rng.uniform(), 5 * _S + rng.below(55_000_001))
            self.next_movement_us = now_us + self._interval_us()
        self._find_knot(now_us)

    def save(self):
        """All state that time may change, for `restore`."""
        raised, movement = self.raised, self.movement
        return (
            self.rng.state, self.next_movement_us, self.knot_us, self.resting, self.resting_kpa,
            raised.start_us, raised.end_us, raised.start_kpa, raised.end_kpa,
            movement.start_us, movement.end_us, movement.start_kpa, movement.end_kpa,
        )  # fmt: skip

    def restore(self, saved):
        raised, movement = self.raised, self.movement
        (
            self.rng.state, self.next_movement_us, self.knot_us, self.resting, self.resting_kpa,
            raised.start_us, raised.end_us, raised.start_kpa, raised.end_kpa,
            movement.start_us, movement.end_us, movement.start_kpa, movement.end_kpa,
        ) = saved  # fmt: skip

    def _interval_us(self):
        return 600 * _S + self.rng.below(3000) * _S + self.rng.below(_S)

    def _find_knot(self, now_us):
        knot_us = self.next_movement_us
        for end_us in (self.raised.end_us, self.movement.end_us):
            if now_us < end_us < knot_us:
                knot_us = end_us
        self.knot_us = knot_us
        self._cache_resting(now_us)

    def _cache_resting(self, now_us):
        """Store the pressure while both ramps have ended, which is most of the time."""
        self.resting = now_us >= self.raised.end_us and now_us >= self.movement.end_us
        self.resting_kpa = self.patient_kpa + self.raised.end_kpa + self.movement.end_kpa
