"""Waiting: the CPU sleeps until an interrupt has something to say or a time is over."""

import time

from events import wait_ms


class Wake:
    """Interrupt handlers set `woken`; `wait` returns when one has, or after its time.

    A wake-up cannot get lost: `woken` set before `wait` makes it return at once, and an interrupt that falls between
    the test and the sleep ends the sleep (see `events`).
    """

    def __init__(self):
        self.woken = False

    def wait(self, ms):
        """Sleep for `ms` at most. What woke it is in the queues, if anything."""
        start = time.ticks_ms()
        left_ms = ms
        while left_ms > 0 and not self.woken:
            wait_ms(left_ms)
            left_ms = ms - time.ticks_diff(time.ticks_ms(), start)
        self.woken = False  # before the caller looks into its queues, so that what comes later wakes it again
