"""A planned power cut: the supply fails after a given byte of a given write to FRAM or flash."""


class PlannedPowerCut:
    """writes_left  writes up to and with the one that is cut; 0: no cut is planned
    cut_now         the current write is the one: once its bytes are stored, the memory calls `cut`
    """

    def __init__(self, cut_power):
        self.cut_power = cut_power  # called with the seconds the power stays off
        self.writes_left = 0
        self.byte = 0
        self.off_for_s = 0.0
        self.cut_now = False

    def plan(self, n, byte, off_for_s):
        """Of the `n`-th write from now (1: the next) only the first `byte` bytes are stored, then power is off for
        `off_for_s`.

        ValueError if `n` < 1 or `byte` < 0.
        """
        if n < 1 or byte < 0:
            raise ValueError(f"cut_at_write: n is {n!r} and byte {byte!r}; allowed: n >= 1 and byte >= 0")
        self.writes_left = n
        self.byte = byte
        self.off_for_s = off_for_s

    def bytes_stored(self, n):
        """The number of bytes of this write of `n` bytes that are stored. Sets `cut_now` if this write is cut."""
        self.writes_left -= 1
        if self.writes_left:
            return n
        self.cut_now = True
        return min(n, self.byte)

    def cut(self):
        """Cut the supply at this instant. Ends the firmware."""
        self.cut_now = False
        self.cut_power(self.off_for_s)
