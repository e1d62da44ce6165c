"""The three keys of the pump: start, stop and acknowledge, from the edges of their contacts.

A contact must hold for 30 ms to count, so bounces and trains of short pulses do nothing [H07]. Start acts when it is
let go, or once when it has been held for two seconds (the confirmation of a prescription); stop and acknowledge act as
soon as they count. The motor was gated by the interrupt of the stop key already; here its meaning is decided.
"""

from pump.units import const

START = const(0)
STOP = const(1)
ACK = const(2)
_KEYS = const(3)

# Events
STOP_PRESSED = const(1)
START_SHORT = const(2)
START_HELD = const(3)
ACK_PRESSED = const(4)
NO_EVENT = const(0)

DEBOUNCE_MS = const(30)
START_MIN_MS = const(50)
HOLD_MS = const(2_000)
STUCK_MS = const(30_000)  # [ALM-24]
NO_DEADLINE = const(-1)
_LONG_MS = const(60_000)


class Keys:
    """Told of edges (`level` raw: 0 pressed) and asked at every wake-up. Allocates nothing."""

    def __init__(self):
        self._down = [False] * _KEYS  # level of the last edge
        self._since_s = [0] * _KEYS
        self._since_ms = [0] * _KEYS
        self._counted = [False] * _KEYS  # this press has been acted on (stop, ack) or held (start)
        self._events = [NO_EVENT] * 8
        self._held = [0] * 8
        self._first = self._count = 0
        self.held_ms = 0  # of the event last taken
        self.stuck = False

    def edge(self, key, level, s, ms):
        """Key START, STOP or ACK changed at (s, ms)."""
        down = level == 0
        if down == self._down[key]:
            return
        if not down:
            self._released(key, self._lasted_ms(key, s, ms))
        self._down[key] = down
        self._since_s[key], self._since_ms[key] = s, ms
        self._counted[key] = False

    def poll(self, s, ms):
        """Acts on keys that are held at (s, ms). Returns ms until something can change, or NO_DEADLINE."""
        soonest = NO_DEADLINE
        self.stuck = False
        for key in range(_KEYS):
            if not self._down[key]:
                continue
            lasted = self._lasted_ms(key, s, ms)
            if lasted >= STUCK_MS:
                self.stuck = True
                continue
            if not self._counted[key] and lasted >= self._threshold_ms(key):
                self._counted[key] = True
                self._put(START_HELD if key == START else STOP_PRESSED if key == STOP else ACK_PRESSED, lasted)
            wait = (STUCK_MS if self._counted[key] else self._threshold_ms(key)) - lasted
            if soonest < 0 or wait < soonest:
                soonest = wait
        return soonest

    def take(self):
        """The oldest event, or NO_EVENT; `held_ms` then tells how long the key had been down."""
        if self._count == 0:
            return NO_EVENT
        event = self._events[self._first]
        self.held_ms = self._held[self._first]
        self._first = (self._first + 1) % len(self._events)
        self._count -= 1
        return event

    def _released(self, key, lasted):
        if self._counted[key]:
            return
        if lasted >= self._threshold_ms(key):  # let go before a wake-up saw it
            self._put(START_HELD if key == START else STOP_PRESSED if key == STOP else ACK_PRESSED, lasted)
        elif key == START and lasted >= START_MIN_MS:
            self._put(START_SHORT, lasted)

    @staticmethod
    def _threshold_ms(key):
        return HOLD_MS if key == START else DEBOUNCE_MS

    def _lasted_ms(self, key, s, ms):
        seconds = s - self._since_s[key]
        return _LONG_MS if seconds > 60 else seconds * 1000 + ms - self._since_ms[key]

    def _put(self, event, lasted):
        if self._count < len(self._events):
            k = (self._first + self._count) % len(self._events)
            self._events[k], self._held[k] = event, lasted
            self._count += 1
