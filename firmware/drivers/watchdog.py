"""Two watchdogs fed together: the RP2040's own resets the CPU, the external one cuts the motor's power.

The external one wants an edge at least every 6.5 s. The RP2040's (data sheet 4.7) cannot be stopped once
started and reaches 8.3 s at most. Fed from the main loop only, never from an interrupt or a timer.
"""

from machine import WDT
from micropython import const

TIMEOUT_MS = const(8000)


class Watchdog:
    """`pulse` is the machine.Pin of the external watchdog. Nothing runs before the first `feed`."""

    def __init__(self, pulse):
        self._pulse = pulse
        self._level = 0
        self._wdt = None

    def feed(self):
        """Feed both; the first call starts the RP2040's."""
        if self._wdt is None:
            self._wdt = WDT(timeout=TIMEOUT_MS)
        self._wdt.feed()
        self._level ^= 1
        self._pulse.value(self._level)
