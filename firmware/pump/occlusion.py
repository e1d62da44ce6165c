"""Finds a closed line by how pressure rises with pumped volume [OCC-01, OCC-03, H15].

A closed line stores what is pumped: pressure rises by exactly 1/C per volume, straight, for as long as one looks, at
any flow and across changes of flow. Everything else bends: an open line relaxes with tau = R*C, a patient who moves or
is lifted makes stairs and ramps. So readings are averaged into points evenly spaced in *pumped volume*, and the line
is closed when the newest 70 uL (longer if they do not yet rise by 6.5 kPa) lie on one straight line, not bent, with a
slope a closed line of about this compliance can have, over at least 45 s, and when this stays so for 8 s more. A large
change of the pump's own flow together with a change of height can look straight for a while; a window that holds one
must rise by more than both the usual height changes explain. Above it stands an absolute limit.

Units: volume nL, pressure Pa (gauge), time s, flow nL/h, compliance nL/kPa, resistance Pa per mL/h. Nothing here
allocates after construction, and every intermediate stays below 2^30.
"""

from pump.units import const

NONE = const(0)
TREND = const(1)  # the line is harder to pump through than it should be [OCC-17]
OCCLUDED = const(2)

VOLUME_MASK = const(0xFFFFFFF)  # pumped volume may wrap at 2^28 nL or any multiple of it
ABSOLUTE_PA = const(40_000)  # above the no-flow pressure at the start
CEILING_PA = const(69_000)  # 10 psi, whatever the baseline was [ALM-03]
ABSOLUTE_READINGS = const(2)  # a single spike is no occlusion
TREND_S = const(300)

SPACING_NL = const(4_000)
POINTS = const(96)
WINDOW_NL = const(70_000)  # pumped into the closed line before it is called closed
WINDOW_MAX_NL = const(240_000)
RISE_PA = const(6_500)  # more than a body moves between its extremes (+-3 kPa)
RISE_AT_EDGE_PA = const(13_500)  # more than a height change of 12 kPa, when a change of flow blurs the picture
EDGE_PA = const(4_000)  # drop of a change of flow that does so
EDGE_S = const(60)
PLENTY_NL = const(170_000)  # straight over so much is closed, whatever else happened: 200 uL stored is the end
AFTER_BOLUS_NL = const(12_000)  # after a faster run of this volume the line is let relax before it is judged:
RELAX_S = const(90)  # for so long
RELAX_NL = const(15_000)  # or so much
MIN_S = const(45)  # more than twice the usual tau of 21 s: a relaxing line has bent by then
HOLD_S = const(8)  # a curve may cross a straight line, a closed line stays on it

# How far a closed line strays from straight: noise, roughness of screw and plunger, curved compliance. Relaxation over
# T bends by T / (8 tau) of the rise, and by two thirds of that in the mean, which may be held tighter.
OFF_LINE_PA = const(120)
BEND_PA = const(30)
ROUGH_USTEPS = const(14)  # 1.5 um of pitch error and 2 um of stick and slip
FOOT_PA = const(60)  # a rise still falls by this, looking back,
FOOT_POINTS = const(4)  # within so many points
SHIFT = const(6)  # volumes are compared in 64 nL, so that volume * pressure stays below 2^30

DEFAULT_COMPLIANCE = const(9_000)
DEFAULT_RESISTANCE = const(650)
MIN_RESISTANCE = const(50)
MAX_RESISTANCE = const(5_000)
LEARN_UL_PER_H = const(500)  # the least change of flow that teaches the resistance
LEARN_S = const(90)  # and how long flow must have stood still before it and after it
NOT_YET = const(-1)

BACK_OFF_MARGIN_PA = const(500)
LASH_NL = const(20_000)  # most that a reversal may turn without moving the plunger: 25 um in the widest syringe
BACK_OFF_MOST_NL = const(1_500_000)  # [OCC-05]
LATE_NL = const(5_000)  # a reading is up to a grant old, and so was the one that the back-off began with


