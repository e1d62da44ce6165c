"""Presses of the patient's button, from its two complementary contacts [H24, H25].

NO (normally open) and NC (normally closed) are pins with pull-ups. Idle is NO 1, NC 0; pressed is NO 0, NC 1; any other
pair is a contact in transit, or a broken or shorted cord. The time of a press is its contact (both contacts pressed).
The press is checked at its release (both idle), and is valid if it lasted 50 ms to 3 s and the contacts never disagreed
for more than 50 ms. So a held, shorted, cut, wet or chattering pendant gives no press. A pendant that has not been
idle, or has chattered, for more than 10 s is faulty until it has been idle for 2 s.

A press less than 2 s after the contact of the last press, demand or not, is no new demand; exactly 2 s after is one.
Times are (s, ms). No allocation.
"""

from pump.base.units import const

SHORTEST_MS = const(50)
LONGEST_MS = const(3_000)
TRANSIT_MS = const(50)
FAULT_MS = const(10_000)
IDLE_MS = const(2_000)  # ends a fault, and the count towards one
SAME_DEMAND_MS = const(2_000)
QUEUE = const(8)  # presses that wait to be taken; two or three fit between wake-ups
FAR_S = const(1_000_000)  # time differences saturate here, so that milliseconds stay below 2^30

# States: NO * 2 + NC
IDLE = const(2)
PRESSED = const(1)


class Pendant:
    """Valid presses: call `edge` at every pin change, `poll` at every wake-up, then `take` until it returns False."""

    def __init__(self):
        self.fault = False
        self.contact_s = self.contact_ms = self.held_ms = 0  # of the press last taken
        self.demand = False  # of the press last taken: a new demand
        self._queue = [0] * (QUEUE * 4)
        self.queued = 0  # presses that `take` has not returned yet
        self._head = 0
        self._no, self._nc = 1, 0
        self._state = IDLE
        self._since_s = self._since_ms = 0  # when the state began
        self._unrest = False  # not idle, or idle for less than IDLE_MS without a press
        self._unrest_s = self._unrest_ms = 0  # when the unrest began
        self._has_contact = False  # both contacts have been pressed since the last idle
        self._contact_s = self._contact_ms = 0
        self._clean = True  # the contacts have not disagreed for more than TRANSIT_MS since the last idle
        self._last_contact_s = -FAR_S  # contact of the last press
        self._last_contact_ms = 0

    def set_level(self, no, nc, s, ms):
        """Sets the raw levels at power-up, or after edges were lost. A button that is down then gives no press."""
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
            self._has_contact = False
            self._begin_unrest(s, ms)
        elif self._state != PRESSED and ms_between(self._since_s, self._since_ms, s, ms) > TRANSIT_MS:
            self._clean = False
        if state == PRESSED and not self._has_contact:
            self._has_contact = True
            self._contact_s, self._contact_ms = s, ms
        elif state == IDLE:
            self._released(s, ms)
        self._state = state
        self._since_s, self._since_ms = s, ms

    def poll(self, s, ms):
        """Updates `fault` at (s, ms). Returns ms until the next call is due, -1: at the next edge."""
        if self._state == IDLE:
            if not (self.fault or self._unrest):
                return -1
            idle_ms = ms_between(self._since_s, self._since_ms, s, ms)
            if idle_ms >= IDLE_MS:
                self.fault = self._unrest = False
            return IDLE_MS - idle_ms if self.fault else -1
        if self.fault:
            return -1
        unrest_ms = ms_between(self._unrest_s, self._unrest_ms, s, ms)
        self.fault = unrest_ms > FAULT_MS
        return -1 if self.fault else FAULT_MS + 1 - unrest_ms

    def contact_closed_at(self, s, ms):
        """True if the present press made contact at exactly (s, ms)."""
        return self._has_contact and self._contact_s == s and self._contact_ms == ms

    def take(self):
        """Takes the oldest press into `contact_s`, `contact_ms`, `held_ms`, `demand`. False if there is none."""
        if not self.queued:
            return False
        queue, at = self._queue, self._head * 4
        self.contact_s, self.contact_ms, self.held_ms = queue[at], queue[at + 1], queue[at + 2]
        self.demand = queue[at + 3] == 1
        self._head = (self._head + 1) % QUEUE
        self.queued -= 1
        return True

    def _begin_unrest(self, s, ms):
        if not self._unrest:
            self._unrest = True
            self._unrest_s, self._unrest_ms = s, ms

    def _released(self, s, ms):
        """Both contacts are idle again: queues the press if it is valid."""
        if not (self._has_contact and self._clean):
            return
        held_ms = ms_between(self._contact_s, self._contact_ms, s, ms)
        if held_ms < SHORTEST_MS:
            return  # a bounce or chatter: the unrest continues
        self._unrest = False
        if held_ms > LONGEST_MS or self.fault or self.queued == QUEUE:
            return
        gap_ms = ms_between(self._last_contact_s, self._last_contact_ms, self._contact_s, self._contact_ms)
        self._last_contact_s, self._last_contact_ms = self._contact_s, self._contact_ms
        queue, at = self._queue, (self._head + self.queued) % QUEUE * 4
        queue[at], queue[at + 1] = self._contact_s, self._contact_ms
        queue[at + 2] = held_ms
        queue[at + 3] = 1 if gap_ms >= SAME_DEMAND_MS else 0
        self.queued += 1


def ms_between(a_s, a_ms, b_s, b_ms):
    """Milliseconds from time a to time b, at most FAR_S * 1000 + 999."""
    seconds = b_s - a_s
    return FAR_S * 1000 if seconds > FAR_S else seconds * 1000 + b_ms - a_ms
