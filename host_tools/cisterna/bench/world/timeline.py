"""Virtual time: integer microseconds since the first power-up, and the things that fall due in it.

A thing that falls due ("alarm") is any object with `due_us` and `fire()`. There are few, so the next one is
found by looking at all of them: re-arming is one assignment, and nothing has to be kept sorted. Of two
alarms due at the same instant the one earlier in the list fires first; fingers come before the firmware's
timers.
"""

NEVER = 1 << 60
_FREE_TOUCHES = 10_000


class Timeline:
    """Moves time; knows when the host wants control back.

    now_us         time now
    limit_us       the host gets control when time reaches it, before anything due at that instant happens
    host           called then; it must move `limit_us` on, or set `ending`, or raise
    ending         an exception that ends the firmware; raised as soon as time is asked to move
    deaf_until_us  until then the main loop does not come back from a wait (interrupts are still served)
    """

    def __init__(self):
        self.now_us = 0
        self.limit_us = 0
        self.host = None
        self.ending = None
        self.deaf_until_us = 0
        self.alarms = []
        self.interrupted = False  # an interrupt of the CPU since the last wait began
        self.touches = 0

    def wait(self, until_us=NEVER):
        """Moves time to the next interrupt of the CPU, as WFI does, or to `until_us`."""
        self.touches = 0
        self.interrupted = False
        self._advance(until_us, True)

    def sleep_until(self, t_us):
        """Moves time to `t_us`; interrupts on the way are served."""
        self.touches = 0
        if t_us > self.now_us:
            self._advance(t_us, False)

    def touch(self):
        """The CPU looks at the clock or at a chip. Raises `ending`.

        Code takes no time here. But a loop that looks ten thousand times without ever waiting would wait for
        time to pass, and time for it: from then on each look takes some, and ever more.
        """
        if self.ending:
            raise self.ending
        self.touches += 1
        if self.touches > _FREE_TOUCHES:
            self._advance(self.now_us + 1 + (self.touches - _FREE_TOUCHES) // 100, False)

    def _advance(self, target_us, waiting):
        """Time goes on to `target_us`; `waiting`: an interrupt ends it."""
        alarms = self.alarms
        while True:
            if self.ending:
                raise self.ending
            due_us = NEVER
            first = None
            for alarm in alarms:
                if alarm.due_us < due_us:
                    due_us = alarm.due_us
                    first = alarm
            limit_us = self.limit_us
            if limit_us <= due_us and limit_us <= target_us:
                self._reach(limit_us)
                self.host()
                if waiting and self.interrupted and self.now_us >= self.deaf_until_us and not self.ending:
                    return  # the host moved a pin: the CPU hears of it now, not with the next alarm
            elif due_us > target_us:
                if target_us >= self.deaf_until_us:
                    self._reach(target_us)
                    return
                target_us = self.deaf_until_us
            else:
                if due_us > self.now_us:
                    self.now_us = due_us
                first.fire()
                if waiting and self.interrupted and self.now_us >= self.deaf_until_us and not self.ending:
                    return

    def _reach(self, t_us):
        if t_us > self.now_us:  # a handler that slept may have gone further
            self.now_us = t_us