class OcclusionDetector:
    """Told of every pressure reading while infusing; says whether the line is closed."""

    def __init__(self):
        self._v = [0] * POINTS  # pumped volume, mean of the readings of a point
        self._p = [0] * POINTS  # their mean pressure
        self._tip = [0] * POINTS  # their mean pressure less the drop of the flow: what the patient end holds
        self._s = [0] * POINTS  # when the point was closed
        self._flow_ul_per_h = 0  # as the line feels it: the commanded flow, lagged by tau
        self.resistance_pa_per_ml_h = DEFAULT_RESISTANCE
        self._trusted_resistance = DEFAULT_RESISTANCE
        self._no_flow_pa = 0
        self.result = NONE
        self.configure(DEFAULT_COMPLIANCE)
        self.start(0, 0)

    def configure(self, compliance_nl_per_kpa, pl_per_ustep=41_282, resistance_pa_per_ml_h=DEFAULT_RESISTANCE):
        """Sets what is known of the set: compliance 1000..40000 nL/kPa, volume of a microstep, resistance 50..5000.

        The compliance may be wrong by a factor of 2.5 either way; the resistance is learnt.
        """
        self.compliance_nl_per_kpa = max(1_000, min(40_000, compliance_nl_per_kpa))
        self.resistance_pa_per_ml_h = max(MIN_RESISTANCE, min(MAX_RESISTANCE, resistance_pa_per_ml_h))
        self._trusted_resistance = self.resistance_pa_per_ml_h
        self._learnt = False
        self._rough_pa = ROUGH_USTEPS * pl_per_ustep // self.compliance_nl_per_kpa

    def start(self, now_s, no_flow_pa):
        """Infusion starts. `no_flow_pa` is the settled pressure before any flow.

        A line that still holds what the last back-off left in it, or more because that was cut short, was most likely
        never opened; its tip is then taken to be where it was, so that nothing piles up from restart to restart.
        """
        margin = no_flow_pa - self._no_flow_pa
        unrelieved = self.result == OCCLUDED and margin >= BACK_OFF_MARGIN_PA * 3 // 2
        if self.result != OCCLUDED or margin <= BACK_OFF_MARGIN_PA // 2:
            self._no_flow_pa = no_flow_pa
        self._start_pa = self._no_flow_pa if unrelieved else no_flow_pa
        self._count = 0  # points kept
        self._next = 0  # where the next one goes
        self._lowest_pa = no_flow_pa
        self._total_nl = 0
        self._last_nl = NOT_YET
        self._readings = 0  # in the open point; with its start and sums, made here and not in the tick
        self._open_nl = self._open_pa = self._sum_nl = self._sum_pa = self._sum_drop = 0
        self._edge_pa = self._edge_ul_per_h = 0
        self._held_s = NOT_YET
        self._first = self._volume = self._rise = 0  # of the last line that was straight, see `_on_chord`
        self._over = 0  # readings in a row above the absolute limit
        self._high_s = NOT_YET
        self._flow_ul_per_h = 0
        self._set_ul_per_h = 0
        self._smooth_pa = no_flow_pa
        self._flow_s = now_s
        self._edge_s = NOT_YET  # the change of flow that may teach the resistance
        self._steady_s = now_s - LEARN_S  # since when the flow is what it is
        self._blur_s = NOT_YET  # the last large change of flow
        self._run_nl = 0  # total volume at the last change of flow
        self._relax_s = NOT_YET  # end of the last bolus
        self._next_look_s = NOT_YET  # points by time after a bolus: at 10, 20, 40, 80, 160 s
        self._look_s = 0
        self._learnt_s = NOT_YET
        self._reading_pa = no_flow_pa
        self._foot = NOT_YET  # point before the rise, once occluded
        self._measured_nl_per_kpa = 0
        self.result = NONE

    def sample(self, now_s, pumped_nl, pressure_pa, flow_nl_per_h):
        """One reading: NONE, TREND or OCCLUDED (which stays until the next `start`).

        pumped_nl: what the motor really pumped so far, modulo 2^28 or a multiple of it.
        """
        if self.result == OCCLUDED:
            return OCCLUDED
        if self._last_nl >= 0:
            self._total_nl = (pumped_nl - self._last_nl + self._total_nl) & VOLUME_MASK
        self._last_nl = pumped_nl
        self._reading_pa = pressure_pa
        self._smooth_pa += (pressure_pa - self._smooth_pa) >> 2
        self._follow_flow(now_s, flow_nl_per_h // 1000)
        if self._above_limit(pressure_pa):
            self._find_foot()
            return self._occluded()
        if self._straight(pressure_pa, now_s):
            if self._held_s < 0:
                self._held_s = now_s
            if now_s - self._held_s >= HOLD_S:
                self._find_clamp()
                return self._occluded()
        else:
            self._held_s = NOT_YET
        self._gather(now_s, pressure_pa)
        self.result = self._trend(now_s, pressure_pa)
        return self.result

    def no_flow_estimate_pa(self):
        """Pressure of the patient end as last known before the line closed; the back-off's reference."""
        return self._no_flow_pa if self._foot < 0 else self._tip[self._foot]

    def measured_compliance_nl_per_kpa(self):
        """Compliance that the rise itself showed; when it was not straight, the most it can be."""
        return self._measured_nl_per_kpa or self.compliance_nl_per_kpa * 5 // 2

    # -- flow: what the line feels, and what it teaches about the resistance

    def _follow_flow(self, now_s, set_ul_per_h):
        """Lags the flow by tau = R*C and learns R from changes of flow that were long enough."""
        gone_s = now_s - self._flow_s
        if gone_s > 0:
            self._flow_s = now_s
            tau_s = self.resistance_pa_per_ml_h * (self.compliance_nl_per_kpa // 100) // 2778 + 1
            if gone_s > 3 * tau_s:
                self._flow_ul_per_h = self._set_ul_per_h
            else:
                self._flow_ul_per_h += (self._set_ul_per_h - self._flow_ul_per_h) * gone_s // (tau_s + gone_s // 2)
        change = set_ul_per_h - self._set_ul_per_h
        if abs(change) >= LEARN_UL_PER_H:
            self._learn(now_s)
            self._edge_s = now_s if now_s - self._steady_s >= LEARN_S else NOT_YET
            self._steady_s = now_s
            self._edge_pa = self._smooth_pa
            self._edge_ul_per_h = self._flow_ul_per_h
            drop = max(DEFAULT_RESISTANCE, min(2 * DEFAULT_RESISTANCE, self.resistance_pa_per_ml_h))
            if abs(change) * drop // 1000 >= EDGE_PA:
                self._blur_s = now_s
            if change < 0 and (self._total_nl - self._run_nl) & VOLUME_MASK >= AFTER_BOLUS_NL:
                self._relax_s = now_s
                self._look_s = 10
                self._next_look_s = now_s + 10
            self._run_nl = self._total_nl
        elif self._edge_s >= 0 and now_s - self._edge_s >= LEARN_S + LEARN_S // 3:
            self._learn(now_s)
        self._set_ul_per_h = set_ul_per_h

    def _learn(self, now_s):
        """Takes the resistance from the last change of flow; after the first with small weight: the body moves."""
        if self._edge_s < 0 or now_s - self._edge_s < LEARN_S:
            return
        self._edge_s = NOT_YET
        change = self._flow_ul_per_h - self._edge_ul_per_h
        size = abs(change)
        if size < LEARN_UL_PER_H:
            return
        known = self.resistance_pa_per_ml_h
        seen = (self._smooth_pa - self._edge_pa) * 1000 // change
        if self._learnt or size < 1500:
            seen = max(known // 2, min(known * 2, seen))
            known += (seen - known) // (4 if size >= 4000 else 8 if size >= 1500 else 16)
        else:
            known = max(known // 3, min(known * 3, seen))
            self._learnt = True
        self._trusted_resistance = self.resistance_pa_per_ml_h
        self._learnt_s = now_s
        self.resistance_pa_per_ml_h = max(MIN_RESISTANCE, min(MAX_RESISTANCE, known))

    # -- points

    def _gather(self, now_s, pressure_pa):
        """Averages the reading into the open point; closes the point when it spans SPACING_NL."""
        if self._readings == 0:
            self._open_nl = self._total_nl
            self._open_pa = pressure_pa
            self._sum_nl = self._sum_pa = self._sum_drop = 0
        span = (self._total_nl - self._open_nl) & VOLUME_MASK
        if self._readings < 4096:  # an idle line sits on one volume for hours; the sums must stay small
            self._readings += 1
            self._sum_nl += span
            self._sum_pa += pressure_pa - self._open_pa
            self._sum_drop += self._flow_ul_per_h
        if 0 <= self._next_look_s <= now_s:
            self._look_s *= 2
            self._next_look_s = now_s + self._look_s // 2 if self._look_s <= 160 else NOT_YET
        elif span < SPACING_NL:
            return
        k, n = self._next, self._readings
        gone_pa = self._p[k] if self._count == POINTS else self._lowest_pa + 1
        self._v[k] = (self._open_nl + self._sum_nl // n) & VOLUME_MASK
        self._p[k] = self._open_pa + self._sum_pa // n
        self._tip[k] = self._p[k] - self._sum_drop // n * self.resistance_pa_per_ml_h // 1000
        self._s[k] = now_s
        self._readings = 0
        self._next = (k + 1) % POINTS
        if self._count < POINTS:
            self._count += 1
        if self._count == 1 or self._p[k] < self._lowest_pa:
            self._lowest_pa = self._p[k]
        elif gone_pa <= self._lowest_pa:
            self._lowest_pa = min(self._p)  # the ring is full

    # -- tests

    def _above_limit(self, pressure_pa):
        if pressure_pa - self._start_pa >= ABSOLUTE_PA or pressure_pa >= CEILING_PA:
            self._over += 1
        else:
            self._over = 0
        return self._over >= ABSOLUTE_READINGS

    def _straight(self, pressure_pa, now_s):
        """True when the newest points up to this reading lie on one line as steep as a closed one."""
        if self._count == 0 or pressure_pa - self._lowest_pa < RISE_PA:
            return False  # by far the usual case
        relaxing = self._relax_s >= 0 and now_s - self._relax_s < RELAX_S
        if relaxing and (self._total_nl - self._run_nl) & VOLUME_MASK < RELAX_NL:
            return False
        volumes, pressures, total_nl = self._v, self._p, self._total_nl
        most_pa = pressure_pa - RISE_PA
        newest = self._next - 1
        low = newest  # below zero it counts from the ring's end
        while pressures[low] > most_pa:
            low -= 1  # comes to an end: the lowest of all is one of them
        for k in range(low, newest - self._count, -1):
            if pressures[k] > most_pa:
                continue
            volume = (total_nl - volumes[k]) & VOLUME_MASK
            if volume > WINDOW_MAX_NL:
                return False
            if volume < WINDOW_NL or now_s - self._s[k] < MIN_S:
                continue
            rise = pressure_pa - pressures[k]
            if rise >= RISE_AT_EDGE_PA or volume >= PLENTY_NL or self._blur_s < self._s[k] - EDGE_S:
                return self._on_chord(k, volume >> SHIFT, rise)
        return False

    def _on_chord(self, first, volume, rise):
        """The points from `first` on against the chord from it to this reading: near, unbent, and steep enough."""
        stiffness = rise * (self.compliance_nl_per_kpa >> SHIFT)  # of a closed line: 1000 * volume
        if stiffness * 5 < 2000 * volume or stiffness * 2 > 5000 * volume:  # 0.4 to 2.5 of it
            return False
        volumes, pressures = self._v, self._p
        from_nl, from_pa = volumes[first], pressures[first]
        most = self._allowed_pa(rise)
        least = -most
        bend = 0
        for k in range(first + 1, self._next):
            off = pressures[k] - from_pa - rise * (((volumes[k] - from_nl) & VOLUME_MASK) >> SHIFT) // volume
            if off > most or off < least:
                return False
            bend += off
        if abs(bend) > (self._next - first - 1) * (BEND_PA + self._rough_pa // 2 + rise // 64):
            return False
        self._first, self._volume, self._rise = first, volume, rise
        return True

    def _allowed_pa(self, rise):
        """How far from the chord a point may lie."""
        return OFF_LINE_PA + self._rough_pa * 3 // 2 + rise // 50

    def _find_clamp(self):
        """Follows the straight line back to the last point that does not lie on it: that one was before the clamp."""
        first, volume, rise = self._first, self._volume, self._rise
        allowed = self._allowed_pa(rise)
        self._foot = NOT_YET
        self._measured_nl_per_kpa = (volume * 1000 // rise) << SHIFT
        for k in range(first - 1, self._next - 1 - self._count, -1):
            part = ((self._v[first] - self._v[k]) & VOLUME_MASK) >> SHIFT
            if part > 2 * volume:
                return
            off = self._p[k] - self._p[first] + rise * part // volume
            if off > allowed or off < -allowed:
                self._foot = k % POINTS
                return

    def _find_foot(self):
        """For a rise that was not straight: back from the newest point for as long as pressure falls."""
        self._measured_nl_per_kpa = 0
        self._foot = NOT_YET
        k = self._next
        lowest = CEILING_PA * 2
        flat = 0
        for _ in range(self._count):
            k = k - 1 if k else POINTS - 1
            if self._p[k] <= lowest - FOOT_PA:
                lowest = self._p[k]
                self._foot = k
                flat = 0
            else:
                flat += 1
                if flat == FOOT_POINTS:
                    return

    def _trend(self, now_s, pressure_pa):
        """TREND while pressure stands half the limit above what the flow explains, for more than 5 min [OCC-17]."""
        expected = self._start_pa + self._flow_ul_per_h * self.resistance_pa_per_ml_h // 1000
        if pressure_pa - expected < ABSOLUTE_PA // 2:
            self._high_s = NOT_YET
        elif self._high_s < 0:
            self._high_s = now_s
        return TREND if self._high_s >= 0 and now_s - self._high_s > TREND_S else NONE

    def _occluded(self):
        if self._learnt_s >= 0 and self._flow_s - self._learnt_s < 1800:
            self.resistance_pa_per_ml_h = self._trusted_resistance  # it was learnt from a closing line
        self._no_flow_pa = self.no_flow_estimate_pa()
        self._foot = NOT_YET
        self.result = OCCLUDED
        return OCCLUDED


REVERSE = const(1)  # retract up to `next_nl()`, then read the pressure again
WAIT = const(2)  # the target is reached: stand still, read again
DONE = const(3)  # it stays reached
GIVE_UP = const(4)  # the bound is reached, or pressure does not follow: the line is not closed


class BackOff:
    """Pulls the plunger back until a closed line is at its no-flow pressure + 0.5 kPa [OCC-05, H14].

    Told of every reading, with what was retracted so far. It never asks for more than the closed line holds, and gives
    up when pressure does not follow, because then it would be the patient's fluid that is pulled [OCC-06].
    """

    READINGS = const(3)

    def __init__(self):
        self.start(0, 0, DEFAULT_COMPLIANCE)

    def start(self, pressure_pa, no_flow_pa, compliance_nl_per_kpa, lash_nl=LASH_NL):
        """Begins. `compliance_nl_per_kpa`: what the rise showed, `OcclusionDetector.measured_compliance_nl_per_kpa()`;
        `lash_nl`: most that the reversal turns without moving the plunger, in nL of this syringe.
        """
        self.target_pa = no_flow_pa + BACK_OFF_MARGIN_PA
        self._from_pa = pressure_pa
        self._reading_pa = pressure_pa
        self._compliance = compliance_nl_per_kpa
        self._settled = 0
        self._lash_nl = lash_nl
        self.limit_nl = 0
        if pressure_pa > self.target_pa:
            self.limit_nl = min(BACK_OFF_MOST_NL, self._explained_nl(self.target_pa))

    def step(self, pressure_pa, retracted_nl):
        """Says what to do next: REVERSE, WAIT, DONE or GIVE_UP."""
        self._reading_pa = pressure_pa
        if pressure_pa <= self.target_pa:
            self._settled += 1
            return DONE if self._settled >= self.READINGS else WAIT
        if self._settled and pressure_pa <= self.target_pa + BACK_OFF_MARGIN_PA // 4:
            self._settled += 1  # noise around the target
            return DONE if self._settled >= self.READINGS else WAIT
        self._settled = 0
        if retracted_nl >= self.limit_nl or retracted_nl > self._explained_nl(pressure_pa):
            return GIVE_UP
        return REVERSE

    def _explained_nl(self, pressure_pa):
        """What a closed line gives back on its way down to a pressure, with an eighth to spare, and the lash."""
        given_nl = (self._from_pa - pressure_pa) // 10 * (self._compliance // 10) // 10
        return given_nl + given_nl // 8 + self._lash_nl + LATE_NL

    def next_nl(self):
        """Most to retract before the next reading: half of what is missing, 100..1000 nL."""
        missing = (self._reading_pa - self.target_pa) // 10 * (self._compliance // 10) // 20
        return max(100, min(1_000, missing))
