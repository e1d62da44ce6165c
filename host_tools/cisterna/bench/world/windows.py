"""The largest mass pumped in any rolling hour, four hours and day."""

from array import array

_BIN_US = 5_000_000
_BINS = 17_280  # 24 h
_RING = _BINS + 1


class Windows:
    """Running mass at the end of each 5 s bin of the past day, in flat memory; in between it counts as even.

    All windows are whole bins long, so the largest of them ends (and begins) at the end of a bin.
    """

    def __init__(self):
        self.ring = array("d", bytes(8 * _RING))
        self._begin(0)

    def clear(self, now_us):
        """Bins count from `now_us`; the past holds nothing."""
        for i in range(_RING):
            self.ring[i] = 0.0
        self._begin(now_us)

    def _begin(self, now_us):
        self.ug = 0.0
        self.bin = 0  # the last bin that has ended
        self.due_us = now_us + _BIN_US  # end of the bin that is running
        self.peak_1h = self.peak_4h = self.peak_24h = 0.0

    def add(self, from_us, to_us, ug):
        """`ug` were pumped evenly from `from_us` to `to_us`."""
        while self.due_us <= to_us:
            due_us = self.due_us
            span_us = to_us - from_us
            if span_us:
                part = ug * ((due_us - from_us) / span_us)
                self.ug += part
                ug -= part
            from_us = due_us
            self._end_bin()
        self.ug += ug

    def _end_bin(self):
        ring = self.ring
        ug = self.ug
        n = self.bin = self.bin + 1
        self.due_us += _BIN_US
        ring[n % _RING] = ug
        # A window that reaches back before the first bin begins at 0: what the ring still holds there.
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
        """Largest ug in 1 h, 4 h and 24 h, those windows included that end now."""
        into = 1 - (self.due_us - now_us) / _BIN_US  # part of the running bin that is over
        return (
            max(self.peak_1h, self._since(720, into)),
            max(self.peak_4h, self._since(2880, into)),
            max(self.peak_24h, self._since(_BINS, into)),
        )

    def _since(self, bins, into):
        n = self.bin - bins
        if n < -1:
            return self.ug
        a = self.ring[n % _RING] if n > 0 else 0.0
        b = self.ring[(n + 1) % _RING] if n + 1 > 0 else 0.0
        return self.ug - a - (b - a) * into

    def save(self):
        return (self.ug, self.bin, self.due_us, self.peak_1h, self.peak_4h, self.peak_24h)

    def restore(self, saved):
        """Bins that ended since `save` are written again when they end again, with the same numbers."""
        (self.ug, self.bin, self.due_us, self.peak_1h, self.peak_4h, self.peak_24h) = saved
