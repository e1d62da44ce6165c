"""The states of the pump: every change of state is one of `base.states`, and each event does in each state what
`firmware/README.md` says in its table."""

from pathlib import Path

import pytest
from pump.base import states
from pump.base.contacts import DOOR
from pump.base.refusal import Refused
from pump.base.states import NAMES, WrongTransition
from pump.delivery.ledger import PRIME
from pump.delivery.occlusion_relief import UNBOOKED
from pump.monitoring import alarms as alarm
from pump.power_up import RESET_WATCHDOG
from support.therapy.ideal_plant import SYRINGE
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

README = Path(__file__).resolve().parents[3] / "firmware" / "README.md"
HEADING = "## States and events"
RX = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_1h_ug=800, limit_4h_ug=3000
)
MIN_MS = 60_000


# --- a pump in each state


def stopped():
    """In the middle of its therapy, after the stop key."""
    rig = infusing()
    rig.key("stop")
    return rig


def priming():
    rig = TherapyRig()
    assert rig.load(RX) is None
    rig.hold_start()
    rig.prime()
    return rig


def infusing():
    rig = TherapyRig()
    assert rig.prescribe(RX) is None
    rig.run(5 * MIN_MS)
    return rig


def bolus():
    rig = infusing()
    rig.press()
    rig.run(1_000)
    return rig


def alarm_():
    """Stopped by an alarm whose cause is gone."""
    rig = infusing()
    rig.pump.therapy.alarms.occur(alarm.STALL)
    rig.run(5_000)
    return rig


STATES = {"stopped": stopped, "priming": priming, "infusing": infusing, "bolus": bolus, "alarm": alarm_}


# --- what may happen


def confirm_prescription(rig):
    assert rig.load(RX) is None
    rig.hold_start()


def confirm_order(rig):
    if rig.order(20, 300) is None:
        rig.key("start")


def confirm_priming(rig):
    try:
        rig.prime()
    except Refused:
        rig.run(1_000)


def open_and_close(contact):
    def do(rig):
        rig.contact(contact, 1)
        rig.run(1_000)
        rig.contact(contact, 0)
        rig.run(1_000)

    return do


def occur(code):
    def do(rig):
        rig.pump.therapy.alarms.occur(code)
        rig.run(6_000)  # past the longest sleep

    return do


def fail_self_test(rig):
    rig.cut(1_000)
    rig.pump.power_up.self_tested(2)


