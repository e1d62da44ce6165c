"""Keys, pendant, door and clamp: each edge is stamped and queued in its interrupt; three stop the motor too.

Raw pin levels throughout: what a level means is for the one who reads the queue.
"""

import time
from array import array

from machine import Pin
from micropython import const

START = const(0)
STOP = const(1)
ACK = const(2)
PCA_NO = const(3)
PCA_NC = const(4)
DOOR = const(5)
SYRINGE = const(6)
COUNT = const(7)

# The raw level at which a contact stops the motor at once: STOP pressed is 0, an open door or clamp is 1.
_STOPS_AT = (None, 0, None, None, None, 1, 1)

_RING = const(64)
_BOTH = Pin.IRQ_RISING | Pin.IRQ_FALLING


class Contacts:
    """Queue of edges.

    `pins`: 7 machine.Pin inputs in the order above. `gate`: called in the interrupt, without arguments, when
    STOP is pressed or the door or the clamp opens. `wake`: its `woken` is set on each edge. `lost` counts
    edges that found the ring of 64 full.
    """

    def __init__(self, pins, gate, wake):
        self._pins = pins
        self._gate = gate
        self._wake = wake
        self._which = bytearray(_RING)  # index << 1 | level
        self._when = array("I", [0] * _RING)  # ticks_ms
        self._head = 0  # written by interrupts only
        self._tail = 0  # written by `take` only
        self.lost = 0
        self._held_back = False
        self._held_since = 0
        self._edges = [_Edge(self, index, pins[index]) for index in range(COUNT)]

    def hold_back(self):
        """Interrupts are off from now on, for so long that a finger may come and go meanwhile."""
        self._held_since = time.ticks_ms()
        self._held_back = True

    def let_in(self):
        """They have come."""
        self._held_back = False

    def take(self, out):
        """Oldest edge into out[0] contact, out[1] raw level after it, out[2] its ticks_ms. False if none."""
        tail = self._tail
        if tail == self._head:
            return False
        which = self._which[tail]
        out[0] = which >> 1
        out[1] = which & 1
        out[2] = self._when[tail]
        self._tail = (tail + 1) % _RING  # last: only now may the interrupt use this place
        return True

    def all_taken(self):
        """True when no edge waits to be taken."""
        return self._tail == self._head

    def level(self, index):
        """Raw level of a contact now."""
        return self._pins[index].value()

    def _queue(self, index, level, when_ms):
        head = self._head
        following = (head + 1) % _RING
        if following == self._tail:
            self.lost += 1
        else:
            self._which[head] = index << 1 | level
            self._when[head] = when_ms
            self._head = following
        self._wake.woken = True


class _Edge:
    """The interrupt of one contact. Hard: it must not allocate.

    An interrupt that was held back may stand for several edges. If the contact is where it was before, it has been
    elsewhere meanwhile: that is told as if it had been there from when interrupts went off.
    """

    def __init__(self, contacts, index, pin):
        self._contacts = contacts
        self._index = index
        self._pin = pin
        self._stops_at = _STOPS_AT[index]
        self._gate = contacts._gate
        self._handler = self.on_edge  # a bound method is an allocation: made once, kept
        self._irq = pin.irq(handler=self._handler, trigger=_BOTH, hard=True)

    def on_edge(self, _pin):
        contacts, level = self._contacts, self._pin.value()
        if contacts._held_back and self._irq.flags() == _BOTH:
            if 1 - level == self._stops_at:
                self._gate()
            contacts._queue(self._index, 1 - level, contacts._held_since)
        if level == self._stops_at:
            self._gate()
        contacts._queue(self._index, level, time.ticks_ms())
