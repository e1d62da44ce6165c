"""Performs a scenario's actions: on the world directly, or as the clinician over the link and with the keys."""

from collections.abc import Callable
from typing import Any

from cisterna.bench import display_text
from cisterna.errors import PumpRefused, ScenarioError, TargetFailed
from cisterna.pharmacy import sign
from cisterna.sim import scenario_actions
from cisterna.sim.scenario_host import ScenarioHost
from cisterna.sim.script_player import Ask, Script, WaitUntil

TAP_MS = 200  # a short press of a key
DEBOUNCE_MS = 30  # the pump's debounce of its keys: a release counts this much later
CONFIRM_MS = 2_500  # a hold-to-confirm; the pump requires 2 s
LINE_MS = 60_000  # until the pressure of a line has settled that was taken off or put on
FILL_POLL_MS = 1_000
SETTLE_MS = 500  # pause between two keys
CLAMP_MS = 2_000  # the clamp of the syringe is open, and then closed, for so long
LOOK_MS = 600  # pause before a confirming START: the pump ignores a press within 500 ms after it shows the request
DECIDED_MS = 60  # from the release of a key to what the pump does: debounce, and a turn of its loop
MOST_PAGES = 20  # of a prescription on the display: a hand that turns more has met a fault
RELIEF_MS = 50_000  # of the 60 s that a clinician's action may take
DELIVERING = ("infusing", "bolus")

# Fields of the scenario model in ms -> keys of the world's actions in s
_IN_SECONDS = {"for_ms": "for_s", "over_ms": "over_s", "off_for_ms": "off_for_s", "value_ms": "value_s"}


def perform(host: ScenarioHost, action: scenario_actions.Action) -> None:
    """Perform `action` now. A clinician's action starts a script. ScenarioError if the world rejects its keys."""
    script = _BY_CLINICIAN.get(action.do)
    if script is not None:
        host.player.play(host.by_clinician(action.t, action.do, lambda: script(host, action)))
        return
    if isinstance(action, scenario_actions.Press) and action.button == "stop":
        for contact in range(action.count):
            host.clinician.stop_key(host.player.now_ms + contact * (action.hold_ms + action.gap_ms))
    if isinstance(action, scenario_actions.Power):
        host.power_back_ms = host.player.now_ms + action.off_for_ms
    keys = {_IN_SECONDS.get(key, key): _in_seconds(key, value) for key, value in action.keys().items()}
    try:
        host.target.act(action.do, **{key: value for key, value in keys.items() if value is not None})
    except ValueError as error:  # the world checks what the file's model does not
        raise ScenarioError(f'{action.do} at "{action.t / 1000:g}s": {error}') from None


def _in_seconds(key: str, value: Any) -> Any:
    return value / 1000 if key in _IN_SECONDS and value is not None else value


def press(host: ScenarioHost, button: str, hold_ms: int = TAP_MS) -> Script:
    """Press a key for `hold_ms`, then wait for `SETTLE_MS`. PumpRefused `stopped`: a stop key forbids START."""
    if button == "start" and host.clinician.sees_stop():
        raise PumpRefused("stopped")
    host.target.act("press", button=button, hold_ms=hold_ms, count=1, gap_ms=300)
    yield WaitUntil(host.player.now_ms + hold_ms + SETTLE_MS)


def load(host: ScenarioHost, values: dict[str, Any]) -> Script:
    """Sign, load and read back a prescription. Returns the document; PumpRefused if the pump refuses it."""
    params, document = host.pharmacy.prescription(values)
    loaded = (yield Ask("rx.load", params)).result
    read = (yield Ask("rx.read")).result
    _check_read_back(values, read["values"])
    if loaded["hash"] != read["hash"]:
        raise TargetFailed(f"rx.read: hash held {read['hash']}; allowed: {loaded['hash']}, which was loaded")
    return document


