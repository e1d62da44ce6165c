"""What waits for a finger on the start key: one thing at a time, for so long, and only for a finger that could see it.

Display and keys ask the same question here, so that START never does what is not shown.
"""

from pump.pendant import ms_between
from pump.units import const

NOTHING = const(0)
PROVISIONING = const(1)  # held: whose pump it is
PRESCRIPTION = const(2)  # held: comes into force
ORDER = const(3)  # pressed: a clinician's bolus is given
PRIMING = const(4)  # pressed: the line is filled

_LASTS_S = (0, 180, 180, 60, 180)  # [RX-06, OP EC24]
SEEN_MS = const(500)  # a press that began sooner was meant for what the display showed before


class Waiting:
    """Of one pump. `changes` counts, for whoever shows it."""

    def __init__(self, clock):
        self._clock = clock
        self._kind = NOTHING
        self._s = self._ms = 0
        self.changes = 0

    @property
    def kind(self):
        """What waits now; NOTHING when it has waited too long. No allocation."""
        return NOTHING if self.is_forgotten() else self._kind

    def is_forgotten(self):
        """Whether something has waited too long, and nobody has dropped it yet."""
        return self._kind != NOTHING and self._clock.s - self._s > _LASTS_S[self._kind]

    @property
    def forgotten(self):
        """What that is."""
        return self._kind

    def put(self, kind):
        """From now on `kind` waits, and whatever did does not any more."""
        self._kind = kind
        self._s, self._ms = self._clock.s, self._clock.ms
        self.changes += 1

    def drop(self):
        """Nothing waits any more."""
        if self._kind != NOTHING:
            self._kind = NOTHING
            self.changes += 1

    def was_seen(self, s, ms, held_ms=0):
        """Whether a press that began `held_ms` before (s, ms) could be meant for what waits."""
        return ms_between(self._s, self._ms, s, ms) - held_ms >= SEEN_MS
