"""Occlusion detector: a closed line shows as a straight rise of pressure with pumped volume [OCC-01, OCC-03, H15].

A closed line stores the pumped volume: pressure rises by exactly 1/C per volume, in a straight line, at any flow and
across changes of flow. All other causes bend: an open line relaxes with tau = R*C, a patient who moves or is lifted
gives steps and ramps. So readings are averaged into points evenly spaced in *pumped volume*. The line is closed if the
newest 70 uL (more, until they rise by 6.5 kPa) lie on a straight line without bend, over at least 45 s, with a slope
that a closed line of about this compliance can have, and if this holds for 8 s more. A large change of the pump's own
flow together with a change of height can look straight for a while; a window with such a change must rise by more than
both usual height changes explain. Independent of all this, there is an absolute pressure limit.

Units: volume nL, pressure Pa (gauge), time s, flow nL/h, compliance nL/kPa, resistance Pa per mL/h. Nothing here
allocates after construction, and every intermediate stays below 2^30.
"""

from pump.base.units import const
from pump.delivery.back_off import MARGIN_PA

NONE = const(0)
TREND = const(1)  # resistance to flow is higher than expected [OCC-17]
OCCLUDED = const(2)  # the line is closed

VOLUME_MASK = const(0xFFFFFFF)  # pumped volume may wrap at 2^28 nL or a multiple of it
ABSOLUTE_PA = const(40_000)  # absolute limit, above the no-flow pressure at the start
CEILING_PA = const(69_000)  # 10 psi, absolute limit for any no-flow pressure [ALM-03]
ABSOLUTE_READINGS = const(2)  # in a row above a limit; a single spike is no occlusion
TREND_S = const(300)  # time above half of ABSOLUTE_PA, less the drop of the flow, for TREND

SPACING_NL = const(4_000)  # pumped volume per point
POINTS = const(96)  # kept in the ring
WINDOW_NL = const(70_000)  # least volume of the straight line
WINDOW_MAX_NL = const(240_000)  # greatest volume of it
RISE_PA = const(6_500)  # least rise: more than body movement between its extremes (+-3 kPa)
RISE_AT_EDGE_PA = const(13_500)  # least rise of a window with a large change of flow: more than 12 kPa of height
EDGE_PA = const(4_000)  # a change of flow with this pressure drop is large
EDGE_S = const(60)  # it affects a window that begins up to this much later
PLENTY_NL = const(170_000)  # straight over this volume is closed in any case; 200 uL stored is the bound
AFTER_BOLUS_NL = const(12_000)  # after this volume at a faster flow, the line is checked only once relaxed:
RELAX_S = const(90)  # after this time
RELAX_NL = const(15_000)  # or after this pumped volume
MIN_S = const(45)  # least duration, over twice the usual tau of 21 s: a relaxing line has bent by then
HOLD_S = const(8)  # the test must hold this long: a curve may cross a straight line

# Deviation of a closed line from straight, by noise, roughness of screw and plunger, and curved compliance. Relaxation
# over T bends by T / (8 tau) of the rise, and by two thirds of that in the mean, so the mean has a tighter limit.
OFF_LINE_PA = const(120)  # of any point
BEND_PA = const(30)  # in the mean
ROUGH_USTEPS = const(14)  # 1.5 um of pitch error and 2 um of stick and slip
# Foot of a rise, searched backwards: pressure must fall by FOOT_PA within FOOT_POINTS
FOOT_PA = const(60)
FOOT_POINTS = const(4)
SHIFT = const(6)  # volumes are compared in 64 nL, so that volume * pressure stays below 2^30

DEFAULT_COMPLIANCE = const(9_000)  # nL/kPa
DEFAULT_RESISTANCE = const(650)  # Pa per mL/h
MIN_RESISTANCE = const(50)
MAX_RESISTANCE = const(5_000)
LEARN_UL_PER_H = const(500)  # least change of flow from which the resistance is learnt
LEARN_S = const(90)  # constant flow needed before and after that change
NOT_YET = const(-1)


