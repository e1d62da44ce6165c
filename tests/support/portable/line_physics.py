"""A syringe, its line and the catheter tip, solved exactly; and a rig that runs the occlusion detector on them.

Units: uL, kPa, h inside the line, s outside. Floats: this is the world, not the pump.
"""

import math

from pump.monitoring.occlusion import NONE, OCCLUDED, OcclusionDetector


class RepeatableRandom:
    """Random numbers that are the same in MicroPython and CPython."""

    def __init__(self, seed):
        self._x = (seed * 2654435761 + 12345) & 0x7FFFFFFF

    def below(self, n):
        self._x = (self._x * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._x >> 8) % n

    def uniform(self, low, high):
        return low + (high - low) * self.below(1 << 20) / (1 << 20)

    def normal(self):
        """Sum of four uniforms: about standard normal."""
        return (self.uniform(-1, 1) + self.uniform(-1, 1) + self.uniform(-1, 1) + self.uniform(-1, 1)) * 0.8660254


class CatheterTip:
    """Pressure at the catheter tip, kPa: patient + movement (a new level every 10 to 60 min) + height ramps."""

    def __init__(self, dice, patient_kpa=1.3, movement_kpa=0.0):
        self._dice = dice
        self._patient = patient_kpa
        self._movement = movement_kpa
        self._ramps = []  # (start_s, end_s, kPa)
        self._level = 0.0
        self._from = 0.0
        self._start_s = 0.0
        self._end_s = 0.0
        self._next_s = dice.uniform(600, 3600) if movement_kpa else 1e18
        self._height = 0.0

    def ramp(self, at_s, kpa, over_s=20.0):
        """Move the height pressure to `kpa` (absolute) from `at_s` on, within `over_s`."""
        self._ramps.append((at_s, at_s + over_s, kpa))

    def at(self, t):
        while t >= self._next_s:
            self._from = self._level
            self._level = self._dice.uniform(-self._movement, self._movement)
            self._start_s = self._next_s
            self._end_s = self._next_s + self._dice.uniform(5, 60)
            self._next_s += self._dice.uniform(600, 3600)
        if t >= self._end_s:
            body = self._level
        else:
            body = self._from + (self._level - self._from) * (t - self._start_s) / (self._end_s - self._start_s)
        height = self._height
        for start, end, to in self._ramps:
            if t >= end:
                height = to
            elif t > start:
                height += (to - height) * (t - start) / (end - start)
        while self._ramps and self._ramps[0][1] <= t:
            self._height = self._ramps.pop(0)[2]
        return self._patient + body + height


class InfusionLine:
    """p is the pressure at the pump's outlet; a clamp between it and the tip multiplies the resistance."""

    def __init__(self, compliance=9.0, resistance=0.65, tip=None, dice=None, noise=0.02, bore_mm=14.5):
        self.compliance = compliance  # uL/kPa
        self.resistance = resistance  # kPa per mL/h
        self.dice = dice or RepeatableRandom(1)
        self.tip = tip or CatheterTip(self.dice)
        self.noise = noise
        self.clamp = 0.0
        self.t = 0.0
        self.p = self.tip.at(0.0)
        self.outflow = 0.0
        self.pumped = 0.0
        self._moved = 0.0
        area = math.pi / 4 * bore_mm * bore_mm
        self.ustep = area * 0.8 / 3200
        self._pitch = area * 0.0015
        self._slip = area * 0.002
        self.drift = 0.0

    def _plunger(self, pumped):
        """Real position of the plunger, uL: pitch error once a revolution; it sticks up to 2 um, then slips."""
        stick = (pumped % (3 * self._slip)) / 3 if self._slip else 0.0
        return pumped + self._pitch * math.sin(pumped / (3200 * self.ustep) * 6.283185307) - stick

    def advance(self, dt, volume):
        """`volume` uL enter evenly within `dt` s; the tip pressure changes linearly."""
        tip0 = self.tip.at(self.t)
        tip1 = self.tip.at(self.t + dt)
        self.t += dt
        self.pumped += volume
        moved = self._plunger(self.pumped)
        into = moved - self._moved
        self._moved = moved
        if self.clamp >= 1.0:
            self.p += into / self.compliance
            return
        hours = dt / 3600.0
        r = self.resistance / (1.0 - self.clamp) / 1000.0  # kPa per uL/h
        tau = r * self.compliance
        q = into / hours
        slope = (tip1 - tip0) / hours
        steady0 = tip0 + r * q - slope * tau
        before = self.p
        self.p = steady0 + slope * hours + (before - steady0) * math.exp(-hours / tau)
        self.outflow += into - self.compliance * (self.p - before)

    def reading_pa(self):
        return int((self.p + self.drift + self.noise * self.dice.normal()) * 1000)


class DetectorRig:
    """The detector on a line: pumps whole microsteps at the wanted flow, samples every uL or 5 s."""

    def __init__(self, line, known_compliance=9_000, wake_s=5.0):
        self.line = line
        self.detector = OcclusionDetector()
        self.detector.configure(known_compliance)
        self.wake_s = wake_s
        self._owed = 0.0
        self.result = NONE
        self.trends = 0

    def settle(self, seconds=120.0):
        """Wait without flow, then start the detector on the settled reading."""
        for _ in range(int(seconds / 5)):
            self.line.advance(5.0, 0.0)
        self.detector.start(int(self.line.t), self.line.reading_pa())
        self.result = NONE

    def run(self, seconds, ml_h):
        """Infuse for `seconds`, or until OCCLUDED. Returns the result."""
        line = self.line
        end = line.t + seconds
        step_s = self.wake_s if ml_h <= 0 else max(0.3, min(self.wake_s, 3.6 / ml_h))
        flow = int(ml_h * 1_000_000)
        while line.t < end - 1e-6 and self.result != OCCLUDED:
            dt = min(step_s, end - line.t)
            self._owed += ml_h * dt / 3.6
            usteps = int(self._owed / line.ustep)
            self._owed -= usteps * line.ustep
            line.advance(dt, usteps * line.ustep)
            pumped_nl = int(line.pumped * 1000) & 0xFFFFFFF
            self.result = self.detector.sample(int(line.t), pumped_nl, line.reading_pa(), flow)
            if self.result != NONE:
                self.trends += 1
        return self.result

    def run_volume(self, ul, ml_h):
        """Infuse at most `ul`. Returns the uL pumped until OCCLUDED; None: not found."""
        before = self.line.pumped
        self.run(ul * 3.6 / ml_h, ml_h)
        return self.line.pumped - before if self.result == OCCLUDED else None
