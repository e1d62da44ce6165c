"""The pins between CPU and board: levels, and callbacks for changes."""

from .wiring import PIN_COUNT, idle_levels


class Gpio:
    """levels[pin] is 0 or 1. The world sets inputs, the CPU sets outputs.

    on_input        called with (pin, level) after the world changed an input: the CPU's edge interrupts
    on_output[pin]  None, or called with the level after the CPU changed that output
    """

    def __init__(self):
        self.levels = idle_levels()
        self.on_input = None
        self.on_output = [None] * PIN_COUNT

    def set_input(self, pin, level):
        """The world drives `pin`."""
        if self.levels[pin] != level:
            self.levels[pin] = level
            if self.on_input:
                self.on_input(pin, level)

    def drive(self, pin, level):
        """The CPU drives `pin`."""
        if self.levels[pin] != level:
            self.levels[pin] = level
            hook = self.on_output[pin]
            if hook:
                hook(level)

    def release_outputs(self, pins):
        """The CPU is in reset: each of `pins` takes the level of its resistor."""
        idle = idle_levels()
        for pin in pins:
            self.drive(pin, idle[pin])
