"""A supply that fails after a given byte of a given write to FRAM or flash."""


class Fuse:
    """`writes_left` counts down to the write that is cut; 0 means that no cut is planned."""

    def __init__(self, cut_power):
        self.cut_power = cut_power  # called with the seconds the power stays off
        self.writes_left = 0
        self.byte = 0
        self.off_for_s = 0.0
        self.blown = False

    def plan(self, n, byte, off_for_s):
        """The `n`-th write from now (1 is the next) keeps its first `byte` bytes, then power fails for
        `off_for_s`.
        """
        if n < 1 or byte < 0:
            raise ValueError(f"cut_at_write: n is {n!r} and byte {byte!r}; n >= 1 and byte >= 0 are wanted")
        self.writes_left = n
        self.byte = byte
        self.off_for_s = off_for_s

    def allow(self, n):
        """How many of `n` bytes of this write are still kept. Sets `blown` if it is the one that is cut."""
        self.writes_left -= 1
        if self.writes_left:
            return n
        self.blown = True
        return min(n, self.byte)

    def blow(self):
        """Ends the firmware, here and now."""
        self.blown = False
        self.cut_power(self.off_for_s)
