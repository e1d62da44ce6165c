"""The two watchdogs: the CPU's, which resets it, and the board's external one, which cuts motor power."""

from .timeline import NEVER

_EXTERNAL_US = 6_500_000
_INTERNAL_MAX_MS = 8388  # RP2040: a 24-bit counter with two counts per microsecond


class ExternalWatchdog:
    """Motor power is on while edges come at most 6.5 s apart. Off after power-up; the first edge switches it on."""

    def __init__(self, timeline, switch):
        self.timeline = timeline
        self.switch = switch  # called with True or False
        self.powered = False
        self.due_us = NEVER

    def edge(self, _level):
        """The watchdog pin (GPIO 22) changed."""
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
    """Once started, only a reset of the CPU stops it. `on_timeout` is called when it was not fed in time."""

    def __init__(self, timeline, on_timeout):
        self.timeline = timeline
        self.on_timeout = on_timeout
        self.timeout_us = 0
        self.due_us = NEVER

    def start(self, timeout_ms):
        """`timeout_ms`: 1 to 8388, else ValueError."""
        if not 1 <= timeout_ms <= _INTERNAL_MAX_MS:
            raise ValueError(f"WDT timeout is {timeout_ms} ms; allowed: 1 to {_INTERNAL_MAX_MS}")
        self.timeout_us = timeout_ms * 1000
        self.feed()

    def feed(self):
        self.due_us = self.timeline.now_us + self.timeout_us

    def stop(self):
        self.due_us = NEVER

    def fire(self):
        self.due_us = NEVER
        self.on_timeout()
