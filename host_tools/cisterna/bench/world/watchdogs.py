"""The two watchdogs: the CPU's own, and the board's, which cuts motor power."""

from .timeline import NEVER

_EXTERNAL_US = 6_500_000
_INTERNAL_MAX_MS = 8388  # RP2040: 24 bits that count twice a microsecond


class ExternalWatchdog:
    """Motor power is there while pulses come. It begins with none: the first edge switches the motor on."""

    def __init__(self, timeline, switch):
        self.timeline = timeline
        self.switch = switch  # called with True or False
        self.powered = False
        self.due_us = NEVER

    def edge(self, _level):
        """GPIO 22 changed."""
        self.due_us = self.timeline.now_us + _EXTERNAL_US
        if not self.powered:
            self.powered = True
            self.switch(True)

    def lose_supply(self):
        self.fire()

    def fire(self):
        self.due_us = NEVER
        if self.powered:
            self.powered = False
            self.switch(False)


class InternalWatchdog:
    """Cannot be stopped once started; a reset of the CPU stops it."""

    def __init__(self, timeline, bite):
        self.timeline = timeline
        self.bite = bite
        self.timeout_us = 0
        self.due_us = NEVER

    def start(self, timeout_ms):
        if not 1 <= timeout_ms <= _INTERNAL_MAX_MS:
            raise ValueError(f"WDT timeout is {timeout_ms} ms; 1 to {_INTERNAL_MAX_MS} are possible")
        self.timeout_us = timeout_ms * 1000
        self.feed()

    def feed(self):
        self.due_us = self.timeline.now_us + self.timeout_us

    def stop(self):
        self.due_us = NEVER

    def fire(self):
        self.due_us = NEVER
        self.bite()
