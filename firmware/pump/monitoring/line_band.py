"""A line that has come off the catheter: the pressure falls out of its learned band, to that of the open air [H16].

Off the catheter, the pressure at the pump is atmospheric plus the drop of the flow in the line alone, some fifth of
the whole [scenario contract, "Priming"], and stays so. A patient's pressure does that only if the body is at just that
height; so the lowest pressure at the patient end of the past hours is learnt, and what lies in its band is no sign.
A patient whose pressure is atmospheric anyway cannot be told from an open line: then there is no alarm.

Units: Pa (gauge), s. No allocation; every intermediate stays below 2^30.
"""

from pump.base.units import const

AIR_PA = const(200)  # noise and zero drift of the sensor, and the height of a line end on the bed
BAND_PA = const(500)  # this much below the lowest pressure learnt is out of the band
LEARN_S = const(3_600)  # of infusion, before the band of a patient at rest counts
MOVING_LEARN_S = const(28_800)  # before that of a patient who moves: most levels have been seen by then
MOVING_PA = const(600)  # a wider band is that of a patient who moves
FOUND_S = const(1_200)  # out of the band, at the pressure of the open air, for so long
_HOUR_S = const(3_600)
_NOT_YET = const(-1)


class LineBand:
    """Checks every pressure reading while infusing: `sample` returns True while the line seems to be off."""

    def __init__(self):
        self.start(0)

    def start(self, now_s):
        """Another line, or a first infusion: everything is learnt again."""
        self._begun_s = self._aged_s = now_s
        self._mean_pa = self._low_pa = self._high_pa = 0
        self._readings = 0
        self._air_s = _NOT_YET  # since when the pressure is that of the open air

    def sample(self, now_s, pressure_pa, drop_pa):
        """One reading. drop_pa: pressure drop of the present flow from the pump to the patient end."""
        tip_pa = pressure_pa - drop_pa
        is_air = -AIR_PA <= pressure_pa - drop_pa // 5 <= AIR_PA + drop_pa // 10
        if is_air and tip_pa < self._low_pa - BAND_PA and now_s - self._begun_s >= self._learn_s():
            if self._air_s < 0:
                self._air_s = now_s
            return now_s - self._air_s >= FOUND_S
        self._air_s = _NOT_YET
        self._learn(now_s, tip_pa)
        return False

    def _learn_s(self):
        return MOVING_LEARN_S if self._high_pa - self._low_pa > MOVING_PA else LEARN_S

    def _learn(self, now_s, tip_pa):
        """Follows the pressure over some minutes; lowest and highest are forgotten by 1/128 an hour."""
        if self._readings < 16:
            self._readings += 1
            self._mean_pa += (tip_pa - self._mean_pa) // self._readings
        else:
            self._mean_pa += (tip_pa - self._mean_pa) >> 4
        if self._readings < 16:
            self._low_pa = self._high_pa = self._mean_pa
        elif self._mean_pa < self._low_pa:
            self._low_pa = self._mean_pa
        elif self._mean_pa > self._high_pa:
            self._high_pa = self._mean_pa
        if now_s - self._aged_s >= _HOUR_S:
            self._aged_s = now_s
            self._low_pa += (self._mean_pa - self._low_pa) >> 7
            self._high_pa += (self._mean_pa - self._high_pa) >> 7