class OcclusionDetector:
    """Checks every pressure reading while infusing: `sample` returns NONE, TREND or OCCLUDED."""

    def __init__(self):
        self._v = [0] * POINTS  # mean pumped volume of the readings of a point
        self._p = [0] * POINTS  # their mean pressure
        self._tip = [0] * POINTS  # their mean pressure less the drop of the flow: pressure at the patient end
        self._s = [0] * POINTS  # time at which the point was closed
        self._flow_ul_per_h = 0  # commanded flow, lagged by tau
        self.resistance_pa_per_ml_h = DEFAULT_RESISTANCE
        self._trusted_resistance = DEFAULT_RESISTANCE
        self._no_flow_pa = 0
        self.result = NONE
        self.configure(DEFAULT_COMPLIANCE)
        self.start(0, 0)

    def configure(self, compliance_nl_per_kpa, pl_per_ustep=41_282, resistance_pa_per_ml_h=DEFAULT_RESISTANCE):
        """Sets compliance (limited to 1000..40000 nL/kPa), pL per ustep, and resistance (limited to 50..5000).

        The compliance may be wrong by a factor of 2.5 either way; the resistance is learnt.
        """
        self.compliance_nl_per_kpa = max(1_000, min(40_000, compliance_nl_per_kpa))
        self.resistance_pa_per_ml_h = max(MIN_RESISTANCE, min(MAX_RESISTANCE, resistance_pa_per_ml_h))
        self._trusted_resistance = self.resistance_pa_per_ml_h
        self._learnt = False
        self._rough_pa = ROUGH_USTEPS * pl_per_ustep // self.compliance_nl_per_kpa

    def start(self, now_s, no_flow_pa):
        """Infusion starts at `now_s`. `no_flow_pa` is the settled pressure before any flow.

        After an occlusion, a line that still holds the pressure that the back-off left, or more because the back-off
        was cut short, was most likely never opened. The limits then stay relative to the no-flow pressure of before, so
        that pressure does not build up from restart to restart.
        """
        margin = no_flow_pa - self._no_flow_pa
        unrelieved = self.result == OCCLUDED and margin >= MARGIN_PA * 3 // 2
        if self.result != OCCLUDED or margin <= MARGIN_PA // 2:
            self._no_flow_pa = no_flow_pa
        self._start_pa = self._no_flow_pa if unrelieved else no_flow_pa
        self._count = 0  # points in the ring
        self._next = 0  # index of the next point
        self._lowest_pa = no_flow_pa
        self._total_nl = 0
        self._last_nl = NOT_YET
        # Of the readings in the open point: number, start and sums (made here and not in the tick)
        self._readings = 0
        self._open_nl = self._open_pa = self._sum_nl = self._sum_pa = self._sum_drop = 0
        self._edge_pa = self._edge_ul_per_h = 0
        self._straight_s = NOT_YET  # since when the line is straight
        self._first = self._volume = self._rise = 0  # of the last straight line, see `_on_chord`
        self._over = 0  # readings in a row above an absolute limit
        self._high_s = NOT_YET  # since when pressure is high enough for TREND
        self._flow_ul_per_h = 0
        self._set_ul_per_h = 0
        self._smooth_pa = no_flow_pa
        self._flow_s = now_s
        self._edge_s = NOT_YET  # time of the change of flow from which the resistance may be learnt
        self._steady_s = now_s - LEARN_S  # since when the flow is constant
        self._blur_s = NOT_YET  # time of the last large change of flow
        self._run_nl = 0  # total volume at the last change of flow
        self._relax_s = NOT_YET  # end of the last bolus
        # After a bolus, points are also closed by time: at 10, 20, 40, 80, 160 s
        self._next_timed_s = NOT_YET
        self._timed_s = 0
        self._learnt_s = NOT_YET  # when the resistance was last learnt
        self._reading_pa = no_flow_pa
        self._foot = NOT_YET  # once occluded: the point before the rise
        self._measured_nl_per_kpa = 0
        self.result = NONE

    def sample(self, now_s, pumped_nl, pressure_pa, flow_nl_per_h):
        """One reading: returns NONE, TREND or OCCLUDED (which stays until the next `start`).

        pumped_nl: volume really pumped so far, modulo 2^28 or a multiple of it. flow_nl_per_h: commanded.
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
            if self._straight_s < 0:
                self._straight_s = now_s
            if now_s - self._straight_s >= HOLD_S:
                self._find_foot_of_line()
                return self._occluded()
        else:
            self._straight_s = NOT_YET
        self._add_to_point(now_s, pressure_pa)
        self.result = self._trend(now_s, pressure_pa)
        return self.result

    def no_flow_estimate_pa(self):
        """Pressure at the patient end as last known before the line closed, Pa: the reference of the back-off."""
        return self._no_flow_pa if self._foot < 0 else self._tip[self._foot]

    def stored_nl(self):
        """Volume that the line holds beyond what its flow explains, nL >= 0: C * (P - no-flow pressure - R * flow)."""
        drop_pa = self._flow_ul_per_h * self.resistance_pa_per_ml_h // 1000
        excess_pa = self._smooth_pa - self._no_flow_pa - drop_pa
        return max(0, excess_pa) * (self.compliance_nl_per_kpa // 10) // 100

    def measured_compliance_nl_per_kpa(self):
        """Compliance measured from the rise; if the rise was not straight, the greatest possible value."""
        return self._measured_nl_per_kpa or self.compliance_nl_per_kpa * 5 // 2

    def best_compliance_nl_per_kpa(self):
        """Compliance measured from a straight rise, else the configured one."""
        return self._measured_nl_per_kpa or self.compliance_nl_per_kpa

    def flow_drop_pa(self):
        """Pressure that the flow of just now makes in the open line, Pa."""
        return self._flow_ul_per_h * self.resistance_pa_per_ml_h // 1000

    # -- flow and resistance of the line

    def _follow_flow(self, now_s, set_ul_per_h):
        """Lags the flow by tau = R*C, and learns R from changes of flow between constant flows."""
        elapsed_s = now_s - self._flow_s
        if elapsed_s > 0:
            self._flow_s = now_s
            tau_s = self.resistance_pa_per_ml_h * (self.compliance_nl_per_kpa // 100) // 2778 + 1
            if elapsed_s > 3 * tau_s:
                self._flow_ul_per_h = self._set_ul_per_h
            else:
                self._flow_ul_per_h += (
                    (self._set_ul_per_h - self._flow_ul_per_h) * elapsed_s // (tau_s + elapsed_s // 2)
                )
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
                self._timed_s = 10
                self._next_timed_s = now_s + 10
            self._run_nl = self._total_nl
        elif self._edge_s >= 0 and now_s - self._edge_s >= LEARN_S + LEARN_S // 3:
            self._learn(now_s)
        self._set_ul_per_h = set_ul_per_h

    def _learn(self, now_s):
        """Learns the resistance from the last change of flow; small weight after the first, as the body moves."""
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

    def _add_to_point(self, now_s, pressure_pa):
        """Averages the reading into the open point; closes the point when it spans SPACING_NL."""
        if self._readings == 0:
            self._open_nl = self._total_nl
            self._open_pa = pressure_pa
            self._sum_nl = self._sum_pa = self._sum_drop = 0
        span = (self._total_nl - self._open_nl) & VOLUME_MASK
        if self._readings < 4096:  # without flow the volume stays the same for hours, and the sums must stay small
            self._readings += 1
            self._sum_nl += span
            self._sum_pa += pressure_pa - self._open_pa
            self._sum_drop += self._flow_ul_per_h
        if 0 <= self._next_timed_s <= now_s:
            self._timed_s *= 2
            self._next_timed_s = now_s + self._timed_s // 2 if self._timed_s <= 160 else NOT_YET
        elif span < SPACING_NL:
            return
        k, n = self._next, self._readings
        dropped_pa = self._p[k] if self._count == POINTS else self._lowest_pa + 1
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
        elif dropped_pa <= self._lowest_pa:
            self._lowest_pa = min(self._p)  # the ring is full

    # -- tests

    def _above_limit(self, pressure_pa):
        if pressure_pa - self._start_pa >= ABSOLUTE_PA or pressure_pa >= CEILING_PA:
            self._over += 1
        else:
            self._over = 0
        return self._over >= ABSOLUTE_READINGS

    def _straight(self, pressure_pa, now_s):
        """True if the newest points up to this reading lie on a line as steep as that of a closed line."""
        if self._count == 0 or pressure_pa - self._lowest_pa < RISE_PA:
            return False  # nearly always
        relaxing = self._relax_s >= 0 and now_s - self._relax_s < RELAX_S
        if relaxing and (self._total_nl - self._run_nl) & VOLUME_MASK < RELAX_NL:
            return False
        volumes, pressures, total_nl = self._v, self._p, self._total_nl
        most_pa = pressure_pa - RISE_PA
        newest = self._next - 1
        low = newest  # below zero: from the end of the ring
        while pressures[low] > most_pa:
            low -= 1  # ends at the latest at the lowest point
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
        """True if the points from `first` on are near the chord to this reading, unbent, and steep enough."""
        stiffness = rise * (self.compliance_nl_per_kpa >> SHIFT)  # of a closed line: 1000 * volume
        if stiffness * 5 < 2000 * volume or stiffness * 2 > 5000 * volume:  # outside 0.4 to 2.5 times that
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
        """Greatest distance of a point from the chord, Pa."""
        return OFF_LINE_PA + self._rough_pa * 3 // 2 + rise // 50

    def _find_foot_of_line(self):
        """Finds the foot of a straight rise: the last point off the line, which was before the line closed."""
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
        """Finds the foot of a rise that is not straight: back from the newest point while pressure falls."""
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
        """TREND if pressure is half of ABSOLUTE_PA above that expected of the flow for more than 5 min [OCC-17]."""
        expected = self._start_pa + self._flow_ul_per_h * self.resistance_pa_per_ml_h // 1000
        if pressure_pa - expected < ABSOLUTE_PA // 2:
            self._high_s = NOT_YET
        elif self._high_s < 0:
            self._high_s = now_s
        return TREND if self._high_s >= 0 and now_s - self._high_s > TREND_S else NONE

    def _occluded(self):
        if self._learnt_s >= 0 and self._flow_s - self._learnt_s < 1800:
            self.resistance_pa_per_ml_h = self._trusted_resistance  # the last value was learnt from a closing line
        self._no_flow_pa = self.no_flow_estimate_pa()
        self._foot = NOT_YET
        self.result = OCCLUDED
        return OCCLUDED
