"""Time for a part that is polled: the keys or the pendant, moved by hand."""


class Polled:
    """`t`: now, ms. A subclass polls in `_poll` and sets `_due`, the ms of the next poll (-1: none)."""

    def __init__(self, t_ms):
        self.t = t_ms
        self._due = -1

    def wait(self, ms):
        """Let `ms` pass, polling whenever it is due and at the end."""
        end = self.t + ms
        while 0 <= self._due <= end:
            self.t = self._due
            self._poll()
        self.t = end
        self._poll()
