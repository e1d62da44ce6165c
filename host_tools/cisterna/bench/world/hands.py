"""Fingers on keys, pendant, door and syringe clamp: what moves the input pins, each edge at its instant."""

from .timeline import NEVER
from .wiring import DOOR, KEY_ACK, KEY_START, KEY_STOP, PCA_NC, PCA_NO, SYRINGE

_KEYS = {"start": KEY_START, "stop": KEY_STOP, "ack": KEY_ACK}
BUTTONS = ("pca", "start", "stop", "ack")
PENDANT_FAULTS = ("short", "open", "chatter", "stuck", "ok")

_CHATTER_HALF_US = 25_000  # 20 Hz


class Press:
    """One finger: `count` contacts of `hold_us`, `gap_us` from each release to the next contact."""

    def __init__(self, button, due_us, hold_us, gap_us, count):
        self.button = button
        self.due_us = due_us
        self.hold_us = hold_us
        self.gap_us = gap_us
        self.left = count
        self.down = False

    def edge(self):
        """The finger does the next thing. Its new state: True is down."""
        self.down = not self.down
        if self.down:
            self.due_us += self.hold_us
        else:
            self.left -= 1
            self.due_us += self.gap_us
        return self.down


class Hands:
    """An alarm of the timeline; both contacts of the pendant move at the same instant, the normally closed
    one first.

    Pendant faults as levels (NO, NC): short 0 0, open (cord cut) 1 1, stuck 0 1, chatter 20 Hz between idle
    and pressed.
    """

    def __init__(self, timeline, gpio):
        self.timeline = timeline
        self.gpio = gpio
        self.presses = []
        self.fault = "ok"
        self.fault_ends_us = NEVER
        self.chatter_us = NEVER
        self.chatter_down = False
        self.thumb_down = False
        self.due_us = NEVER

    def press(self, button, hold_ms, count, gap_ms):
        """A finger makes contact now."""
        now_us = self.timeline.now_us
        self.presses.append(Press(button, now_us, hold_ms * 1000, gap_ms * 1000, count))
        self._aim()

    def break_pendant(self, fault, for_us):
        """The cord fails now, for `for_us`, or for good if that is None."""
        now_us = self.timeline.now_us
        self.fault = fault
        self.fault_ends_us = NEVER if for_us is None or fault == "ok" else now_us + for_us
        self.chatter_us = now_us if fault == "chatter" else NEVER
        self.chatter_down = False
        self._pendant()
        self._aim()

    def door(self, is_open):
        self.gpio.set_input(DOOR, 1 if is_open else 0)

    def grip(self, gripped):
        """The syringe clamp."""
        self.gpio.set_input(SYRINGE, 0 if gripped else 1)

    def fire(self):
        now_us = self.timeline.now_us
        if self.fault_ends_us <= now_us:
            self.break_pendant("ok", None)
        if self.chatter_us <= now_us:
            self.chatter_us += _CHATTER_HALF_US
            self.chatter_down = not self.chatter_down
            self._pendant()
        i = 0
        while i < len(self.presses):
            press = self.presses[i]
            if press.due_us <= now_us:
                down = press.edge()
                if not press.left:
                    self.presses.pop(i)
                    i -= 1
                if press.button == "pca":
                    self.thumb_down = down
                    self._pendant()
                else:
                    self.gpio.set_input(_KEYS[press.button], 0 if down else 1)
            i += 1
        self._aim()

    def _pendant(self):
        fault = self.fault
        if fault == "short":
            no, nc = 0, 0
        elif fault == "open":
            no, nc = 1, 1
        else:
            down = self.thumb_down
            if fault == "stuck":
                down = True
            elif fault == "chatter":
                down = self.chatter_down
            no, nc = (0, 1) if down else (1, 0)
        self.gpio.set_input(PCA_NC, nc)
        self.gpio.set_input(PCA_NO, no)

    def _aim(self):
        due_us = min(self.fault_ends_us, self.chatter_us)
        for press in self.presses:
            if press.due_us < due_us:
                due_us = press.due_us
        self.due_us = due_us
