"""The patient's button: presses told from faults by two complementary contacts [H24, H25, ALM-24].

NO closes (0) and NC opens (1) when it is pressed. A press counts at contact and is decided when it is let go: 50 ms to
3 s. So a stuck button, a short, a cut cord and chatter never give a bolus. Contacts that disagree for less than 50 ms are a
finger in passing; a press within 2 s of the last one is no new demand. A fault stands when for 10 s the button was held,
or its contacts disagreed, or it chattered; it ends after 2 s of rest.
"""

from pump.units import const

PRESS_MIN_MS = const(50)
PRESS_MAX_MS = const(3_000)
TRANSIT_MS = const(50)
DEMAND_GAP_MS = const(2_000)
FAULT_MS = const(10_000)
REST_MS = const(2_000)
QUIET_MS = const(500)  # longest rest that still belongs to a chatter
NO_DEADLINE = const(-1)
_LONG_MS = const(60_000)

_IDLE = const(0)
_PRESSED = const(1)
_TORN = const(2)  # the contacts disagree

_QUEUE = const(8)


class Pendant:
    """Told of edges, asked at every wake-up. Allocates nothing.

    After `take()`: `contact_s`, `contact_ms`, `held_ms`, `demand`, `faulted_now`.
    """

    def __init__(self):
        self._no, self._nc = 1, 0
        self._state = _IDLE
        self._s = self._ms = 0  # since when
        self._uneasy = False  # not at rest for longer than a press, or again and again
        self._uneasy_s = self._uneasy_ms = 0
        self._contact_s = self._contact_ms = 0
        self._good = False  # the present contact is still a possible press
        self._touched = False  # and both contacts have closed on it
        self._last_s, self._last_ms = -60, 0  # contact of the last press, demand or not
        self.fault = False
        self.contact_s = self.contact_ms = self.held_ms = 0
        self.demand = False
        self.faulted_now = False
        self._queue = [0] * (5 * _QUEUE)
        self._first = self._count = 0

    def rest_at(self, no, nc, s, ms):
        """Levels at power-up."""
        self._no, self._nc = no, nc
        self._enter(self._combined(), s, ms)

    def edge(self, is_no, level, s, ms):
        """One contact changed to the raw `level` at (s, ms)."""
        if is_no:
            self._no = level
        else:
            self._nc = level
        state = self._combined()
        if state != self._state:
            self._enter(state, s, ms)

    def _combined(self):
        if self._no == 1 and self._nc == 0:
            return _IDLE
        return _PRESSED if self._no == 0 and self._nc == 1 else _TORN

    def _enter(self, state, s, ms):
        before, lasted = self._state, self._since(self._s, self._ms, s, ms)
        if before == _IDLE:
            self._contact_s, self._contact_ms, self._good = s, ms, True
            if not self._uneasy or lasted > QUIET_MS:
                self._uneasy = True
                self._uneasy_s, self._uneasy_ms = s, ms
            self._touched = False
        elif before == _TORN and lasted >= TRANSIT_MS:
            self._good = False
        if state == _PRESSED:
            self._touched = True
        elif state == _IDLE and self._good and self._touched:
            held = self._since(self._contact_s, self._contact_ms, s, ms)
            if PRESS_MIN_MS <= held <= PRESS_MAX_MS:
                self._uneasy = False
                self._press(held)
        self._state, self._s, self._ms = state, s, ms

    def _press(self, held):
        gap = self._since(self._last_s, self._last_ms, self._contact_s, self._contact_ms)
        self._last_s, self._last_ms = self._contact_s, self._contact_ms
        if self._count == _QUEUE:
            return
        at = (self._first + self._count) % _QUEUE * 5
        queue = self._queue
        queue[at], queue[at + 1], queue[at + 2] = self._contact_s, self._contact_ms, held
        queue[at + 3] = gap >= DEMAND_GAP_MS
        queue[at + 4] = self.fault
        self._count += 1

    def take(self):
        """The next press into the attributes. False when there is none."""
        if self._count == 0:
            return False
        at, queue = self._first * 5, self._queue
        self.contact_s, self.contact_ms, self.held_ms = queue[at], queue[at + 1], queue[at + 2]
        self.demand, self.faulted_now = queue[at + 3], queue[at + 4]
        self._first = (self._first + 1) % _QUEUE
        self._count -= 1
        return True

    def poll(self, s, ms):
        """Judges faults at (s, ms). Returns ms until it must be asked again, or NO_DEADLINE."""
        if self._state == _IDLE:
            rested = self._since(self._s, self._ms, s, ms)
            if self.fault:
                if rested >= REST_MS:
                    self.fault = self._uneasy = False
                    return NO_DEADLINE
                return REST_MS - rested
            if self._uneasy and rested > QUIET_MS:
                self._uneasy = False
            if not self._uneasy:
                return NO_DEADLINE
        lasted = self._since(self._uneasy_s, self._uneasy_ms, s, ms)
        if lasted >= FAULT_MS:
            self.fault = True
            return NO_DEADLINE
        return FAULT_MS - lasted

    @staticmethod
    def _since(a_s, a_ms, s, ms):
        seconds = s - a_s
        return _LONG_MS if seconds > 60 else seconds * 1000 + ms - a_ms
