"""Virtual time: integer microseconds since the first power-up, and the alarms that are due in it.

An alarm is any object with `due_us` and `fire()`. There are few alarms, so the next one is found by a linear search:
re-arming is one assignment, and no list has to be sorted. Of two alarms due at one instant, the one earlier in the
list fires first; key presses come before the firmware's timers.
"""

NEVER = 1 << 60
_FREE_TOUCHES = 10_000
_TURN_TOUCHES = 4  # a turn of the firmware's loop makes more accesses; a wait that is resumed at once makes fewer


class Timeline:
    """Advances time, and returns control to the host at `limit_us`.

    now_us         current time
    limit_us       when time reaches it, `host` is called, before any alarm due at that instant
    host           must increase `limit_us`, set `ending`, or raise
    ending         an exception that ends the firmware: raised at the next wait or hardware access
    hang_until_us  until then, waits of the main loop do not return (interrupts are served)
    interrupted    the CPU had an interrupt since the last wait began
    turn_us        what a turn of the firmware's loop takes; its interrupts are served meanwhile
    """

    def __init__(self):
        self.now_us = 0
        self.limit_us = 0
        self.host = None
        self.ending = None
        self.hang_until_us = 0
        self.alarms = []
        self.interrupted = False
        self.turn_us = 0
        self.touches = 0  # hardware accesses since the last wait

    def wait(self, until_us=NEVER):
        """Advance to the next interrupt of the CPU, as WFI does, or to `until_us`.

        The turn that ends with this wait took `turn_us`, and an interrupt in it ends the wait at once.
        """
        self.interrupted = False
        if self.turn_us and self.touches >= _TURN_TOUCHES:
            self.touches = 0
            self._advance(self.now_us + self.turn_us, False)
            if self.interrupted:
                return
        self.touches = 0
        self._advance(until_us, True)

    def sleep_until(self, t_us):
        """Advance to `t_us`; interrupts on the way are served."""
        self.touches = 0
        if t_us > self.now_us:
            self._advance(t_us, False)

    def touch(self):
        """Called at each access of the CPU to the clock or a chip. Raises `ending`.

        Code takes no time in this world but `turn_us`. A loop that polls without waiting would never end, so after
        10 000 accesses without a wait each access takes time, and more from one to the next.
        """
        if self.ending:
            raise self.ending
        self.touches += 1
        if self.touches > _FREE_TOUCHES:
            self._advance(self.now_us + 1 + (self.touches - _FREE_TOUCHES) // 100, False)

    def _advance(self, target_us, waiting):
        """Advance to `target_us`; if `waiting`, to the next interrupt at most."""
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
                self._set_now(limit_us)
                self.host()
                if waiting and self.interrupted and self.now_us >= self.hang_until_us and not self.ending:
                    return  # the host changed a pin: the interrupt ends the wait now, not at the next alarm
            elif due_us > target_us:
                if target_us >= self.hang_until_us:
                    self._set_now(target_us)
                    return
                target_us = self.hang_until_us
            else:
                if due_us > self.now_us:
                    self.now_us = due_us
                first.fire()
                if waiting and self.interrupted and self.now_us >= self.hang_until_us and not self.ending:
                    return

    def _set_now(self, t_us):
        if t_us > self.now_us:  # a handler that slept may have advanced further
            self.now_us = t_us
