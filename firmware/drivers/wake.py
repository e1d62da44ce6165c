"""Sleep of the CPU until an interrupt handler sets a flag, or until a timeout."""

import time

from events import wait_ms  # pyright: ignore[reportMissingImports]


class Wake:
    """Interrupt handlers set `woken`; `wait` then returns.

    No wake-up is lost: if `woken` is set before `wait`, it returns at once, and an interrupt between the test and the
    sleep ends the sleep (see `events`).
    """

    def __init__(self):
        self.woken = False

    def wait(self, ms):
        """Sleep until `woken` is set, `ms` at most. The caller then reads the queues of the drivers."""
        start = time.ticks_ms()
        left_ms = ms
        while left_ms > 0 and not self.woken:
            wait_ms(left_ms)
            left_ms = ms - time.ticks_diff(time.ticks_ms(), start)
        self.woken = False  # before the caller reads the queues, so that a later interrupt wakes it again
