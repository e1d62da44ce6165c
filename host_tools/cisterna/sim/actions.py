"""What can be done in a scenario: things to the world; by the clinician, over the link and with a finger."""

from collections.abc import Callable
from typing import Any

from cisterna.errors import PumpRefused, ScenarioError, TargetFailed
from cisterna.sim import schema
from cisterna.sim.agenda import Ask, At, Script
from cisterna.sim.session import Session

TAP_MS = 200  # a short press of a key
DEBOUNCE_MS = 30  # the pump's debounce of its keys: a release counts this much later
CONFIRM_MS = 2_500  # a hold-to-confirm; the pump wants 2 s
SETTLE_MS = 500  # a person looks at the display before the next key
LOOK_MS = 600  # and longer at what START will do: the pump takes no press that began within 500 ms of its being shown
DELIVERING = ("infusing", "bolus")

# Keys of the file in ms -> keys of the world in s
_IN_SECONDS = {"for_ms": "for_s", "over_ms": "over_s", "off_for_ms": "off_for_s"}


def perform(session: Session, action: schema.Action) -> None:
    """Do it now. What takes longer goes on beside everything else that happens."""
    script = _BY_CLINICIAN.get(action.do)
    if script is not None:
        session.agenda.play(session.guarded(action.t, action.do, lambda: script(session, action)))
        return
    keys = {_IN_SECONDS.get(key, key): _in_seconds(key, value) for key, value in action.keys().items()}
    try:
        session.target.act(action.do, **{key: value for key, value in keys.items() if value is not None})
    except ValueError as error:  # the world judges what the file's form cannot
        raise ScenarioError(f'{action.do} at "{action.t / 1000:g}s": {error}') from None


def _in_seconds(key: str, value: Any) -> Any:
    return value / 1000 if key in _IN_SECONDS and value is not None else value


def press(session: Session, button: str, hold_ms: int = TAP_MS) -> Script:
    """A finger on a key, and the moment after it."""
    session.target.act("press", button=button, hold_ms=hold_ms, count=1, gap_ms=300)
    yield At(session.agenda.now_ms + hold_ms + SETTLE_MS)


def load(session: Session, values: dict[str, Any]) -> Script:
    """Sign, load and read back. Gives the document; PumpRefused when the pump will not have it."""
    params, document = session.clinic.prescription(values)
    loaded = (yield Ask("rx.load", params)).result
    read = (yield Ask("rx.read")).result
    _same(values, read["values"])
    if loaded["hash"] != read["hash"]:
        raise TargetFailed(f"rx.read: hash held {read['hash']}; allowed: {loaded['hash']}, which was loaded")
    return document


def _same(values: dict[str, Any], read: dict[str, Any]) -> None:
    """Read-back, value by value: what the pump holds is what was signed."""
    for key, value in values.items():
        signed = "none" if value is None else value
        if read.get(key) != signed:
            raise TargetFailed(f"rx.read: {key} held {read.get(key)!r}; allowed: {signed!r}, which was signed")


def confirm(session: Session, values: dict[str, Any], document: str) -> Script:
    """Hold the key that confirms what was loaded."""
    yield At(session.agenda.now_ms + LOOK_MS)
    yield from press(session, "start", CONFIRM_MS)
    session.clinic.accepted(values, document)


# --- the clinician


def _cancel(session: Session, action: schema.Cancel) -> Script:
    yield Ask("therapy.stop")


def _clock(session: Session, action: schema.Clock) -> Script:
    yield Ask("clock.set", {"utc_s": action.set_unix_s})


def _clinician_bolus(session: Session, action: schema.ClinicianBolus) -> Script:
    """Ordered over the link, given by a finger. One that is refused needs none: the key would do something else."""
    ordered = (yield Ask("bolus.clinician", session.clinic.order(action.ug, action.over_s))).result
    if ordered["staged"]:
        yield At(session.agenda.now_ms + LOOK_MS)
        yield from press(session, "start")


def _restart(session: Session, action: schema.Restart) -> Script:
    yield from _prescription(session, session.clinic.values)


def _prescribe(session: Session, action: schema.Prescribe) -> Script:
    yield from _prescription(session, {**session.clinic.values, **action.changes()})


def _prescription(session: Session, values: dict[str, Any]) -> Script:
    """No finger touches the pump before it has accepted the document, so a refused one changes nothing."""
    document = yield from load(session, values)
    new_fluid = not session.clinic.same_fluid(values)
    yield from press(session, "ack")
    yield from confirm(session, values, document)
    if new_fluid:
        state = yield from session.ask_state()
        yield from _exchange_syringe(session, state["remaining_nl"] // 1000, None)
    yield from press(session, "start")
    state = yield from session.ask_state()
    if state["state"] not in DELIVERING:
        raise PumpRefused("not_started", detail={"state": state["state"]})


def _refill(session: Session, action: schema.Refill) -> Script:
    state = yield from session.ask_state()
    was_infusing = state["state"] in DELIVERING
    if was_infusing:
        yield from press(session, "stop")
    returned_ul = None if action.returned_ml is None else round(action.returned_ml * 1000)
    try:
        yield from _exchange_syringe(session, round(action.ml * 1000), returned_ul)
    finally:  # refused or not, the patient is not left without
        if was_infusing:
            yield from press(session, "start")


def _exchange_syringe(session: Session, fill_ul: int, returned_ul: int | None) -> Script:
    """Tell the pump, then put the full syringe in: a refused refill changes nothing."""
    values = session.clinic.values
    fluid = {key: values[key] for key in ("drug", "concentration_ug_per_ml")}
    yield Ask("reservoir.refill", {"fill_ul": fill_ul, "returned_ul": returned_ul, **fluid})
    session.target.act("swap_syringe", ml=fill_ul / 1000, **fluid)


_BY_CLINICIAN: dict[str, Callable[[Session, Any], Script]] = {
    "cancel": _cancel,
    "clock": _clock,
    "clinician_bolus": _clinician_bolus,
    "restart": _restart,
    "prescribe": _prescribe,
    "refill": _refill,
}
