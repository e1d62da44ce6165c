"""The alarms and their table."""

from pump.monitoring import alarms as alarm
from pump.monitoring.alarms import ACTION, CODES, COUNT, HIGH, LOW, MEDIUM, PRIORITY, Alarms
from pump.storage import records

HIGH_STOP = (
    "over_infusion", "occlusion_downstream", "occlusion_upstream", "air", "reservoir_empty", "door", "syringe", "stall",
    "self_test", "second_channel", "battery_empty", "overheat", "sensor", "config", "boot_loop", "unexpected_reset",
)  # fmt: skip
MEDIUM_OTHERS = {"repeat_stops": "stop", "log_failed": "no_bolus", "button": "no_bolus"}
MEDIUM_NONE = (
    "under_infusion", "reservoir_low", "supply", "paused_long", "clock_invalid", "link", "library", "refill",
    "disconnected", "display",
)  # fmt: skip
LOW_NONE = ("occlusion_trend", "battery_low", "on_battery", "limit", "unconfirmed", "demand_surge", "near_end")


class Clock:
    def __init__(self):
        self.s = 1_000
        self.ms = 0


class Desk:
    """Alarms with their events written down as (record type, code)."""

    def __init__(self):
        self.clock = Clock()
        self.events = []
        self.alarms = Alarms(self._note, self.clock)

    def _note(self, event, code, action, restored):
        self.events.append((event, code))


def test_table_is_the_contract():
    """H41: every code once, with the priority and action that the requirements give it."""
    expected = {code: (MEDIUM, action) for code, action in MEDIUM_OTHERS.items()}
    for codes, row in ((HIGH_STOP, (HIGH, "stop")), (MEDIUM_NONE, (MEDIUM, "none")), (LOW_NONE, (LOW, "none"))):
        for code in codes:
            expected[code] = row
    assert {CODES[i]: (PRIORITY[i], alarm.ACTIONS[ACTION[i]]) for i in range(COUNT)} == expected
    assert COUNT == 36
    for i in range(COUNT):
        assert getattr(alarm, CODES[i].upper()) == i


def test_on_acknowledge_and_off_are_each_reported_once():
    """Every alarm is logged at onset, at acknowledgement and at clear, once each [LOG-01]."""
    desk = Desk()
    for _ in range(3):
        desk.alarms.raise_(alarm.SENSOR)
    desk.alarms.acknowledge()
    desk.alarms.acknowledge()
    desk.alarms.condition_gone(alarm.SENSOR)
    desk.alarms.clear_gone()
    desk.alarms.clear_gone()
    kinds = [records.ALARM_ON, records.ALARM_ACK, records.ALARM_OFF]
    assert desk.events == [(kind, alarm.SENSOR) for kind in kinds]


def test_a_high_alarm_latches():
    """ALS-05: a HIGH alarm, or one that stops, stands until a clinician clears it and its cause is gone."""
    for code in range(COUNT):
        desk = Desk()
        desk.alarms.raise_(code)
        desk.alarms.clear_gone()
        assert desk.alarms.active(code)  # the cause is there
        desk.alarms.condition_gone(code)
        latches = PRIORITY[code] == HIGH or ACTION[code] == alarm.ACTION_STOP
        if latches:
            assert desk.alarms.active(code)
        elif code not in (alarm.LOG_FAILED, alarm.REFILL, alarm.UNDER_INFUSION):
            assert not desk.alarms.active(code)
        desk.alarms.clear_gone()
        assert not desk.alarms.active(code)


def test_a_latched_alarm_whose_cause_returns_stays():
    """A latched alarm whose cause returned is not cleared."""
    desk = Desk()
    desk.alarms.raise_(alarm.DOOR)
    desk.alarms.condition_gone(alarm.DOOR)
    desk.alarms.raise_(alarm.DOOR)
    desk.alarms.clear_gone()
    assert desk.alarms.active(alarm.DOOR)
    assert desk.events == [(records.ALARM_ON, alarm.DOOR)]


