"""The alarms: what each one is called, how urgent it is, what it does to the pump, and which stand now.

Words. A *condition* is what a sensor or a rule sees. An alarm is *active* from the moment its condition is seen until
it ends: a latching alarm (every HIGH one, and what only a clinician may end) by `clear` once its condition is gone,
any other by itself with its condition. *Acknowledging* silences sound for at most 120 s and ends nothing
[ALS-03, -05, -06].
"""

from pump import records
from pump.units import const

LOW = const(1)
MEDIUM = const(2)
HIGH = const(3)
PRIORITIES = (None, "low", "medium", "high")

ACTION_NONE = const(0)
ACTION_NO_BOLUS = const(1)
ACTION_STOP = const(2)
ACTIONS = ("none", "no_bolus", "stop")

AUDIO_PAUSE_S = const(120)

# code, priority, action, latching. Order and numbers are part of the records: only add at the end.
_TABLE = (
    ("over_infusion", HIGH, ACTION_STOP),  # ALM-01
    ("under_infusion", MEDIUM, ACTION_NONE),
    ("occlusion_downstream", HIGH, ACTION_STOP),
    ("occlusion_upstream", HIGH, ACTION_STOP),
    ("occlusion_trend", LOW, ACTION_NONE),
    ("air", HIGH, ACTION_STOP),
    ("reservoir_empty", HIGH, ACTION_STOP),
    ("reservoir_low", MEDIUM, ACTION_NONE),
    ("door", HIGH, ACTION_STOP),
    ("syringe", HIGH, ACTION_STOP),
    ("stall", HIGH, ACTION_STOP),
    ("self_test", HIGH, ACTION_STOP),
    ("second_channel", HIGH, ACTION_STOP),
    ("battery_low", LOW, ACTION_NONE),
    ("battery_empty", HIGH, ACTION_STOP),
    ("on_battery", LOW, ACTION_NONE),
    ("supply", MEDIUM, ACTION_NONE),
    ("overheat", HIGH, ACTION_STOP),
    ("limit", LOW, ACTION_NONE),
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
    ("boot_loop", HIGH, ACTION_STOP),
    ("unexpected_reset", HIGH, ACTION_STOP),
    ("demand_surge", LOW, ACTION_NONE),
    ("near_end", LOW, ACTION_NONE),
)

COUNT = len(_TABLE)
CODES = tuple(row[0] for row in _TABLE)
PRIORITY = bytes(row[1] for row in _TABLE)
ACTION = bytes(row[2] for row in _TABLE)

(
    OVER_INFUSION, UNDER_INFUSION, OCCLUSION_DOWNSTREAM, OCCLUSION_UPSTREAM, OCCLUSION_TREND, AIR, RESERVOIR_EMPTY,
    RESERVOIR_LOW, DOOR, SYRINGE, STALL, SELF_TEST, SECOND_CHANNEL, BATTERY_LOW, BATTERY_EMPTY, ON_BATTERY, SUPPLY,
    OVERHEAT, LIMIT, REPEAT_STOPS, PAUSED_LONG, UNCONFIRMED, LOG_FAILED, CLOCK_INVALID, BUTTON, SENSOR, CONFIG, LINK,
    LIBRARY, REFILL, DISCONNECTED, BOOT_LOOP, UNEXPECTED_RESET, DEMAND_SURGE, NEAR_END,
) = range(COUNT)  # fmt: skip

NONE = const(-1)


def _latches(code):
    """Every HIGH alarm, and whatever stops the pump or keeps it stopped."""
    return PRIORITY[code] == HIGH or ACTION[code] == ACTION_STOP or code in (REFILL, LOG_FAILED)


class Alarms:
    """Which alarms stand now. `on_event(event, code, action, restored)` is told of each on, acknowledgement and off,
    with the record types ALARM_ON, ALARM_ACK and ALARM_OFF; `clock` tells the time of acknowledgements.

    Asking and raising what stands already allocates nothing.
    """

    def __init__(self, on_event, clock):
        self._on_event = on_event
        self._clock = clock
        self._active = bytearray(COUNT)
        self._condition = bytearray(COUNT)
        self._acknowledged = bytearray(COUNT)
        self._action = bytearray(ACTION)
        self._order = []  # active codes by onset
        self._paused_s = -1  # since when sound is paused

    # -- what is seen

    def raise_(self, code, action=None, restored=0):
        """The condition of an alarm is there. `action`: other than the table's, for this occurrence."""
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
        """Something happened that calls for an alarm, and is over: the alarm latches."""
        self.raise_(code, action)
        self.condition_gone(code)

    def condition_gone(self, code):
        """The condition is no longer there: the alarm ends, unless it latches."""
        if self._condition[code]:
            self._condition[code] = 0
            if not _latches(code):
                self._end(code)

    # -- what people do

    def acknowledge(self):
        """Somebody has seen them: sound pauses for at most AUDIO_PAUSE_S."""
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
        """A clinician ends every alarm whose condition is gone."""
        for code in list(self._order):
            self.clear(code)

    def _end(self, code):
        if self._active[code]:
            self._active[code] = 0
            self._order.remove(code)
            self._on_event(records.ALARM_OFF, code, 0, 0)

    # -- across a power cut

    def latched_mask(self):
        """The latched alarms that stand, as bits, for the journal."""
        mask = 0
        for code in self._order:
            if _latches(code):
                mask |= 1 << code
        return mask

    def restore(self, mask):
        """Raises again what stood at a power cut; conditions that are still there show themselves [ALS-09]."""
        for code in range(COUNT):
            if mask >> code & 1:
                # Power came back, so a reset is no longer what stops the pump: it is stopped.
                self.raise_(code, ACTION_NONE if code == UNEXPECTED_RESET else None, restored=1)
                self._condition[code] = 0

    # -- questions

    def active(self, code):
        """True while the alarm stands."""
        return self._active[code] == 1

    def stops(self):
        """True while an alarm stands whose action is to stop."""
        for code in self._order:
            if self._action[code] == ACTION_STOP:
                return True
        return False

    def stops_beside(self, but):
        """As `stops`, leaving one code out."""
        for code in self._order:
            if code != but and self._action[code] == ACTION_STOP:
                return True
        return False

    def blocks_bolus(self):
        """True while an alarm stands whose action is `stop` or `no_bolus`."""
        for code in self._order:
            if self._action[code] != ACTION_NONE:
                return True
        return False

    def top(self):
        """The alarm to show: the most urgent, of these the first that came; NONE when there is none."""
        best = NONE
        for code in self._order:
            if best < 0 or PRIORITY[code] > PRIORITY[best]:
                best = code
        return best

    def highest(self):
        """Priority of the most urgent alarm, 0 when there is none."""
        top = self.top()
        return 0 if top < 0 else PRIORITY[top]

    def audible(self):
        """False while nothing stands or sound is paused; a pause ends by itself."""
        if not self._order:
            return False
        return self._paused_s < 0 or self._clock.s - self._paused_s >= AUDIO_PAUSE_S

    def active_codes(self):
        """Codes of what stands, most urgent first."""
        # MicroPython's `sorted` is not stable, and the order of occurrence matters inside a priority [ALS-01].
        return [CODES[code] for urgency in (HIGH, MEDIUM, LOW) for code in self._order if PRIORITY[code] == urgency]
