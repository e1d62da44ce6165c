"""What a line gives back when it opens: the meter behind `released_ul` of the scenario contract."""

from .timeline import NEVER

_MOST_US = 300_000_000  # a release is counted for 5 min at most


class ReleaseMeter:
    """A release begins when a downstream clamp opens, also in part, and lasts until the pump starts from rest.

    largest_ul  most volume of a release: outflow at the tip less what was pumped in that time, the running one included
    end_us      when the running release ends by time; NEVER: none runs
    """

    def __init__(self):
        self.clear()

    def clear(self):
        """t = 0: forget all releases."""
        self.end_us = NEVER
        self.ended_ul = 0.0  # largest of those that have ended
        self.ul = 0.0  # of the running one
        self.resting = False  # the motor was de-energised or turned backwards since the last step forwards

    @property
    def largest_ul(self):
        return max(self.ended_ul, self.ul)

    def begin(self, now_us):
        """A clamp opens."""
        self.end()
        self.end_us = now_us + _MOST_US

    def end(self):
        """The running release, if any, has ended."""
        self.ended_ul = max(self.ended_ul, self.ul)
        self.ul = 0.0
        self.end_us = NEVER

    def add(self, out_ul, pumped_ul):
        """`out_ul` left at the tip while the plunger displaced `pumped_ul`."""
        if self.end_us != NEVER:
            self.ul += out_ul - pumped_ul

    def rest(self):
        """The motor has lost its current, or turns backwards: the next step forwards is a start."""
        self.resting = True

    def forwards(self):
        """A step forwards, or a grant of them: a start, if the pump was at rest, ends the release."""
        if self.resting:
            self.resting = False
            if self.end_us != NEVER:
                self.end()

    def save(self):
        return (self.end_us, self.ended_ul, self.ul, self.resting)

    def restore(self, saved):
        self.end_us, self.ended_ul, self.ul, self.resting = saved
