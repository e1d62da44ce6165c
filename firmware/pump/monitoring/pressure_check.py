"""Plausibility of the line pressure sensor [ALM-25, OCC-13].

A doubtful reading (the same count again, a jump, a bad status) is SUSPICIOUS: the caller reads again within SOON_MS,
until the verdict is OK or FAULT. Neither flow nor body can change the line pressure in that time, so scatter comes from
the sensor. So does a count that stays frozen to the bit: the noise of a healthy converter, some counts, does not let a
count repeat that often.

Counts are the raw 24 bits of the ABP2: 2^23 is 0 kPa, 10 % to 90 % of 2^24 are -100 to +100 kPa. No allocation.
"""

from pump.base.units import const

OK = const(0)
SUSPICIOUS = const(1)
FAULT = const(2)

SOON_MS = const(10)  # time to the next reading (a new conversion) of a suspicious sensor

STATUS_POWERED = const(0x40)
STATUS_BUSY = const(0x20)
STATUS_MEMORY_ERROR = const(0x04)
STATUS_SATURATED = const(0x01)
LOWEST_COUNT = const(1_677_722)  # 10 % of 2^24: -100 kPa
HIGHEST_COUNT = const(15_099_494)  # 90 %: +100 kPa

COUNTS_PER_KPA = const(67_109)
# Identical counts in a row. Noise of +-2 counts, five values equally likely, gives that once in 3e10 readings.
FROZEN_READINGS = const(16)
ODD_JUMP = const(26_844)  # 0.4 kPa between two ordinary readings: suspicious
SCATTER = const(40_265)  # 0.6 kPa between two readings SOON_MS apart
SCATTER_READINGS = const(4)  # this many readings with scatter ...
LOOKS = const(8)  # ... among this many quick readings are a fault
BAD_READINGS = const(3)  # bad status, or a count off the scale, in a row
JUMP = const(805_306)  # 12 kPa at once that stays: no body, flow or height does that through a line in 5 s

NOTHING = const(-1)


class PressureCheck:
    """Checks every reading of the line pressure sensor."""

    def __init__(self):
        self.restart()

    def restart(self):
        """Drops all earlier readings, as after a motor stop of unknown length or a fault that a clinician cleared."""
        self.verdict = OK
        self._last = NOTHING  # last count
        self._same = 0  # repetitions of the last count in a row
        self._bad = 0  # readings in a row with a bad status, or off the scale
        self._looks = 0  # quick readings since the present suspicion began
        self._scatters = 0  # of these, with scatter
        self._calm = 0  # quick readings in a row that agree
        self._before_jump = NOTHING  # count before the present suspicion

    def sample(self, raw, status):
        """Verdict on a new conversion, count `raw` and `status` byte: OK, SUSPICIOUS (read again soon) or FAULT."""
        last, self._last = self._last, raw
        if status & (STATUS_POWERED | STATUS_MEMORY_ERROR | STATUS_SATURATED) != STATUS_POWERED or not (
            LOWEST_COUNT <= raw <= HIGHEST_COUNT
        ):
            self._bad += 1
            return self._set_verdict(FAULT if self._bad >= BAD_READINGS else SUSPICIOUS)
        self._bad = 0
        if last < 0:
            return self._set_verdict(OK)
        change = raw - last if raw > last else last - raw
        self._same = self._same + 1 if change == 0 else 0
        if self._same >= FROZEN_READINGS - 1:
            return self._set_verdict(FAULT)
        if self._same:
            return self._set_verdict(SUSPICIOUS)
        if self.verdict == FAULT:
            return self._recover(change)
        if self._looks:
            return self._recheck(raw, change)
        if change <= ODD_JUMP:
            return self._set_verdict(OK)
        self._looks = 1
        self._scatters = self._calm = 0
        self._before_jump = last
        return self._set_verdict(SUSPICIOUS)

    def _recheck(self, raw, change):
        """A quick reading after a jump: FAULT if readings scatter, OK if they agree on a jump below JUMP."""
        self._looks += 1
        if change > SCATTER:
            self._scatters += 1
            self._calm = 0
        else:
            self._calm += 1
        if self._scatters >= SCATTER_READINGS:
            return self._set_verdict(FAULT)
        if self._looks > LOOKS or self._calm > self._scatters * 2:
            self._looks = 0
            moved = raw - self._before_jump if raw > self._before_jump else self._before_jump - raw
            return self._set_verdict(FAULT if moved >= JUMP else OK)
        return self._set_verdict(SUSPICIOUS)

    def _recover(self, change):
        """A faulty sensor is OK again after LOOKS readings in a row that differ, but not by more than SCATTER."""
        self._looks = 0
        self._calm = self._calm + 1 if change <= SCATTER else 0
        return self._set_verdict(OK if self._calm >= LOOKS else FAULT)

    def _set_verdict(self, verdict):
        if verdict == FAULT and self.verdict != FAULT:
            self._calm = self._looks = 0
        self.verdict = verdict
        return verdict
