"""The switches that people operate: keys, pendant, door and syringe clamp. Sets the input pins at exact times."""

from .timeline import NEVER
from .wiring import DOOR, HOLD, KEY_ACK, KEY_START, KEY_STOP, PCA_NC, PCA_NO, SYRINGE

_KEYS = {"start": KEY_START, "stop": KEY_STOP, "ack": KEY_ACK}
BUTTONS = ("pca", "start", "stop", "ack")
PENDANT_FAULTS = ("short", "open", "chatter", "stuck", "ok")

_CHATTER_HALF_US = 25_000  # 20 Hz


class Press:
    """A series of presses of one button: `count` contacts of `hold_us`, `gap_us` from release to next contact."""

    def __init__(self, button, due_us, hold_us, gap_us, count):
        self.button = button
        self.due_us = due_us
        self.hold_us = hold_us
        self.gap_us = gap_us
        self.contacts_left = count
        self.pressed = False

    def edge(self):
        """Press or release, and set the time of the next edge. Returns True if pressed now."""
        self.pressed = not self.pressed
        if self.pressed:
            self.due_us += self.hold_us
        else:
            self.contacts_left -= 1
            self.due_us += self.gap_us
        return self.pressed


class Hands:
    """An alarm of the timeline. Both contacts of the pendant move at one instant, the normally closed one first.

    Pendant faults as levels (NO, NC): short 0 0; open (cord cut) 1 1; stuck 0 1; chatter: 20 Hz between idle and
    pressed.
    """

    def __init__(self, timeline, gpio):
        self.timeline = timeline
        self.gpio = gpio
        self.presses = []
        self.fault = "ok"
        self.clamp_open = False
        self.fault_ends_us = NEVER
        self.chatter_us = NEVER
        self.chatter_pressed = False
        self.pca_pressed = False
        self.due_us = NEVER

    def press(self, button, hold_ms, count, gap_ms):
        """Begin a series of presses now. ms: `hold_ms` of contact, `gap_ms` between contacts."""
        now_us = self.timeline.now_us
        self.presses.append(Press(button, now_us, hold_ms * 1000, gap_ms * 1000, count))
        self._schedule()

    def set_pendant_fault(self, fault, for_us):
        """Set a pendant fault for `for_us`; None: without end. Fault "ok" clears it."""
        now_us = self.timeline.now_us
        self.fault = fault
        self.fault_ends_us = NEVER if for_us is None or fault == "ok" else now_us + for_us
        self.chatter_us = now_us if fault == "chatter" else NEVER
        self.chatter_pressed = False
        self._drive_pendant()
        self._schedule()

    def door(self, is_open):
        self.gpio.set_input(DOOR, 1 if is_open else 0)

    def grip(self, gripped):
        """Close (True) or open the syringe clamp."""
        self.clamp_open = not gripped
        self.gpio.set_input(SYRINGE, 0 if gripped else 1)

    def hold(self, held):
        """The respiratory monitor pulls its interlock line down (True), or lets it rise."""
        self.gpio.set_input(HOLD, 0 if held else 1)

    def fire(self):
        now_us = self.timeline.now_us
        if self.fault_ends_us <= now_us:
            self.set_pendant_fault("ok", None)
        if self.chatter_us <= now_us:
            self.chatter_us += _CHATTER_HALF_US
            self.chatter_pressed = not self.chatter_pressed
            self._drive_pendant()
        i = 0
        while i < len(self.presses):
            press = self.presses[i]
            if press.due_us <= now_us:
                pressed = press.edge()
                if not press.contacts_left:
                    self.presses.pop(i)
                    i -= 1
                if press.button == "pca":
                    self.pca_pressed = pressed
                    self._drive_pendant()
                else:
                    self.gpio.set_input(_KEYS[press.button], 0 if pressed else 1)
            i += 1
        self._schedule()

    def _drive_pendant(self):
        fault = self.fault
        if fault == "short":
            no, nc = 0, 0
        elif fault == "open":
            no, nc = 1, 1
        else:
            pressed = self.pca_pressed
            if fault == "stuck":
                pressed = True
            elif fault == "chatter":
                pressed = self.chatter_pressed
            no, nc = (0, 1) if pressed else (1, 0)
        self.gpio.set_input(PCA_NC, nc)
        self.gpio.set_input(PCA_NO, no)

    def _schedule(self):
        due_us = min(self.fault_ends_us, self.chatter_us)
        for press in self.presses:
            if press.due_us < due_us:
                due_us = press.due_us
        self.due_us = due_us
