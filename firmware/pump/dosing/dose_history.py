"""Dose history of the last 24 h in FRAM: boluses by their end, and replaced basal rates by their end.

No reset, power cut or new prescription loses a dose [LIM-18, LIM-27]. The entry is written first, then the ring's head
(the state journal holds heads and counts): a cut in between leaves the old, valid ring. Nothing here runs in the
delivery tick.
"""

import struct
from array import array
from binascii import crc32

from pump.base.units import DAY_S, const

PCA = const(1)
CLINICIAN = const(2)

BOLUSES = const(1440)  # every bolus end starts a lockout of >= 60 s, so no more can end within 24 h
RATES = const(64)

NG_PER_UG = const(1000)  # a bolus of another drug counts as whole ug

_BOLUS = "<IIHBxI"  # end s, mass ng, end ms, kind, CRC-32 of the 12 bytes before it
_RATE = "<IIHxxI"  # until s, ug per day, until ms, CRC-32
_ENTRY = const(16)
_BLOCK_ENTRIES = const(16)  # read from FRAM at once: a transfer for each entry takes 0.2 s more at power-up

BOLUS_BYTES = BOLUSES * _ENTRY
RATE_BYTES = RATES * _ENTRY


def restated(value, numerator, denominator, unit=1):
    """`value` times numerator / denominator, rounded up to a multiple of `unit`."""
    return -(-value * numerator // (denominator * unit)) * unit


class Corrupt(Exception):
    """A ring head is out of range, or the CRC of a ring entry in FRAM is wrong: the history is lost."""


def _expired(s, ms, window_s, now_s, now_ms):
    """True if an end at (s, ms) lies outside the window that ends now: end <= now - window."""
    edge = now_s - window_s
    return s < edge or (s == edge and ms <= now_ms)


class _Ring:
    """Ring of `size` entries with an end time, oldest first: in RAM, and in FRAM `nv` at `base` with layout `form`."""

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
        """Reads the ring back from FRAM. Raises Corrupt if the head is out of range or an entry's CRC is wrong."""
        if not (0 <= first < self._size and 0 <= count <= self._size):
            raise Corrupt("ring head")
        block = bytearray(_BLOCK_ENTRIES * _ENTRY)
        done = 0
        while done < count:
            at = (first + done) % self._size
            entries = min(_BLOCK_ENTRIES, count - done, self._size - at)
            view = memoryview(block)[: entries * _ENTRY]
            self._nv.read_into(self._base + at * _ENTRY, view)
            for k in range(entries):
                self._restore_entry(at + k, view[k * _ENTRY : (k + 1) * _ENTRY])
            done += entries
        self.first, self.count = first, count

    def _restore_entry(self, i, entry):
        fields = struct.unpack(self._form, entry)
        if crc32(entry[:12]) != fields[-1]:
            raise Corrupt("ring entry")
        self._s[i], self._value[i], self._ms[i] = fields[:3]
        if len(fields) == 5:
            self._kind[i] = fields[3]

    def forget(self):
        """Empties the ring. For a damaged ring; the pump then blocks boluses for 24 h."""
        self.first = self.count = 0

    def append(self, s, ms, value, kind=0):
        """Adds an entry that ended at (s, ms). Raises ValueError if the ring is full of entries younger than 24 h."""
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
        """Drops the entries that ended 24 h ago (the longest window) or earlier."""
        while self.count and _expired(self._s[self.first], self._ms[self.first], DAY_S, now_s, now_ms):
            self.first = (self.first + 1) % self._size
            self.count -= 1

    def room_to_convert(self, more=0):
        """True if `convert` has room for copies of all entries and of `more` entries still to be added."""
        return 2 * (self.count + more) <= self._size

    def convert(self, numerator, denominator, unit=1):
        """Multiplies every value by numerator / denominator, rounded up to `unit`, in copies behind the old entries.

        The journal's next write moves the head onto the copies; a power cut before that leaves the old ring whole.
        Raises ValueError if there is no room for the copies.
        """
        if not self.room_to_convert():
            raise ValueError("history ring is too full to convert")
        for k in range(self.count):
            i = (self.first + k) % self._size
            value = min(restated(self._value[i], numerator, denominator, unit), 0xFFFFFFFF)
            self._put((i + self.count) % self._size, self._s[i], self._ms[i], value, self._kind[i])
        self.first = (self.first + self.count) % self._size

    def __len__(self):
        return self.count

    def at(self, k):
        """The k-th oldest entry, from 0: (s, ms, value, kind)."""
        i = (self.first + k) % self._size
        return self._s[i], self._ms[i], self._value[i], self._kind[i]


class DoseHistory:
    """Rings of the boluses (end, mass in ng, kind) and of the replaced basal rates (until, ug/day)."""

    def __init__(self, nv, bolus_base, rate_base):
        self.boluses = _Ring(nv, bolus_base, BOLUSES, _BOLUS)
        self.rates = _Ring(nv, rate_base, RATES, _RATE)

    def bolus_ended(self, s, ms, kind, mass_ng):
        """Adds a bolus of which `mass_ng` was given, whole or interrupted, and which ended at (s, ms)."""
        self.boluses.append(s, ms, mass_ng, kind)

    def rate_replaced(self, s, ms, ug_per_day):
        """Adds a basal rate that was in force until (s, ms)."""
        self.rates.append(s, ms, ug_per_day)

    def drop_expired(self, s, ms):
        """Drops the entries that ended 24 h ago or earlier."""
        self.boluses.drop_expired(s, ms)
        self.rates.drop_expired(s, ms)

    def is_empty(self):
        """True if both rings are empty."""
        return len(self.boluses) == 0 and len(self.rates) == 0

    def has_room(self, for_copies):
        """True if a prescription can be replaced: one more rate fits and, if `for_copies`, the copies of `convert`."""
        if for_copies:
            return self.boluses.room_to_convert(0) and self.rates.room_to_convert(1)
        return len(self.rates) < RATES

    def convert(self, numerator, denominator):
        """Restates past masses and rates by numerator / denominator in another drug, each rounded up to whole ug."""
        self.boluses.convert(numerator, denominator, NG_PER_UG)
        self.rates.convert(numerator, denominator)

    def check_word(self):
        """See `base.dose_guard`: where the rings begin and how many entries they have."""
        boluses, rates = self.boluses, self.rates
        return boluses.first ^ boluses.count ^ rates.first ^ rates.count