def _check_read_back(values: dict[str, Any], read: dict[str, Any]) -> None:
    """TargetFailed if a value that the pump holds differs from the signed one."""
    for key, value in values.items():
        signed = "none" if value is None else value
        if read.get(key) != signed:
            raise TargetFailed(f"rx.read: {key} held {read.get(key)!r}; allowed: {signed!r}, which was signed")


def confirm(host: ScenarioHost, document: str) -> Script:
    """Confirm the loaded prescription as a person does: turn its pages, then hold START. PumpRefused: it was not."""
    yield WaitUntil(host.player.now_ms + LOOK_MS)
    for _ in range(MOST_PAGES):
        rows = display_text.text_rows(host.target.look())
        if not display_text.has_next_page(rows):
            break
        yield from press(host, "start")
        yield WaitUntil(host.player.now_ms + LOOK_MS)
    if display_text.wants_start(rows):
        yield from press(host, "start", CONFIRM_MS)
    state = yield from host.ask_state()
    if state["rx"] != sign.hash8(document):
        raise PumpRefused(_why_not_confirmed(host, state), detail={"rx": state["rx"]})


def _why_not_confirmed(host: ScenarioHost, state: dict[str, Any]) -> str:
    return state["refused"] or ("stopped" if host.clinician.sees_stop() else "not_confirmed")


def relieved(host: ScenarioHost) -> Script:
    """Wait until the pump has drawn back what the line held: START does nothing before."""
    until_ms = host.player.now_ms + RELIEF_MS
    state = yield from host.ask_state()
    while state["relief_nl"] and host.player.now_ms < until_ms:
        yield WaitUntil(host.player.now_ms + SETTLE_MS)
        state = yield from host.ask_state()


# --- the clinician


def _cancel(host: ScenarioHost, action: scenario_actions.Cancel) -> Script:
    yield from host.ask_state()
    yield Ask("therapy.stop", host.pharmacy.stop())


def _clock(host: ScenarioHost, action: scenario_actions.Clock) -> Script:
    yield Ask("clock.set", {"utc_s": action.set_unix_s})


def _clinician_bolus(host: ScenarioHost, action: scenario_actions.ClinicianBolus) -> Script:
    """Order over the link, then confirm with START, if the display still shows the order: START would act otherwise."""
    state = yield from host.ask_state()
    ordered = (yield Ask("bolus.clinician", host.pharmacy.order(action.ug, action.over_s))).result
    if not ordered["staged"]:
        return
    host.orders.append((action.t, state["boot"], state["next_seq"]))
    yield WaitUntil(host.player.now_ms + LOOK_MS)
    if display_text.shows_order(display_text.text_rows(host.target.look())) and not host.clinician.sees_stop():
        host.target.act("press", button="start", hold_ms=TAP_MS, count=1, gap_ms=300)
        yield WaitUntil(host.player.now_ms + TAP_MS + DECIDED_MS)


def _restart(host: ScenarioHost, action: scenario_actions.Restart) -> Script:
    yield from host.ask_state()  # which prescription was confirmed last
    yield from _prescription(host, host.pharmacy.values)


def _prescribe(host: ScenarioHost, action: scenario_actions.Prescribe) -> Script:
    state = yield from host.ask_state()
    left_ul = state["remaining_nl"] // 1000
    fill_ul = left_ul if action.fill_ml is None else round(action.fill_ml * 1000)
    yield from _prescription(host, host.pharmacy.changed(action.changes(), fill_ul), action.exchange)


