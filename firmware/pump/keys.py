"""The three keys of the pump: start, stop, acknowledge [H07, ALM-24, RX-01].

A key counts when its contact has stood still for 30 ms, so trains of 5 ms bounces give nothing. Stop and acknowledge
act at contact, start at release (`START_SHORT`, held 50 to 1999 ms) or once when held 2 s (`START_HOLD`, which
confirms a prescription). A key held more than 10 s is stuck. From the first edge of stop until it is decided
`stop_pending` is True: motion was gated by the interrupt and is not to be granted again meanwhile.

Levels are raw: 0 is pressed. Times are (s, ms). No allocation.
"""

from pump.pendant import ms_between
from pump.units import const

START = const(0)
STOP_KEY = const(1)
ACK_KEY = const(2)
COUNT = const(3)

DEBOUNCE_MS = const(30)
SHORT_MS = const(50)
HOLD_MS = const(2_000)
STUCK_MS = const(10_000)  # [ALM-24 has 30 s; the alarm `button` of this pump is for 10 s, as for the pendant]
QUEUE = const(8)
NEVER = const(-1)


class Keys:
    """`edge` for every change of a pin, `poll` at every wake-up, then `take` until it is None."""

    START_SHORT = 1
    START_HOLD = 2
    STOP = 3
    ACK = 4

    def __init__(self):
        self.stuck = False
        self.stop_pending = False
        self.held_ms = 0  # of the event just taken: how long the key was held then
        self.at_s = self.at_ms = 0  # of the event just taken: its contact, or the release for START_SHORT
        self._raw = bytearray(b"\x01" * COUNT)
        self._raw_s = [0] * COUNT  # when the raw level changed last
        self._raw_ms = [0] * COUNT
        self._down = bytearray(COUNT)  # debounced
        self._down_s = [0] * COUNT
        self._down_ms = [0] * COUNT
        self._spent = bytearray(COUNT)  # this press has said all it has to say
        self._queue = [0] * (QUEUE * 4)
        self.waiting = 0  # events that `take` has for whoever asks
        self._head = 0
        self._at_rest = True  # no key is down, and none has just changed

    def settled(self, key, level, s, ms):
        """The raw level at power-up, or after edges were lost. A key held meanwhile says nothing until released."""
        self._raw[key] = level
        self._raw_s[key], self._raw_ms[key] = s, ms
        self._down[key] = 1 - level
        self._down_s[key], self._down_ms[key] = s, ms
        self._spent[key] = 1
        self._at_rest = False

    def edge(self, key, level, s, ms):
        """The pin of a key changed to the raw `level` at (s, ms)."""
        self.poll(s, ms)
        if level != self._raw[key]:
            self._raw[key] = level
            self._raw_s[key], self._raw_ms[key] = s, ms
            self._at_rest = False
            if key == STOP_KEY:
                self.stop_pending = level == 0 and not self._down[key]

    def poll(self, s, ms):
        """Lets time pass. Returns the ms until it must be called again, -1 when only an edge matters."""
        if self._at_rest:
            return NEVER
        next_ms = NEVER
        stuck = False
        for key in range(COUNT):
            steady = ms_between(self._raw_s[key], self._raw_ms[key], s, ms)
            if self._raw[key] == self._down[key]:  # raw 0 is down 1: equal means they differ
                if steady < DEBOUNCE_MS:
                    next_ms = _nearer(next_ms, DEBOUNCE_MS - steady)
                    continue
                if self._raw[key]:
                    self._release(key)
                else:
                    self._press(key)
            if self._down[key]:
                held = ms_between(self._down_s[key], self._down_ms[key], s, ms)
                if key == START and not self._spent[key]:
                    if held >= HOLD_MS:
                        self._spent[key] = 1
                        self._say(Keys.START_HOLD, held, self._down_s[key], self._down_ms[key])
                    else:
                        next_ms = _nearer(next_ms, HOLD_MS - held)
                if held > STUCK_MS:
                    stuck = True
                else:
                    next_ms = _nearer(next_ms, STUCK_MS + 1 - held)
        self.stuck = stuck
        self._at_rest = next_ms == NEVER and not stuck
        return next_ms

    def is_down(self, key):
        """True while the key's contact says pressed."""
        return self._raw[key] == 0

    def take(self):
        """The next event (START_SHORT, START_HOLD, STOP or ACK), or None."""
        if not self.waiting:
            return None
        queue, at = self._queue, self._head * 4
        self.held_ms, self.at_s, self.at_ms = queue[at + 1], queue[at + 2], queue[at + 3]
        self._head = (self._head + 1) % QUEUE
        self.waiting -= 1
        return queue[at]

    def _press(self, key):
        s, ms = self._raw_s[key], self._raw_ms[key]
        self._down[key] = 1
        self._down_s[key], self._down_ms[key] = s, ms
        self._spent[key] = 0
        if key == STOP_KEY:
            self.stop_pending = False
            self._say(Keys.STOP, DEBOUNCE_MS, s, ms)
        elif key == ACK_KEY:
            self._say(Keys.ACK, DEBOUNCE_MS, s, ms)

    def _release(self, key):
        s, ms = self._raw_s[key], self._raw_ms[key]
        self._down[key] = 0
        if key != START or self._spent[key]:
            return
        held = ms_between(self._down_s[key], self._down_ms[key], s, ms)
        if held >= HOLD_MS:
            self._say(Keys.START_HOLD, held, self._down_s[key], self._down_ms[key])
        elif held >= SHORT_MS:
            self._say(Keys.START_SHORT, held, s, ms)

    def _say(self, event, held, s, ms):
        if self.waiting < QUEUE:
            queue, at = self._queue, (self._head + self.waiting) % QUEUE * 4
            queue[at], queue[at + 1] = event, held
            queue[at + 2], queue[at + 3] = s, ms
            self.waiting += 1


def _nearer(a_ms, b_ms):
    """The nearer of two delays; NEVER is farther than any."""
    return b_ms if a_ms < 0 or b_ms < a_ms else a_ms
