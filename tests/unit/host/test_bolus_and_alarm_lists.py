"""Bolus and alarm lists from records: each value of the summary comes from its record."""

from cisterna.link.records import Record
from cisterna.sim.history import Alarms, Boluses
from pump.dosing import limits
from pump.monitoring import alarms

ZERO = {1: -1000_000, 2: -1000_000}  # the pump's clock showed 1000 s at t = 0


def clock(boot: int, mono_ms: int) -> int:
    return mono_ms + ZERO[boot]


def record(name: str, t_ms: int, boot: int = 1, **payload: int) -> Record:
    return Record(0, boot, name, t_ms + 1000_000, None, "00000000", payload)


def decision(t_ms: int, reason: int, next_ms: int | None = None, kind: str = "pca", at_ms: int | None = None) -> Record:
    word = "contact" if kind == "pca" else "request"
    then = [-1, 0] if next_ms is None else divmod(next_ms + 1000_000, 1000)
    asked = divmod(t_ms + 1000_000, 1000)
    payload = {f"{word}_s": asked[0], f"{word}_ms": asked[1], "reason": reason, "next_s": then[0], "next_ms": then[1]}
    return record(f"{kind}_decision" if kind == "pca" else "clinician_decision", at_ms or t_ms + 200, **payload, nl=0)


def start(t_ms: int, kind: int = 1, nl: int = 100_000) -> Record:
    return record("bolus_start", t_ms, kind=kind, nl=nl)


def end(t_ms: int, kind: int = 1, nl: int = 99_984, interrupted: int = 0, next_ms: int | None = None) -> Record:
    then = [-1, 0] if next_ms is None else divmod(next_ms + 1000_000, 1000)
    return record("bolus_end", t_ms, kind=kind, nl=nl, interrupted=interrupted, next_s=then[0], next_ms=then[1])


def boluses(*found: Record) -> list[dict]:
    lists = Boluses(clock)
    for one in found:
        lists.take(one)
    return lists.entries()


def alarm_list(*found: Record) -> list[dict]:
    lists = Alarms(clock)
    for one in found:
        lists.take(one)
    return lists.entries()


def test_a_bolus_that_is_given():
    found = boluses(decision(6_000_000, limits.ACCEPTED), start(6_000_200), end(6_120_200, next_ms=7_920_200))
    assert found == [
        {
            "kind": "pca",
            "t_request": 6000.0,
            "t_start": 6000.2,
            "t_end": 6120.2,
            "result": "delivered",
            "reason": None,
            "ul": 99.984,
            "next_possible_s": 7920.2,
        }
    ]


def test_a_bolus_that_is_refused_has_no_times():
    """LOG-11."""
    (found,) = boluses(decision(1000, limits.LOCKOUT, next_ms=5000))
    assert (found["result"], found["reason"], found["next_possible_s"]) == ("refused", "lockout", 5.0)
    assert (found["t_start"], found["t_end"], found["ul"]) == (None, None, 0.0)
    (found,) = boluses(decision(1000, limits.NO_PCA))
    assert found["reason"] == "no_pca" and found["next_possible_s"] is None


def test_interrupted_and_running():
    (found,) = boluses(decision(1000, 0), start(1200), end(31_000, nl=25_000, interrupted=1, next_ms=90_000))
    assert (found["result"], found["ul"], found["next_possible_s"]) == ("interrupted", 25.0, 90.0)
    (found,) = boluses(decision(1000, 0), start(1200))
    assert (found["result"], found["t_start"], found["t_end"]) == ("running", 1.2, None)


def test_a_refused_press_does_not_touch_the_one_that_runs():
    found = boluses(decision(1000, 0), start(1200), decision(5000, limits.RUNNING, next_ms=90_000), end(61_200))
    assert [bolus["result"] for bolus in found] == ["delivered", "refused"]
    assert found[0]["next_possible_s"] is None and found[1]["next_possible_s"] == 90.0


def test_a_pca_bolus_inside_a_clinician_bolus():
    found = boluses(
        decision(1000, 0, kind="clinician", at_ms=1000), start(1000, kind=2),
        decision(20_000, 0), start(20_200), end(50_200, nl=10_000), end(100_000, kind=2, nl=50_000),
    )  # fmt: skip
    assert [(b["kind"], b["t_end"], b["ul"], b["result"]) for b in found] == [
        ("clinician", 100.0, 50.0, "delivered"),
        ("pca", 50.2, 10.0, "delivered"),
    ]


