"""Two watchdogs, fed together: that of the RP2040 resets the CPU, the external one cuts the power of the motor.

The external one needs an edge at least every 6.5 s. That of the RP2040 (data sheet 4.7) cannot be stopped once started,
and its longest time is 8.3 s. Fed from the main loop only, never from an interrupt or a timer.
"""

from machine import WDT
from micropython import const

TIMEOUT_MS = const(8000)


class Watchdog:
    """`pulse` is the machine.Pin of the external watchdog. Neither watchdog runs before the first `feed`."""

    def __init__(self, pulse):
        self._pulse = pulse
        self._level = 0
        self._wdt = None

    def feed(self):
        """Feed both; the first call starts that of the RP2040."""
        if self._wdt is None:
            self._wdt = WDT(timeout=TIMEOUT_MS)
        self._wdt.feed()
        self._level ^= 1
        self._pulse.value(self._level)