def test_every_pair_takes_the_more_severe_action():
    """ALS-10, ALS-11, ALS-12: priority and action of two alarms are the higher of both, in either order."""
    for a in range(COUNT):
        for b in range(COUNT):
            desk = Desk()
            desk.alarms.raise_(a)
            desk.alarms.raise_(b)
            worst = max(ACTION[a], ACTION[b])
            assert desk.alarms.stops() == (worst == alarm.ACTION_STOP)
            assert desk.alarms.blocks_bolus() == (worst >= alarm.ACTION_NO_BOLUS)
            assert desk.alarms.highest() == max(PRIORITY[a], PRIORITY[b])
            assert desk.alarms.top() == (b if PRIORITY[b] > PRIORITY[a] else a)


def test_highest_first_then_order_of_occurrence():
    """ALS-01, D12: the list that is shown."""
    desk = Desk()
    for code in (alarm.LIMIT, alarm.BUTTON, alarm.STALL, alarm.LINK, alarm.DOOR):
        desk.alarms.raise_(code)
    assert desk.alarms.active_codes() == ["stall", "door", "button", "link", "limit"]
    assert CODES[desk.alarms.top()] == "stall"


def test_no_alarm_is_active():
    """An idle desk is silent."""
    alarms = Desk().alarms
    assert alarms.highest() == 0 and alarms.top() == alarm.NONE
    assert not (alarms.audible() or alarms.stops() or alarms.blocks_bolus())


def test_acknowledgement_mutes_for_120_s():
    """ALS-03, ALS-06, ALS-07, H41: at most 120 s, then it sounds again; it ends no alarm."""
    desk = Desk()
    desk.alarms.raise_(alarm.STALL)
    assert desk.alarms.audible()
    desk.alarms.acknowledge()
    assert not desk.alarms.audible() and desk.alarms.active(alarm.STALL) and desk.alarms.stops()
    desk.clock.s += 119
    assert not desk.alarms.audible()
    desk.clock.s += 1
    assert desk.alarms.audible()


def test_a_new_alarm_ends_the_pause():
    """ALS-04: also one of lower priority; the same one again does not."""
    desk = Desk()
    desk.alarms.raise_(alarm.STALL)
    desk.alarms.acknowledge()
    desk.alarms.raise_(alarm.STALL)
    assert not desk.alarms.audible()
    desk.alarms.raise_(alarm.LINK)
    assert desk.alarms.audible()


def test_action_of_one_occurrence():
    """unexpected_reset after a power cut has action none; after a watchdog bite, stop."""
    desk = Desk()
    desk.alarms.raise_(alarm.UNEXPECTED_RESET, alarm.ACTION_NONE)
    assert desk.alarms.highest() == HIGH and not desk.alarms.stops()
    desk.alarms.condition_gone(alarm.UNEXPECTED_RESET)
    desk.alarms.clear_gone()
    desk.alarms.raise_(alarm.UNEXPECTED_RESET)
    assert desk.alarms.stops()


def test_latched_alarms_survive_a_power_cut():
    """ALS-09: raised again, with the cause gone unless it shows itself."""
    desk = Desk()
    for code in (alarm.STALL, alarm.LINK, alarm.REPEAT_STOPS):
        desk.alarms.raise_(code)
    mask = desk.alarms.latched_mask()
    after = Desk()
    after.alarms.restore(mask)
    assert after.alarms.active(alarm.STALL) and after.alarms.active(alarm.REPEAT_STOPS)
    assert not after.alarms.active(alarm.LINK)
    after.alarms.clear_gone()
    assert after.alarms.highest() == 0


def test_which_alarms_stay_when_their_cause_is_gone():
    """Every HIGH alarm, every one that stops, `refill` and `log_failed`; each other ends with its cause."""
    for code in range(COUNT):
        desk = Desk()
        desk.alarms.raise_(code)
        desk.alarms.condition_gone(code)
        stays = PRIORITY[code] == HIGH or ACTION[code] == alarm.ACTION_STOP or CODES[code] in ("refill", "log_failed")
        assert desk.alarms.active(code) == stays, CODES[code]


def test_acknowledging_is_told_once_for_each_alarm():
    """With two alarms active, both, the second time neither."""
    desk = Desk()
    for code in (alarm.STALL, alarm.DOOR):
        desk.alarms.raise_(code)
    for _ in range(2):
        desk.alarms.acknowledge()
    told = [code for event, code in desk.events if event == records.ALARM_ACK]
    assert sorted(told) == sorted((alarm.STALL, alarm.DOOR))
