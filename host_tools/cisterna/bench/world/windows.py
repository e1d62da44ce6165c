"""The largest mass pumped in any rolling hour, four hours and day."""

from array import array

_BIN_US = 5_000_000
_BINS = 17_280  # 24 h
_RING = _BINS + 1


class Windows:
    """Cumulative mass at the end of each 5 s bin of the past day; within a bin the flow counts as constant.

    All windows are whole bins long, so the window with the largest mass ends at the end of a bin.
    """

    def __init__(self):
        self.ring = array("d", bytes(8 * _RING))
        self._begin(0)

    def clear(self, now_us):
        """Forget all mass; bins begin at `now_us`."""
        for i in range(_RING):
            self.ring[i] = 0.0
        self._begin(now_us)

    def _begin(self, now_us):
        self.ug = 0.0
        self.bin = 0  # number of the last complete bin
        self.bin_end_us = now_us + _BIN_US  # of the current bin
        self.peak_1h = self.peak_4h = self.peak_24h = 0.0

    def add(self, from_us, to_us, ug):
        """Add `ug`, pumped evenly from `from_us` to `to_us`."""
        while self.bin_end_us <= to_us:
            bin_end_us = self.bin_end_us
            span_us = to_us - from_us
            if span_us:
                part = ug * ((bin_end_us - from_us) / span_us)
                self.ug += part
                ug -= part
            from_us = bin_end_us
            self._end_bin()
        self.ug += ug

    def _end_bin(self):
        ring = self.ring
        ug = self.ug
        n = self.bin = self.bin + 1
        self.bin_end_us += _BIN_US
        ring[n % _RING] = ug
        # Before the first day is over the ring still holds 0 for bins before the first.
        mass = ug - ring[(n - 720) % _RING]
        if mass > self.peak_1h:
            self.peak_1h = mass
        mass = ug - ring[(n - 2880) % _RING]
        if mass > self.peak_4h:
            self.peak_4h = mass
        mass = ug - ring[(n - _BINS) % _RING]
        if mass > self.peak_24h:
            self.peak_24h = mass

    def peaks(self, now_us):
        """Largest mass, ug, in any window of 1 h, 4 h and 24 h, those that end now included."""
        bin_fraction = 1 - (self.bin_end_us - now_us) / _BIN_US  # part of the current bin that has passed
        return (
            max(self.peak_1h, self._mass_since(720, bin_fraction)),
            max(self.peak_4h, self._mass_since(2880, bin_fraction)),
            max(self.peak_24h, self._mass_since(_BINS, bin_fraction)),
        )

    def _mass_since(self, bins, bin_fraction):
        n = self.bin - bins
        if n < -1:
            return self.ug
        a = self.ring[n % _RING] if n > 0 else 0.0
        b = self.ring[(n + 1) % _RING] if n + 1 > 0 else 0.0
        return self.ug - a - (b - a) * bin_fraction

    def save(self):
        return (self.ug, self.bin, self.bin_end_us, self.peak_1h, self.peak_4h, self.peak_24h)

    def restore(self, saved):
        """The ring is not saved: bins that ended since `save` will end again with the same numbers."""
        (self.ug, self.bin, self.bin_end_us, self.peak_1h, self.peak_4h, self.peak_24h) = saved
