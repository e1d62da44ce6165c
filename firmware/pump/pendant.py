"""Presses of the patient's button, from its two complementary contacts [H24, H25].

NO (normally open) and NC (normally closed) reach pins with pull-ups: idle is NO 1, NC 0; pressed is NO 0, NC 1;
anything else is a contact in transit, or a broken or shorted cord. A press counts at its contact (both contacts say
pressed), is decided at its release (both say idle), and is valid when it lasted 50 ms to 3 s and the contacts never
disagreed for more than 50 ms. So a held, shorted, cut, wet or chattering pendant gives no press. When such unrest lasts
more than 10 s the pendant is faulty, until it has been idle for 2 s.

A press less than 2 s after the contact of the last press, demand or not, is no new demand; exactly 2 s after is one.
Times are (s, ms). No allocation.
"""

from pump.units import const

SHORTEST_MS = const(50)
LONGEST_MS = const(3_000)
TRANSIT_MS = const(50)
FAULT_MS = const(10_000)
IDLE_MS = const(2_000)  # ends a fault, and a spell of unrest
SAME_DEMAND_MS = const(2_000)
QUEUE = const(8)  # presses that wait to be taken; there is time for two or three between wake-ups
FAR_S = const(1_000_000)  # differences of time saturate here, so that milliseconds stay below 2^30

IDLE = const(2)  # NO * 2 + NC
PRESSED = const(1)


class Pendant:
    """`edge` for every change of a pin, `poll` at every wake-up, then `take` until it is False."""

    def __init__(self):
        self.fault = False
        self.contact_s = self.contact_ms = self.held_ms = 0  # of the press just taken
        self.demand = False
        self._queue = [0] * (QUEUE * 4)
        self.waiting = 0  # presses that `take` has for whoever asks
        self._head = 0
        self._no, self._nc = 1, 0
        self._state = IDLE
        self._since_s = self._since_ms = 0  # when the state began
        self._unrest = False
        self._unrest_s = self._unrest_ms = 0
        self._touched = False  # since idle: both contacts have said pressed
        self._touch_s = self._touch_ms = 0
        self._clean = True  # since idle: the contacts never disagreed for long
        self._last_s = -FAR_S  # contact of the last press
        self._last_ms = 0

    def settled(self, no, nc, s, ms):
        """The raw levels at power-up, or after edges were lost. A button held meanwhile gives no press."""
        self.poll(s, ms)
        self._no, self._nc = no, nc
        self._state = no * 2 + nc
        self._since_s, self._since_ms = s, ms
        self._clean = False
        if self._state != IDLE:
            self._begin_unrest(s, ms)

    def edge(self, is_no, level, s, ms):
        """The NO (or NC) pin changed to the raw `level` at (s, ms)."""
        self.poll(s, ms)
        if is_no:
            self._no = level
        else:
            self._nc = level
        state = self._no * 2 + self._nc
        if state == self._state:
            return
        if self._state == IDLE:
            self._clean = True
            self._touched = False
            self._begin_unrest(s, ms)
        elif self._state != PRESSED and ms_between(self._since_s, self._since_ms, s, ms) > TRANSIT_MS:
            self._clean = False
        if state == PRESSED and not self._touched:
            self._touched = True
            self._touch_s, self._touch_ms = s, ms
        elif state == IDLE:
            self._released(s, ms)
        self._state = state
        self._since_s, self._since_ms = s, ms

    def poll(self, s, ms):
        """Lets time pass. Returns the ms until it must be called again, -1 when only an edge matters."""
        if self._state == IDLE:
            if not (self.fault or self._unrest):
                return -1
            lasted = ms_between(self._since_s, self._since_ms, s, ms)
            if lasted >= IDLE_MS:
                self.fault = self._unrest = False
            return IDLE_MS - lasted if self.fault else -1
        if self.fault:
            return -1
        unrest = ms_between(self._unrest_s, self._unrest_ms, s, ms)
        self.fault = unrest > FAULT_MS
        return -1 if self.fault else FAULT_MS + 1 - unrest

    def touched_at(self, s, ms):
        """True when both contacts have just said pressed, at (s, ms)."""
        return self._touched and self._touch_s == s and self._touch_ms == ms

    def take(self):
        """True when there was a press: then `contact_s`, `contact_ms`, `held_ms` and `demand` describe it."""
        if not self.waiting:
            return False
        queue, at = self._queue, self._head * 4
        self.contact_s, self.contact_ms, self.held_ms = queue[at], queue[at + 1], queue[at + 2]
        self.demand = queue[at + 3] == 1
        self._head = (self._head + 1) % QUEUE
        self.waiting -= 1
        return True

    def _begin_unrest(self, s, ms):
        if not self._unrest:
            self._unrest = True
            self._unrest_s, self._unrest_ms = s, ms

    def _released(self, s, ms):
        """Back to idle: a press, if all was as it should be."""
        if not (self._touched and self._clean):
            return
        held = ms_between(self._touch_s, self._touch_ms, s, ms)
        if held < SHORTEST_MS:
            return  # a bounce, or one beat of chatter: the unrest goes on
        self._unrest = False
        if held > LONGEST_MS or self.fault or self.waiting == QUEUE:
            return
        gap = ms_between(self._last_s, self._last_ms, self._touch_s, self._touch_ms)
        self._last_s, self._last_ms = self._touch_s, self._touch_ms
        queue, at = self._queue, (self._head + self.waiting) % QUEUE * 4
        queue[at], queue[at + 1] = self._touch_s, self._touch_ms
        queue[at + 2] = held
        queue[at + 3] = 1 if gap >= SAME_DEMAND_MS else 0
        self.waiting += 1


def ms_between(a_s, a_ms, b_s, b_ms):
    """Milliseconds from a to b, saturated at FAR_S."""
    seconds = b_s - a_s
    return FAR_S * 1000 if seconds > FAR_S else seconds * 1000 + b_ms - a_ms
