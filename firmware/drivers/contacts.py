"""Keys, pendant, door and clamp: an interrupt queues each edge with its time; three of them also stop the motor.

All levels are raw pin levels; their meaning is in `boards.wiring` and `pump.panel`.
"""

import time
from array import array

from machine import Pin
from micropython import const
from pump.base.contacts import CONTACTS

# By contact: the raw level that stops the motor at once. Stop key pressed: 0; door or clamp open: 1.
_STOPS_AT = (None, 0, None, None, None, 1, 1, None)

_RING = const(64)
_BOTH = Pin.IRQ_RISING | Pin.IRQ_FALLING


class Contacts:
    """The contacts and the queue of their edges.

    `pins`: 8 machine.Pin inputs in the order of `pump.base.contacts`. `gate`: called in the interrupt, without
    arguments, when the stop key is pressed or the door or the clamp opens. `wake`: each edge sets its `woken`. `lost`
    counts the edges dropped because the ring of 64 was full. A dropped edge that stops the motor is latched besides:
    `take_lost_stop`.
    """

    def __init__(self, pins, gate, wake):
        self._pins = pins
        self._gate = gate
        self._wake = wake
        self._which = bytearray(_RING)  # contact << 1 | level
        self._when = array("I", [0] * _RING)  # ticks_ms
        self._head = 0  # written by interrupts only
        self._tail = 0  # written by `take` only
        self.lost = 0
        self._lost_stops = bytearray(CONTACTS)  # set by interrupts, cleared by `take_lost_stop`
        self._are_interrupts_off = False
        self._interrupts_off_ms = 0
        self._edges = [_Edge(self, index, pins[index]) for index in range(CONTACTS)]

    def interrupts_off(self):
        """Call before interrupts are disabled for so long that a key may be pressed and released meanwhile."""
        self._interrupts_off_ms = time.ticks_ms()
        self._are_interrupts_off = True

    def interrupts_on(self):
        """Call after interrupts are enabled again, and the pending ones were served."""
        self._are_interrupts_off = False

    def take(self, out):
        """Takes the oldest edge: out[0] contact, out[1] raw level after it, out[2] its ticks_ms. False if none."""
        tail = self._tail
        if tail == self._head:
            return False
        which = self._which[tail]
        out[0] = which >> 1
        out[1] = which & 1
        out[2] = self._when[tail]
        self._tail = (tail + 1) % _RING  # last: from here on the interrupt may use this place
        return True

    def take_lost_stop(self, index):
        """True once if an edge of this contact that stops the motor was dropped since the last call."""
        was_lost = self._lost_stops[index] == 1
        self._lost_stops[index] = 0
        return was_lost

    def all_taken(self):
        """True if the queue is empty."""
        return self._tail == self._head

    def level(self, index):
        """Present raw level of a contact."""
        return self._pins[index].value()

    def _enqueue(self, index, level, when_ms):
        head = self._head
        following = (head + 1) % _RING
        if following == self._tail:
            self.lost += 1
            if level == _STOPS_AT[index]:
                self._lost_stops[index] = 1
        else:
            self._which[head] = index << 1 | level
            self._when[head] = when_ms
            self._head = following
        self._wake.woken = True


class _Edge:
    """The interrupt of one contact. Hard: it must not allocate.

    After interrupts were disabled, one interrupt may stand for several edges. If it stands for both kinds, the contact
    has also had the opposite level meanwhile: an edge to that level is queued with the time of `interrupts_off`.
    """

    def __init__(self, contacts, index, pin):
        self._contacts = contacts
        self._index = index
        self._pin = pin
        self._stops_at = _STOPS_AT[index]
        self._gate = contacts._gate
        self._handler = self.on_edge  # kept, because each access to a bound method allocates
        self._irq = pin.irq(handler=self._handler, trigger=_BOTH, hard=True)

    def on_edge(self, _pin):
        contacts, level = self._contacts, self._pin.value()
        if contacts._are_interrupts_off and self._irq.flags() == _BOTH:
            if 1 - level == self._stops_at:
                self._gate()
            contacts._enqueue(self._index, 1 - level, contacts._interrupts_off_ms)
        if level == self._stops_at:
            self._gate()
        contacts._enqueue(self._index, level, time.ticks_ms())