def reset_by_watchdog(rig):
    rig.plant.cut_power()
    rig.plant.restore_power(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.therapy.therapy_rig.RESET_POWER", RESET_WATCHDOG)
        rig.boot()


EVENTS = {
    "START pressed": lambda rig: rig.key("start"),
    "START held, a prescription waits": confirm_prescription,
    "START pressed, an order waits": confirm_order,
    "START pressed, priming waits": confirm_priming,
    "STOP pressed": lambda rig: rig.key("stop"),
    "ACK pressed": lambda rig: rig.key("ack"),
    "pendant pressed": lambda rig: rig.press(),
    "door opened and closed": open_and_close(DOOR),
    "syringe clamp opened and closed": open_and_close(SYRINGE),
    "link: pause": lambda rig: rig.pause(),
    "link: stop": lambda rig: rig.cancel(),
    "alarm that stops": occur(alarm.OVER_INFUSION),
    "alarm that blocks boluses": occur(alarm.BUTTON),
    "5 min pass": lambda rig: rig.run(5 * MIN_MS),
    "power cut": lambda rig: rig.cut(10_000),
    "watchdog reset": reset_by_watchdog,
    "power cut, self-test fails": fail_self_test,
}


def table():
    """{event: {state: the state that follows}}, as the README says."""
    text = README.read_text(encoding="utf-8")
    lines = text[text.index(HEADING) :].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    head = rows[0][1:]
    return {row[0]: dict(zip(head, row[1:], strict=True)) for row in rows[2 : 2 + len(EVENTS)]}


def test_the_table_has_every_state_and_every_event():
    stated = table()
    assert list(stated) == list(EVENTS)
    assert all(list(row) == list(STATES) for row in stated.values())
    assert set(STATES) == set(NAMES) - {"off", "self_test"}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_an_event_leads_where_the_table_says(state, event):
    rig = STATES[state]()
    assert rig.state == state
    EVENTS[event](rig)
    assert rig.state == table()[event][state]


def test_every_change_of_state_that_is_allowed_happens():
    """The table of base/states.py allows what the cells of the table above do, and nothing besides."""
    seen = set()
    for make in STATES.values():
        for do in EVENTS.values():
            rig = make()
            do(rig)
            changes = [entry.payload for entry in rig.tape.entries if entry.what == "state"]
            seen |= {(change["from_state"], change["to_state"]) for change in changes}
    numbers = range(len(NAMES))
    allowed = {(k, new) for k in numbers for new in numbers if k != new and states.may_follow(k, new)}
    assert allowed - seen == {(states.OFF, states.SELF_TEST)}  # before there is anything to record
    assert seen <= allowed


# --- the rules of the table in base/states.py


def test_a_change_that_the_table_lacks_ends_the_run():
    """A fault of the firmware must not move a pump into a state that it cannot be in."""
    rig = infusing()
    with pytest.raises(WrongTransition, match="infusing to priming"):
        rig.pump.therapy.enter(states.PRIMING, states.BY_PLAN)
    assert rig.state == "infusing"


@pytest.mark.parametrize("state", [states.STOPPED, states.INFUSING, states.BOLUS, states.ALARM])
def test_the_line_is_filled_in_priming_only(state):
    motion = TherapyRig().pump.therapy.motion
    motion.enter(state)
    with pytest.raises(WrongTransition, match="a grant in state"):
        motion.grant_fixed(PRIME, True, 5, 20_000, 0, 0)


def test_the_page_says_what_may_move():
    """DEL-28: `firmware/README.md` beside the table of base/states.py."""
    words = {
        "nothing": states.NOTHING, "relief: backward only, while the line holds what it should not": states.BACK_OFF,
        "filling, forward, into a line that is not connected": states.FILLING,
        "basal": states.BASAL, "basal and boluses": states.BASAL | states.BOLUSES,
    }  # fmt: skip
    text = README.read_text(encoding="utf-8")
    rows = text[text.index("| state | moves |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    stated = {name.strip(" `"): words[moves] for names, moves in cells for name in names.split(",")}
    assert stated == dict(zip(NAMES, states.MOVES, strict=True))


@pytest.mark.parametrize("state", [states.PRIMING, states.INFUSING, states.BOLUS])
def test_motion_is_backward_in_alarm_and_stopped_only(state):
    """DEL-28, DEL-30."""
    motion = TherapyRig().pump.therapy.motion
    motion.enter(state)
    with pytest.raises(WrongTransition, match="a grant in state"):
        motion.grant_fixed(UNBOOKED, False, 5, 20_000, 0, 0)


@pytest.mark.parametrize("state", [states.STOPPED, states.ALARM, states.PRIMING])
def test_basal_is_granted_while_infusing_only(state):
    rig = infusing()
    rig.pump.therapy.motion.enter(state)
    with pytest.raises(WrongTransition, match="a grant in state"):
        rig.run(60_000)


def test_a_bolus_is_granted_in_its_own_state_only():
    rig = bolus()
    rig.pump.therapy.motion.enter(states.INFUSING)
    with pytest.raises(WrongTransition, match="infusing"):
        rig.run(10_000)


def test_what_may_move_follows_from_the_state():
    therapy = TherapyRig().pump.therapy
    moving = {}
    for number, name in enumerate(NAMES):
        therapy.state = number
        moving[name] = (therapy.infusing(), therapy.moving())
    basal, fill, nothing = (True, True), (False, True), (False, False)
    assert moving == {
        "off": nothing, "self_test": nothing, "stopped": nothing, "priming": fill, "infusing": basal, "bolus": basal,
        "alarm": nothing,
    }  # fmt: skip


def test_only_a_stopped_pump_begins_to_move():
    """Motion begins from `stopped` alone; relief, the one motion of `alarm` and `stopped`, leads backward."""
    forward = [k for k in range(len(NAMES)) if states.MOVES[k] & states.FORWARD]
    begins = {NAMES[k] for k in range(len(NAMES)) for new in forward if k not in forward and states.may_follow(k, new)}
    assert begins == {"stopped"}
