"""Whether the line pressure sensor can be believed [ALM-25, OCC-13].

A reading that looks odd (the same count again, a jump, a bad status) is SUSPICIOUS: the caller reads again within
SOON_MS, and goes on so until the verdict is OK or FAULT. Neither flow nor body can change the line in that time, so
what scatters then is the sensor, and what stays frozen to the bit is the sensor too: a healthy converter's own noise of
some counts never lets it repeat itself so often.

Counts are the raw 24 bits of the ABP2: 2^23 is 0 kPa, 10 % to 90 % of 2^24 are -100 to +100 kPa. No allocation.
"""

from pump.units import const

OK = const(0)
SUSPICIOUS = const(1)
FAULT = const(2)

SOON_MS = const(10)  # how soon a suspicious sensor is to be read again, every time with a new conversion

STATUS_POWERED = const(0x40)
STATUS_BUSY = const(0x20)
STATUS_MEMORY_ERROR = const(0x04)
STATUS_SATURATED = const(0x01)
LOWEST_COUNT = const(1_677_722)  # 10 % of 2^24: -100 kPa
HIGHEST_COUNT = const(15_099_494)  # 90 %: +100 kPa

COUNTS_PER_KPA = const(67_109)
# Identical counts in a row. Noise of only +-2 counts, five equally likely, does that once in 3e10 readings.
FROZEN_READINGS = const(16)
ODD_JUMP = const(26_844)  # 0.4 kPa between two ordinary readings: look again
SCATTER = const(40_265)  # 0.6 kPa between two readings SOON_MS apart
SCATTER_READINGS = const(4)  # so often ...
LOOKS = const(8)  # ... in so many looks is noise
BAD_READINGS = const(3)  # bad status, or a count off the scale, in a row
JUMP = const(805_306)  # 12 kPa at once, and it stays: no body, flow or height does that through a line in 5 s

NOTHING = const(-1)


class PressureCheck:
    """Fed with every reading of the line pressure sensor."""

    def __init__(self):
        self.restart()

    def restart(self):
        """Forgets what was seen, as after a motor stop of unknown length or a fault that a clinician cleared."""
        self.verdict = OK
        self._last = NOTHING
        self._same = 0
        self._bad = 0
        self._looks = 0  # quick readings of the present suspicion
        self._scatters = 0
        self._calm = 0  # quick readings in a row that agree
        self._before_jump = NOTHING

    def feel(self, raw, status):
        """One new conversion: OK, SUSPICIOUS (read again within SOON_MS) or FAULT."""
        last, self._last = self._last, raw
        if status & (STATUS_POWERED | STATUS_MEMORY_ERROR | STATUS_SATURATED) != STATUS_POWERED or not (
            LOWEST_COUNT <= raw <= HIGHEST_COUNT
        ):
            self._bad += 1
            return self._say(FAULT if self._bad >= BAD_READINGS else SUSPICIOUS)
        self._bad = 0
        if last < 0:
            return self._say(OK)
        change = raw - last if raw > last else last - raw
        self._same = self._same + 1 if change == 0 else 0
        if self._same >= FROZEN_READINGS - 1:
            return self._say(FAULT)
        if self._same:
            return self._say(SUSPICIOUS)
        if self.verdict == FAULT:
            return self._recover(change)
        if self._looks:
            return self._look_again(raw, change)
        if change <= ODD_JUMP:
            return self._say(OK)
        self._looks = 1
        self._scatters = self._calm = 0
        self._before_jump = last
        return self._say(SUSPICIOUS)

    def _look_again(self, raw, change):
        """A reading soon after an odd one: scatter is noise; calm at once is what the line really did."""
        self._looks += 1
        if change > SCATTER:
            self._scatters += 1
            self._calm = 0
        else:
            self._calm += 1
        if self._scatters >= SCATTER_READINGS:
            return self._say(FAULT)
        if self._looks > LOOKS or self._calm > self._scatters * 2:
            self._looks = 0
            moved = raw - self._before_jump if raw > self._before_jump else self._before_jump - raw
            return self._say(FAULT if moved >= JUMP else OK)
        return self._say(SUSPICIOUS)

    def _recover(self, change):
        """A faulty sensor is believed again after LOOKS readings that live and agree."""
        self._looks = 0
        self._calm = self._calm + 1 if change <= SCATTER else 0
        return self._say(OK if self._calm >= LOOKS else FAULT)

    def _say(self, verdict):
        if verdict == FAULT and self.verdict != FAULT:
            self._calm = self._looks = 0
        self.verdict = verdict
        return verdict
