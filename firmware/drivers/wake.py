"""Waiting: the CPU sleeps until an interrupt has something to say or a time is over."""

import time

from machine import Timer, idle


class Wake:
    """Interrupt handlers set `woken`; `wait` returns when one has, or after its time.

    A wake-up cannot get lost: `woken` set before `wait` makes it return at once, and on the RP2040 `idle`
    waits for an event that an interrupt latches (and 1 ms at most), so one that falls between test and sleep
    ends it.
    """

    def __init__(self):
        self.woken = False
        self._timer = Timer()
        self._on_time = self._time_over  # stored once: a bound method is an allocation

    def wait(self, ms):
        """Sleep for `ms` at most. What woke it is in the queues, if anything."""
        if ms > 0 and not self.woken:
            start = time.ticks_ms()
            self._timer.init(mode=Timer.ONE_SHOT, period=ms, callback=self._on_time)
            # The timer's callback is scheduled, and dropped if the schedule is full: so look at the time too.
            while not self.woken and time.ticks_diff(time.ticks_ms(), start) <= ms:
                idle()
            self._timer.deinit()
        self.woken = False  # before the caller looks into its queues, so that what comes later wakes it again

    def _time_over(self, _timer):
        self.woken = True
