"""Alarms: code, priority and action of each, and which are active now.

Terms. A *condition* is present while a sensor or a rule detects it. An alarm is *active* from the onset of its
condition until it ends. A *latching* alarm (see `_latches`) ends by `clear`, after its condition is gone; any other
ends with its condition. *Acknowledging* pauses the sound for at most 120 s and ends no alarm [ALS-03, -05, -06].
"""

from pump.base.units import const
from pump.storage import records

LOW = const(1)
MEDIUM = const(2)
HIGH = const(3)
PRIORITIES = (None, "low", "medium", "high")

ACTION_NONE = const(0)
ACTION_NO_BOLUS = const(1)
ACTION_STOP = const(2)
ACTIONS = ("none", "no_bolus", "stop")

AUDIO_PAUSE_S = const(120)

# Code, priority, action; `_latches` says which alarms latch. The position of an alarm is its number in the records and
# in FRAM: only add at the end. "Not raised yet": no code of the pump raises the alarm today.
_TABLE = (
    ("over_infusion", HIGH, ACTION_STOP),  # ALM-01
    ("under_infusion", MEDIUM, ACTION_NONE),  # not raised yet
    ("occlusion_downstream", HIGH, ACTION_STOP),
    ("occlusion_upstream", HIGH, ACTION_STOP),  # not raised yet
    ("occlusion_trend", LOW, ACTION_NONE),
    ("air", HIGH, ACTION_STOP),  # not raised yet
    ("reservoir_empty", HIGH, ACTION_STOP),
    ("reservoir_low", MEDIUM, ACTION_NONE),
    ("door", HIGH, ACTION_STOP),
    ("syringe", HIGH, ACTION_STOP),
    ("stall", HIGH, ACTION_STOP),
    ("self_test", HIGH, ACTION_STOP),
    ("second_channel", HIGH, ACTION_STOP),
    ("battery_low", LOW, ACTION_NONE),  # not raised yet
    ("battery_empty", HIGH, ACTION_STOP),  # not raised yet
    ("on_battery", LOW, ACTION_NONE),  # not raised yet
    ("supply", MEDIUM, ACTION_NONE),  # not raised yet
    ("overheat", HIGH, ACTION_STOP),  # not raised yet
    ("limit", LOW, ACTION_NONE),  # not raised yet
    ("repeat_stops", MEDIUM, ACTION_STOP),
    ("paused_long", MEDIUM, ACTION_NONE),
    ("unconfirmed", LOW, ACTION_NONE),
    ("log_failed", MEDIUM, ACTION_NO_BOLUS),
    ("clock_invalid", MEDIUM, ACTION_NONE),
    ("button", MEDIUM, ACTION_NO_BOLUS),
    ("sensor", HIGH, ACTION_STOP),
    ("config", HIGH, ACTION_STOP),
    ("link", MEDIUM, ACTION_NONE),
    ("library", MEDIUM, ACTION_NONE),
    ("refill", MEDIUM, ACTION_NONE),
    ("disconnected", MEDIUM, ACTION_NONE),
    ("boot_loop", HIGH, ACTION_STOP),  # not raised yet
    ("unexpected_reset", HIGH, ACTION_STOP),
    ("demand_surge", LOW, ACTION_NONE),  # not raised yet
    ("near_end", LOW, ACTION_NONE),  # not raised yet
    ("display", MEDIUM, ACTION_NONE),
)

COUNT = len(_TABLE)
CODES = tuple(row[0] for row in _TABLE)
PRIORITY = bytes(row[1] for row in _TABLE)
ACTION = bytes(row[2] for row in _TABLE)

(
    OVER_INFUSION, UNDER_INFUSION, OCCLUSION_DOWNSTREAM, OCCLUSION_UPSTREAM, OCCLUSION_TREND, AIR, RESERVOIR_EMPTY,
    RESERVOIR_LOW, DOOR, SYRINGE, STALL, SELF_TEST, SECOND_CHANNEL, BATTERY_LOW, BATTERY_EMPTY, ON_BATTERY, SUPPLY,
    OVERHEAT, LIMIT, REPEAT_STOPS, PAUSED_LONG, UNCONFIRMED, LOG_FAILED, CLOCK_INVALID, BUTTON, SENSOR, CONFIG, LINK,
    LIBRARY, REFILL, DISCONNECTED, BOOT_LOOP, UNEXPECTED_RESET, DEMAND_SURGE, NEAR_END, DISPLAY,
) = range(COUNT)  # fmt: skip

NONE = const(-1)


def _latches(code):
    """True for every HIGH alarm, every alarm that stops the pump, `refill` and `log_failed`."""
    return PRIORITY[code] == HIGH or ACTION[code] == ACTION_STOP or code in (REFILL, LOG_FAILED)


