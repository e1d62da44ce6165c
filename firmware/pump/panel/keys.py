"""The three keys of the pump: start, stop, acknowledge [H07, ALM-24, RX-01].

A level counts once it has been steady for 30 ms, so bounces of 5 ms give no event. Stop and acknowledge act at contact;
start acts at release (`START_SHORT`, held 50 to 1999 ms), or once when held for 2 s (`START_HOLD`, which confirms a
prescription), unless stop was pressed meanwhile. A key held more than 10 s is stuck. From the first edge of stop until
its 30 ms are over, `stop_pending` is True: the interrupt has gated the motor, and no motion may be granted.

Raw levels: 0 is pressed. Times are (s, ms). No allocation.
"""

from pump.base.contacts import ACK_KEY, KEYS, START_KEY, STOP_KEY
from pump.base.units import const
from pump.panel.pendant import ms_between

DEBOUNCE_MS = const(30)
SHORT_MS = const(50)
HOLD_MS = const(2_000)
STUCK_MS = const(10_000)  # [ALM-24 has 30 s]; here the alarm `button` comes at 10 s, as for the pendant
QUEUE = const(8)  # events that wait to be taken
NEVER = const(-1)


class Keys:
    """Debounced keys: call `edge` at every pin change, `poll` at every wake-up, then `take` until it returns None."""

    START_SHORT = 1
    START_HOLD = 2
    STOP = 3
    ACK = 4

    def __init__(self):
        self.stuck = False  # a key is held for more than 10 s
        self.stop_pending = False
        self.held_ms = 0  # of the event last taken: how long the key had been held
        self.at_s = self.at_ms = 0  # of the event last taken: time of the contact; for START_SHORT of the release
        self._raw = bytearray(b"\x01" * KEYS)
        self._raw_s = [0] * KEYS  # time of the last change of the raw level
        self._raw_ms = [0] * KEYS
        self._down = bytearray(KEYS)  # debounced
        self._down_s = [0] * KEYS
        self._down_ms = [0] * KEYS
        self._press_done = bytearray(KEYS)  # this press gives no further event
        self._queue = [0] * (QUEUE * 4)
        self.queued = 0  # events that `take` has not returned yet
        self._head = 0
        self._at_rest = True  # no key is down or being debounced: `poll` has nothing to do

    def set_level(self, key, level, s, ms):
        """Sets the raw level, at power-up or after lost edges. A key that is down gives no event until released."""
        self._raw[key] = level
        self._raw_s[key], self._raw_ms[key] = s, ms
        self._down[key] = 1 - level
        self._down_s[key], self._down_ms[key] = s, ms
        self._press_done[key] = 1
        self._at_rest = False

    def resync(self, key, level, was_pressed, s, ms):
        """Sets the raw level after edges of the contacts were lost.

        A press of STOP that was lost, or not decided when its release may have been lost, counts as STOP: how long the
        key was down is not known, and stopping is safe. `was_pressed`: an edge of its press was lost.
        """
        if key == STOP_KEY:
            is_new = level == 0 and not self._down[key]
            if was_pressed or self.stop_pending or is_new:
                self.stop_pending = False
                self._enqueue(Keys.STOP, DEBOUNCE_MS, s, ms)
        self.set_level(key, level, s, ms)

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
        """Debounces and times the keys up to (s, ms). Returns ms until the next call, NEVER: at the next edge."""
        if self._at_rest:
            return NEVER
        next_ms = NEVER
        stuck = False
        for key in range(KEYS):
            steady_ms = ms_between(self._raw_s[key], self._raw_ms[key], s, ms)
            if self._raw[key] == self._down[key]:  # raw 0 is down 1: equal means the debounced level is behind
                if steady_ms < DEBOUNCE_MS:
                    next_ms = shorter(next_ms, DEBOUNCE_MS - steady_ms)
                    continue
                if self._raw[key]:
                    self._release(key)
                else:
                    self._press(key)
            if self._down[key]:
                held_ms = ms_between(self._down_s[key], self._down_ms[key], s, ms)
                if key == START_KEY and not self._press_done[key]:
                    if held_ms >= HOLD_MS:
                        self._press_done[key] = 1
                        self._enqueue(Keys.START_HOLD, held_ms, self._down_s[key], self._down_ms[key])
                    else:
                        next_ms = shorter(next_ms, HOLD_MS - held_ms)
                if held_ms > STUCK_MS:
                    stuck = True
                else:
                    next_ms = shorter(next_ms, STUCK_MS + 1 - held_ms)
        self.stuck = stuck
        self._at_rest = next_ms == NEVER and not stuck
        return next_ms

    def is_down(self, key):
        """True while the raw level is pressed, debounced or not."""
        return self._raw[key] == 0

    def take(self):
        """The oldest event (START_SHORT, START_HOLD, STOP, ACK) or None. Sets `held_ms`, `at_s`, `at_ms`."""
        if not self.queued:
            return None
        queue, at = self._queue, self._head * 4
        self.held_ms, self.at_s, self.at_ms = queue[at + 1], queue[at + 2], queue[at + 3]
        self._head = (self._head + 1) % QUEUE
        self.queued -= 1
        return queue[at]

    def _press(self, key):
        s, ms = self._raw_s[key], self._raw_ms[key]
        self._down[key] = 1
        self._down_s[key], self._down_ms[key] = s, ms
        self._press_done[key] = 0
        if key == STOP_KEY:
            self.stop_pending = False
            self._press_done[START_KEY] = 1  # a press of START that began before STOP does not undo it
            self._enqueue(Keys.STOP, DEBOUNCE_MS, s, ms)
        elif key == ACK_KEY:
            self._enqueue(Keys.ACK, DEBOUNCE_MS, s, ms)

    def _release(self, key):
        s, ms = self._raw_s[key], self._raw_ms[key]
        self._down[key] = 0
        if key != START_KEY or self._press_done[key]:
            return
        held_ms = ms_between(self._down_s[key], self._down_ms[key], s, ms)
        if held_ms >= HOLD_MS:
            self._enqueue(Keys.START_HOLD, held_ms, self._down_s[key], self._down_ms[key])
        elif held_ms >= SHORT_MS:
            self._enqueue(Keys.START_SHORT, held_ms, s, ms)

    def _enqueue(self, event, held_ms, s, ms):
        """Queues an event. In a full queue STOP takes the newest place; any other event is dropped."""
        if self.queued == QUEUE and event == Keys.STOP:
            self.queued -= 1
        if self.queued < QUEUE:
            queue, at = self._queue, (self._head + self.queued) % QUEUE * 4
            queue[at], queue[at + 1] = event, held_ms
            queue[at + 2], queue[at + 3] = s, ms
            self.queued += 1


def shorter(a_ms, b_ms):
    """The shorter of two delays; each may be NEVER."""
    return b_ms if a_ms < 0 or 0 <= b_ms < a_ms else a_ms