def test_entries_are_ordered_by_request():
    # The press began before the order and ended after it.
    found = boluses(decision(1000, limits.RUNNING, kind="clinician", at_ms=1000), decision(900, 0))
    assert [bolus["kind"] for bolus in found] == ["pca", "clinician"]


def test_power_cuts_a_bolus():
    """LOG-08."""
    cut = record("bolus_cut", 400_000, boot=2, kind=1, usteps=620, nl=25_595, end_s=1031, end_ms=500,
                 next_s=2831, next_ms=500)  # fmt: skip
    (found,) = boluses(decision(1000, 0), start(1200), cut)
    assert (found["result"], found["t_end"], found["ul"]) == ("interrupted", 31.5, 25.595)
    assert found["next_possible_s"] is not None
    assert boluses(cut) == []


def alarm_on(t_ms: int, code: int, boot: int = 1, action: int | None = None) -> Record:
    shown = alarms.ACTION[code] if action is None else action
    return record("alarm_on", t_ms, boot, alarm=code, priority=alarms.PRIORITY[code], action=shown)


def test_an_alarm_from_on_to_off():
    found = alarm_list(
        alarm_on(9_000_000, alarms.OCCLUSION_DOWNSTREAM),
        record("alarm_ack", 9_060_000, alarm=alarms.OCCLUSION_DOWNSTREAM),
        record("alarm_ack", 9_070_000, alarm=alarms.OCCLUSION_DOWNSTREAM),
        record("alarm_off", 9_100_000, alarm=alarms.OCCLUSION_DOWNSTREAM),
    )
    assert found == [
        {
            "code": "occlusion_downstream",
            "priority": "high",
            "action": "stop",
            "t_on": 9000.0,
            "t_ack": 9060.0,
            "t_off": 9100.0,
        }
    ]


def test_two_occurrences_are_two_alarms_and_a_restored_one_is_the_same():
    door = alarms.DOOR
    again = alarm_list(alarm_on(1000, door), record("alarm_off", 2000, alarm=door), alarm_on(3000, door))
    assert [alarm["t_on"] for alarm in again] == [1.0, 3.0]
    restored = alarm_list(alarm_on(1000, door), alarm_on(3000, door, boot=2), record("alarm_off", 5000, 2, alarm=door))
    assert [(alarm["t_on"], alarm["t_off"]) for alarm in restored] == [(1.0, 5.0)]


def test_an_alarm_that_gets_worse_is_a_second_entry():
    log = alarms.LOG_FAILED
    found = alarm_list(alarm_on(1000, log), alarm_on(9000, log, action=alarms.ACTION_STOP))
    assert [(alarm["action"], alarm["t_on"], alarm["t_off"]) for alarm in found] == [
        ("no_bolus", 1.0, 9.0),
        ("stop", 9.0, None),
    ]


def test_an_acknowledgement_at_0_s_counts():
    found = alarm_list(alarm_on(-1000, 0), record("alarm_ack", 0, alarm=0), record("alarm_ack", 5000, alarm=0))
    assert found[0]["t_ack"] == 0.0


def test_a_bolus_whose_start_was_torn_ended_at_the_cut():
    """LOG-08: nothing moved; it does not seem to run for ever."""
    found = boluses(decision(6_000_000, limits.ACCEPTED), record("boot", 0, boot=2), record("self_test", 0, boot=2))
    assert [(b["result"], b["t_start"], b["t_end"], b["ul"]) for b in found] == [("interrupted", None, 6000.2, 0.0)]


def test_a_bolus_whose_end_was_torn_counts_whole():
    """LOG-08: the pump has booked it whole."""
    found = boluses(
        decision(6_000_000, limits.ACCEPTED), start(6_000_200), record("pressed", 6_100_000),
        record("boot", 7_000_000, boot=2), record("self_test", 7_000_000, boot=2),
        decision(8_000_000, limits.ACCEPTED),
    )  # fmt: skip
    assert [(b["result"], b["t_end"], b["ul"]) for b in found] == [
        ("interrupted", 6100.0, 100.0), ("running", None, 0.0)
    ]  # fmt: skip