def _prescription(host: ScenarioHost, values: dict[str, Any], exchange: bool = False) -> Script:
    """Load, confirm, exchange the syringe if another one is prescribed, and start.

    No key is pressed before the pump accepted the document: a refusal changes nothing. Without the exchange a changed
    prescription is accepted, and START does nothing.
    """
    syringe = host.pharmacy.syringe(values)
    is_changed = syringe != host.pharmacy.syringe(host.pharmacy.values)
    document = yield from load(host, values)
    yield from press(host, "ack")
    yield from confirm(host, document)
    yield from relieved(host)
    if is_changed and exchange:
        yield from _exchange_syringe(host, values["fill_ul"], None, syringe)
    yield from press(host, "start")
    state = yield from host.ask_state()
    if state["state"] in DELIVERING or (is_changed and not exchange):
        return
    if host.clinician.sees_stop():
        raise PumpRefused("stopped", detail={"state": state["state"]})
    wants_refill = state["start"] in ("exchange", "unnamed")
    raise PumpRefused("refill" if wants_refill else "not_started", detail={"state": state["state"]})


def _refill(host: ScenarioHost, action: scenario_actions.Refill) -> Script:
    state = yield from host.ask_state()
    was_infusing = state["state"] in DELIVERING
    if was_infusing:
        yield from press(host, "stop")
        yield from relieved(host)
    returned_ul = None if action.returned_ml is None else round(action.returned_ml * 1000)
    try:
        syringe = {**host.pharmacy.syringe(host.pharmacy.values), **action.label()}
        yield from _exchange_syringe(host, round(action.ml * 1000), returned_ul, syringe)
    finally:  # resume delivery, whether refused or not, unless somebody else stopped it meanwhile
        if was_infusing and not host.clinician.sees_stop():
            yield from press(host, "start")


def _exchange_syringe(host: ScenarioHost, fill_ul: int, returned_ul: int | None, syringe: dict[str, Any]) -> Script:
    """Open the clamp, put the full syringe in, close the clamp, and tell the pump what is in it.

    As on a ward, the line is pinched meanwhile: nothing flows back into the syringe that is taken out.
    """
    host.target.act("syringe", gripped=False)
    yield WaitUntil(host.player.now_ms + CLAMP_MS)
    host.target.act("swap_syringe", ml=fill_ul / 1000, **syringe)
    host.target.act("syringe", gripped=True)
    yield WaitUntil(host.player.now_ms + CLAMP_MS)
    yield Ask("reservoir.refill", {"fill_ul": fill_ul, "returned_ul": returned_ul, **syringe})


def _prime(host: ScenarioHost, action: scenario_actions.Prime) -> Script:
    """Take the line off, fill it, connect it again, and start if the pump was running.

    With `connected`, the line stays on, and the pump is told that it is off.
    """
    was_infusing = (yield from host.ask_state())["state"] in DELIVERING
    if was_infusing:
        yield from press(host, "stop")
    if not action.connected:
        host.target.act("disconnect")
        yield WaitUntil(host.player.now_ms + LINE_MS)
    host.target.act("fill_line", on=True)
    try:
        yield from _fill_line(host)
    finally:
        if not action.connected:
            host.target.act("connect")
            yield WaitUntil(host.player.now_ms + LINE_MS)
        host.target.act("fill_line", on=False)
        if was_infusing:
            yield from press(host, "start")


def _fill_line(host: ScenarioHost) -> Script:
    """Order the filling, begin it with START, and wait for its end. PumpRefused if the pump refuses or ends it."""
    yield Ask("prime", {"disconnected": True})
    yield WaitUntil(host.player.now_ms + LOOK_MS)
    yield from press(host, "start")
    state = yield from host.ask_state()
    while state["state"] == "priming":
        yield WaitUntil(host.player.now_ms + FILL_POLL_MS)
        state = yield from host.ask_state()
    if not state["primed"]:
        raise PumpRefused(state["refused"] or "not_primed", detail={"state": state["state"]})


_BY_CLINICIAN: dict[str, Callable[[ScenarioHost, Any], Script]] = {
    "cancel": _cancel,
    "clock": _clock,
    "clinician_bolus": _clinician_bolus,
    "restart": _restart,
    "prescribe": _prescribe,
    "refill": _refill,
    "prime": _prime,
}
