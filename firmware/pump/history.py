"""What was given in the last 24 h, as the limits need it: boluses by their end, and basal rates by when they ended.

Both rings live in FRAM, so that no reset, power cut or new prescription makes the pump forget a dose
[LIM-18, LIM-27]. An entry is written first and the ring's head after it (in the state journal, which holds heads and
counts): a cut in between leaves the old, valid ring. Nothing here runs in the delivery tick.
"""

import struct
from array import array
from binascii import crc32

from pump.units import DAY_S, const

PCA = const(1)
CLINICIAN = const(2)

BOLUSES = const(1440)  # every bolus end starts a lockout of >= 60 s, so no more can end within 24 h
RATES = const(64)

_BOLUS = "<IIHBxI"  # end s, mass ng, end ms, kind, CRC-32 of the 12 bytes before it
_RATE = "<IIHxxI"  # until s, ug per day, until ms, CRC-32
_ENTRY = const(16)

BOLUS_BYTES = BOLUSES * _ENTRY
RATE_BYTES = RATES * _ENTRY


class Corrupt(Exception):
    """A ring entry in FRAM does not carry its CRC: what was given is no longer known."""


def _expired(s, ms, window_s, now_s, now_ms):
    """True when an end at (s, ms) lies outside the window that ends now: end <= now - window."""
    edge = now_s - window_s
    return s < edge or (s == edge and ms <= now_ms)


class _Ring:
    """Fixed-size entries with an end time, oldest first, mirrored in FRAM at `base`."""

    def __init__(self, nv, base, size, form):
        self._nv, self._base, self._size, self._form = nv, base, size, form
        self._s = array("I", bytes(4 * size))
        self._ms = array("H", bytes(2 * size))
        self._value = array("I", bytes(4 * size))
        self._kind = bytearray(size)
        self._buf = bytearray(_ENTRY)
        self.first = 0
        self.count = 0

    def restore(self, first, count):
        """Reads the ring back. Raises Corrupt when an entry, or the place it should stand at, is damaged."""
        if not (0 <= first < self._size and 0 <= count <= self._size):
            raise Corrupt("ring head")
        for k in range(count):
            i = (first + k) % self._size
            self._nv.read_into(self._base + i * _ENTRY, self._buf)
            fields = struct.unpack(self._form, self._buf)
            if crc32(self._buf[:12]) != fields[-1]:
                raise Corrupt("ring entry")
            self._s[i], self._value[i], self._ms[i] = fields[:3]
            if len(fields) == 5:
                self._kind[i] = fields[3]
        self.first, self.count = first, count

    def forget(self):
        """Empties the ring (used when its content is damaged and the pump has blocked boluses for 24 h)."""
        self.first = self.count = 0

    def append(self, s, ms, value, kind=0):
        """Adds an entry that ended at (s, ms). Raises ValueError when the ring is full of live entries."""
        self.drop_expired(s, ms)
        if self.count == self._size:
            raise ValueError("history ring is full")
        self._put((self.first + self.count) % self._size, s, ms, value, kind)
        self.count += 1

    def _put(self, i, s, ms, value, kind):
        self._s[i], self._ms[i], self._value[i], self._kind[i] = s, ms, value, kind
        if self._form == _BOLUS:
            struct.pack_into(_BOLUS, self._buf, 0, s, value, ms, kind, 0)
        else:
            struct.pack_into(_RATE, self._buf, 0, s, value, ms, 0)
        struct.pack_into("<I", self._buf, 12, crc32(self._buf[:12]))
        self._nv.write(self._base + i * _ENTRY, self._buf)

    def drop_expired(self, now_s, now_ms):
        """Forgets entries older than the longest window, 24 h."""
        while self.count and _expired(self._s[self.first], self._ms[self.first], DAY_S, now_s, now_ms):
            self.first = (self.first + 1) % self._size
            self.count -= 1

    def room_to_convert(self, more=0):
        """True when `convert` can write its copies beside the originals, of which `more` are still to come."""
        return 2 * (self.count + more) <= self._size

    def convert(self, numerator, denominator):
        """Restates every value by the factor, rounded up, in fresh entries behind the old ones.

        The journal's next write moves the head onto them; a power cut before it leaves the old ring whole.
        Raises ValueError when there is no room for the copies.
        """
        if not self.room_to_convert():
            raise ValueError("history ring is too full to convert")
        for k in range(self.count):
            i = (self.first + k) % self._size
            value = (self._value[i] * numerator + denominator - 1) // denominator
            value = min(value, 0xFFFFFFFF)
            self._put((i + self.count) % self._size, self._s[i], self._ms[i], value, self._kind[i])
        self.first = (self.first + self.count) % self._size

    def __len__(self):
        return self.count

    def at(self, k):
        """The k-th oldest entry: (s, ms, value, kind)."""
        i = (self.first + k) % self._size
        return self._s[i], self._ms[i], self._value[i], self._kind[i]


class DoseHistory:
    """Boluses (ended at, mass in ng, kind) and replaced basal rates (until, ug/day) of the last 24 h."""

    def __init__(self, nv, bolus_base, rate_base):
        self.boluses = _Ring(nv, bolus_base, BOLUSES, _BOLUS)
        self.rates = _Ring(nv, rate_base, RATES, _RATE)

    def bolus_ended(self, s, ms, kind, mass_ng):
        """Books a bolus of `mass_ng` that ended at (s, ms), whole or interrupted."""
        self.boluses.append(s, ms, mass_ng, kind)

    def rate_replaced(self, s, ms, ug_per_day):
        """Notes that a basal rate was in force until (s, ms)."""
        self.rates.append(s, ms, ug_per_day)

    def drop_expired(self, s, ms):
        """Forgets what ended 24 h ago or longer."""
        self.boluses.drop_expired(s, ms)
        self.rates.drop_expired(s, ms)

    def is_empty(self):
        """True when nothing of the last 24 h is known."""
        return len(self.boluses) == 0 and len(self.rates) == 0

    def has_room(self, for_copies):
        """Whether a prescription can be replaced: a rate more, and the copies of a conversion if it takes one."""
        if for_copies:
            return self.boluses.room_to_convert(0) and self.rates.room_to_convert(1)
        return len(self.rates) < RATES

    def convert(self, numerator, denominator):
        """Restates past mass and rates in ug of the new drug, rounded up (another drug was prescribed)."""
        self.boluses.convert(numerator, denominator)
        self.rates.convert(numerator, denominator)