class Alarms:
    """The active alarms. A `code` is an alarm's position in the table.

    `on_event(event, code, action, restored)` is called at each onset, acknowledgement and end, with `event` ALARM_ON,
    ALARM_ACK or ALARM_OFF of `records`. `clock` times the audio pause.

    Queries, and raising an alarm that is active already, allocate nothing.
    """

    def __init__(self, on_event, clock):
        self._on_event = on_event
        self._clock = clock
        self._active = bytearray(COUNT)
        self._condition = bytearray(COUNT)
        self._acknowledged = bytearray(COUNT)
        self._action = bytearray(ACTION)
        self._order = []  # active codes in order of onset
        self._paused_s = -1  # start of the audio pause, -1: none

    # -- conditions

    def raise_(self, code, action=None, restored=0):
        """The condition of an alarm is present: activates the alarm. `action`: in place of the table's, this time."""
        self._condition[code] = 1
        if self._active[code]:
            return
        self._active[code] = 1
        self._acknowledged[code] = 0
        self._action[code] = ACTION[code] if action is None else action
        self._order.append(code)
        self._paused_s = -1  # a new alarm ends an audio pause [ALS-04]
        self._on_event(records.ALARM_ON, code, self._action[code], restored)

    def occur(self, code, action=None):
        """Activates a latching alarm for an event that is over already. `action` as in `raise_`."""
        self.raise_(code, action)
        self.condition_gone(code)

    def condition_gone(self, code):
        """The condition is gone: the alarm ends, unless it latches."""
        if self._condition[code]:
            self._condition[code] = 0
            if not _latches(code):
                self._end(code)

    # -- keys and clinician

    def acknowledge(self):
        """Acknowledges every active alarm: sound pauses for at most AUDIO_PAUSE_S."""
        if not self._order:
            return
        self._paused_s = self._clock.s
        for code in self._order:
            if not self._acknowledged[code]:
                self._acknowledged[code] = 1
                self._on_event(records.ALARM_ACK, code, 0, 0)

    def clear(self, code):
        """Ends an alarm whose condition is gone."""
        if self._active[code] and not self._condition[code]:
            self._end(code)

    def clear_gone(self):
        """Ends every alarm whose condition is gone; for a clinician."""
        for code in list(self._order):
            self.clear(code)

    def _end(self, code):
        if self._active[code]:
            self._active[code] = 0
            self._order.remove(code)
            self._on_event(records.ALARM_OFF, code, 0, 0)

    # -- across a power cut

    def latched_mask(self):
        """The active latching alarms as bits (1 << code), for the journal."""
        mask = 0
        for code in self._order:
            if _latches(code):
                mask |= 1 << code
        return mask

    def restore(self, mask):
        """Activates the alarms of `latched_mask` after a power cut, as if their conditions were gone [ALS-09].

        A condition that is still present is detected again.
        """
        for code in range(COUNT):
            if mask >> code & 1:
                # The pump is stopped after any power-up, so a restored `unexpected_reset` need not stop it.
                self.raise_(code, ACTION_NONE if code == UNEXPECTED_RESET else None, restored=1)
                self._condition[code] = 0

    # -- queries

    def active(self, code):
        """True while the alarm is active."""
        return self._active[code] == 1

    def present(self, code):
        """True while the alarm is active and its cause lasts."""
        return self._active[code] == 1 and self._condition[code] == 1

    def unseen(self, code):
        """True while the alarm stands and was not acknowledged."""
        return self._active[code] == 1 and not self._acknowledged[code]

    def stops(self):
        """True while an alarm with the action `stop` is active."""
        for code in self._order:
            if self._action[code] == ACTION_STOP:
                return True
        return False

    def stops_silently(self):
        """True if an alarm stops the pump, and each that does was acknowledged and its cause is gone."""
        found = False
        for code in self._order:
            if self._action[code] == ACTION_STOP:
                if self._condition[code] or not self._acknowledged[code]:
                    return False
                found = True
        return found

    def stops_beside(self, but):
        """True while an alarm other than `but` with the action `stop` is active."""
        for code in self._order:
            if code != but and self._action[code] == ACTION_STOP:
                return True
        return False

    def blocks_bolus(self):
        """True while an alarm with the action `stop` or `no_bolus` is active."""
        for code in self._order:
            if self._action[code] != ACTION_NONE:
                return True
        return False

    def top(self):
        """The alarm to display: the first onset of the highest priority; NONE if none is active."""
        best = NONE
        for code in self._order:
            if best < 0 or PRIORITY[code] > PRIORITY[best]:
                best = code
        return best

    def highest(self):
        """Highest priority of the active alarms, 0 if none is active."""
        top = self.top()
        return 0 if top < 0 else PRIORITY[top]

    def audible(self):
        """True if an alarm is active and sound is not paused; a pause ends by itself."""
        if not self._order:
            return False
        return self._paused_s < 0 or self._clock.s - self._paused_s >= AUDIO_PAUSE_S

    def active_codes(self):
        """Names of the active alarms, highest priority first, then in order of onset."""
        # MicroPython's `sorted` is not stable, and the order of onset matters within a priority [ALS-01].
        return [CODES[code] for urgency in (HIGH, MEDIUM, LOW) for code in self._order if PRIORITY[code] == urgency]

    def check_word(self):
        """See `base.dose_guard`: the active alarms and their actions, which keep the pump stopped."""
        word = 0
        for code in self._order:
            word ^= (code + 1) << 2 ^ self._action[code]
        return word
