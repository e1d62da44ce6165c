"""Play a scenario: start the pump as a clinician would, do what the file says when it says so, sum up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cisterna.bench.target import TargetError
from cisterna.errors import CisternaError, LinkSilent, PumpRefused, ScenarioError, TargetFailed
from cisterna.link.records import Record
from cisterna.sim import actions, summary
from cisterna.sim.agenda import Ask, At, Script
from cisterna.sim.schema import Power, Scenario
from cisterna.sim.session import Session, prime_ms
from cisterna.sim.trace import Row

UP_MS = 10_000  # power-up and self-test are well under it
CONNECT_MS = 75_000  # before t = 0: the line is full and joined to the catheter, and has come to rest
DRAIN_MS = 3_600_000  # the log is read each hour: it holds more than an hour of the fastest finger
BOOT_MS = 2_000  # after power is back
TICK_MS = 1_000

Progress = Callable[[float], None]  # told the part that is done, 0 to 1


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: the summary of the contract, and what is behind it."""

    summary: dict[str, Any]
    rows: list[Row]
    records: list[Record]
    moment_s: Callable[[Record], float]
    drugs: list[str]


def run(
    scenario: Scenario, target: Any, trace_every_ms: int | None = None, progress: Progress | None = None
) -> Outcome:
    """Run `scenario` on `target` (not started yet) and close it.

    trace_every_ms: None for no trace. Raises PumpRefused when the pump refuses the first prescription,
    TargetFailed when the bench breaks.
    """
    began_s = time.perf_counter()
    session = Session(scenario, target)
    try:
        with target:
            result = _play(session, trace_every_ms, progress)
    except TargetError as error:
        lines = str(error).splitlines()
        raise TargetFailed(f"{target.name}: {lines[0]} {lines[-1] if len(lines) > 1 else ''}".rstrip()) from error
    wall_s = round(time.perf_counter() - began_s, 3)
    records = list(session.records_until(scenario.duration_ms))
    rows = sorted(session.rows, key=lambda row: row.t_s)
    return Outcome({**result, "wall_s": wall_s}, rows, records, session.moment_s, session.clinic.drugs)


def _play(session: Session, trace_every_ms: int | None, progress: Progress | None) -> dict[str, Any]:
    """From power-up to the summary."""
    agenda, target = session.agenda, session.target
    _start_target(session)
    _fill_agenda(session, trace_every_ms, progress)
    try:
        agenda.finish(_start_up(session))
        agenda.run_until(session.end_ms)
        truth = target.truth()
        state = agenda.finish(_close(session, truth))
        agenda.settle()  # a clinician at work at the end still gets the pump's answer
    except CisternaError:
        session.check_alive(target.truth())  # a pump that broke is the reason for whatever went wrong
        raise
    session.check_alive(target.truth())
    return summary.build(session, truth, state)


def _start_target(session: Session) -> None:
    try:
        session.target.start(session.target_config())
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _fill_agenda(session: Session, trace_every_ms: int | None, progress: Progress | None) -> None:
    """The file's events first: at equal times they come before the host's own."""
    for action in session.scenario.at:
        at_ms = session.t0_ms + action.t
        session.agenda.at(at_ms, lambda action=action: actions.perform(session, action))
        if isinstance(action, Power):  # each boot's clock has to be heard once, to place its records in time
            back_ms = at_ms + action.off_for_ms + BOOT_MS
            session.agenda.at(back_ms, lambda: session.agenda.play(session.drain()))
    session.every(DRAIN_MS, session.drain)
    if trace_every_ms is not None:
        session.every(trace_every_ms, session.row)
    if progress is not None:
        _report(session, progress)


def _report(session: Session, progress: Progress) -> None:
    """A hundred marks on the way."""
    for percent in range(101):
        at_ms = session.end_ms * percent // 100
        session.agenda.at(at_ms, lambda percent=percent: progress(percent / 100))


def _start_up(session: Session) -> Script:
    """Load, read back, confirm, prime, connect, start so that delivery begins at t = 0."""
    yield At(UP_MS)
    yield Ask("hello")
    yield from session.as_clinician(lambda: _prescribe(session))
    state = yield from session.ask_state()
    if state["rx"] != session.clinic.rx_hash8:
        raise TargetFailed(f"confirm: rx held {state['rx']}; allowed: {session.clinic.rx_hash8}, which was loaded")
    yield At(session.t0_ms - CONNECT_MS - prime_ms(session.scenario.pump.deadspace_ul))
    yield from session.as_clinician(lambda: _prime(session))
    yield At(session.t0_ms - TICK_MS)
    try:
        session.booked_base = yield from session.ask_state()
    except LinkSilent:  # the file cut the power before the start; nothing has been given
        session.booked_base = session.state
    yield At(session.t0_ms - actions.TAP_MS - actions.DEBOUNCE_MS)  # the pump starts once the key has settled
    session.target.act("press", button="start", hold_ms=actions.TAP_MS, count=1, gap_ms=300)
    yield At(session.t0_ms)
    session.target.act("mark_start")


def _prescribe(session: Session) -> Script:
    document = yield from actions.load(session, session.clinic.values)
    yield from actions.confirm(session, session.clinic.values, document)


def _prime(session: Session) -> Script:
    """Fill the line, open at its end, and join it to the catheter. The file may spoil it."""
    try:
        yield Ask("prime", {"disconnected": True})
        yield At(session.agenda.now_ms + actions.LOOK_MS)
        yield from actions.press(session, "start")  # nothing moves by the link alone
        while session.agenda.now_ms < session.t0_ms - CONNECT_MS:
            state = yield from session.ask_state()
            if state["state"] != "priming":
                break
            yield At(session.agenda.now_ms + TICK_MS)
    except PumpRefused as refusal:
        session.refuse(session.agenda.now_ms - session.t0_ms, "prime", refusal.code)
    except LinkSilent:
        session.refuse(session.agenda.now_ms - session.t0_ms, "prime", "link" if session.powered else "off")
    yield At(session.t0_ms - CONNECT_MS)
    session.target.act("connect")


def _close(session: Session, truth: dict[str, Any]) -> Script:
    """The pump's last word: its state at the end, its books and its log (read once power is back)."""
    state = None
    if not truth["powered"]:
        state = "off"
        while not session.powered:
            yield At(session.agenda.now_ms + TICK_MS)
    for _ in range(6):
        try:
            heard = yield from session.ask_state()
            break
        except LinkSilent:
            state = state or "self_test"
    else:
        raise TargetFailed(f"{session.target.name}: the pump does not answer at the end of the run")
    yield from session.drain()
    return state or heard["state"]
