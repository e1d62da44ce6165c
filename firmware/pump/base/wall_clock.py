"""The wall clock, for display and records only. Therapy time is `base.clock`, which cannot be set [H28, TIM-01].

The real-time clock (RTC) is set once, at provisioning. Setting the wall clock changes an offset to the RTC.
"""


class WallClock:
    """Unix time = monotonic seconds + a difference that each reading of the RTC updates.

    offset_s     wall clock less RTC, in s, as set by people; kept in FRAM
    is_doubtful  the RTC jumped while the pump ran, and no person has set or confirmed the time since
    """

    def __init__(self, clock):
        self._clock = clock
        self._ahead_s = None  # Unix s less monotonic s; None: not known
        self.offset_s = 0
        self.is_doubtful = False

    def is_known(self):
        """True once the RTC was read with valid time."""
        return self._ahead_s is not None

    def unix_s(self):
        """Unix seconds; 0: not known."""
        return 0 if self._ahead_s is None else self._clock.s + self._ahead_s

    def rtc_s(self):
        """The RTC now, Unix seconds. Requires `is_known`."""
        return self.unix_s() - self.offset_s

    def believe(self):
        """A signed time agrees with the RTC."""
        self.is_doubtful = False

    def rtc_read(self, rtc_s):
        """Takes a valid reading of the RTC: `rtc_s`, Unix seconds."""
        self._ahead_s = rtc_s - self._clock.s + self.offset_s

    def set(self, utc_s):
        """Sets the wall clock to `utc_s`, Unix seconds. Requires `is_known`."""
        self.is_doubtful = False
        moved_s = utc_s - self.unix_s()
        self.offset_s += moved_s
        self._ahead_s += moved_s

    def doubt(self):
        """The RTC has jumped against the monotonic clock."""
        self.is_doubtful = True

    def restore(self, offset_s):
        """Sets the offset read from FRAM."""
        self.offset_s = offset_s
