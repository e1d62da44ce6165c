"""Plays a scenario: starts the pump as a clinician would, performs the file's actions, builds the summary."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cisterna.bench.target import TargetError
from cisterna.errors import CisternaError, LinkSilent, PumpRefused, ScenarioError, TargetFailed
from cisterna.link.records import Record
from cisterna.sim import actions, summary
from cisterna.sim.scenario_actions import CutAtWrite, Hang, Power
from cisterna.sim.scenario_host import ScenarioHost, prime_ms
from cisterna.sim.scenario_model import Scenario
from cisterna.sim.script_player import Ask, Script, WaitUntil
from cisterna.sim.trace import Row

UP_MS = 10_000  # power-up and self-test take less
LOAD_MS = 120_000  # loading and confirming take less; a prescription that is not started for 10 min is an alarm
CONNECT_MS = 75_000  # before t = 0: the primed line is connected to the catheter, and the pressure settles
DRAIN_MS = 3_600_000  # interval of reading the log, which holds more than an hour of presses at the highest rate
BOOT_MS = 2_000  # from the return of power to the first request
TICK_MS = 1_000
WATCHDOG_MS = 10_000  # from the begin of a hang to the reset by the watchdog takes less
CUT_POLL_MS = 500  # interval at which a power cut at a write is looked for

Progress = Callable[[float], None]  # called with the part that is done, 0 to 1


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    summary   the object of `--json`
    rows      of the trace
    records   of the pump, up to the end
    moment_s  scenario time of a record, s
    drugs     each drug that was prescribed, in order
    """

    summary: dict[str, Any]
    rows: list[Row]
    records: list[Record]
    moment_s: Callable[[Record], float]
    drugs: list[str]


def run(
    scenario: Scenario, target: Any, trace_every_ms: int | None = None, progress: Progress | None = None
) -> Outcome:
    """Run `scenario` on `target` (not started yet), then close the target.

    trace_every_ms: interval of the trace rows; None: no trace. Raises PumpRefused if the pump refuses the first
    prescription, ScenarioError if the target rejects a value of the file, TargetFailed if the bench fails.
    """
    began_s = time.perf_counter()
    host = ScenarioHost(scenario, target)
    try:
        with target:
            result = _play(host, trace_every_ms, progress)
    except TargetError as error:
        lines = str(error).splitlines()
        raise TargetFailed(f"{target.name}: {lines[0]} {lines[-1] if len(lines) > 1 else ''}".rstrip()) from error
    wall_s = round(time.perf_counter() - began_s, 3)
    records = list(host.records_until(scenario.duration_ms))
    rows = sorted(host.rows, key=lambda row: row.t_s)
    return Outcome({**result, "wall_s": wall_s}, rows, records, host.moment_s, host.pharmacy.drugs)


def _play(host: ScenarioHost, trace_every_ms: int | None, progress: Progress | None) -> dict[str, Any]:
    """From power-up to the summary."""
    player, target = host.player, host.target
    _start_target(host)
    _schedule_all(host, trace_every_ms, progress)
    try:
        player.finish(_start_up(host))
        player.run_until(host.end_ms)
        truth = target.truth()
        state = player.finish(_close(host, truth))
        player.finish_requests()  # scripts that run at the end still get their answers
    except CisternaError:
        host.check_alive(target.truth())  # an error of the firmware is the cause, so it is raised instead
        raise
    host.check_alive(target.truth())
    return summary.build(host, truth, state)


def _start_target(host: ScenarioHost) -> None:
    try:
        host.target.start(host.target_config())
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _schedule_all(host: ScenarioHost, trace_every_ms: int | None, progress: Progress | None) -> None:
    """Schedule the file's actions first: at equal times they come before the host's requests."""
    for action in host.scenario.at:
        at_ms = host.t0_ms + action.t
        host.player.at(at_ms, lambda action=action: actions.perform(host, action))
        # Records of a boot get their times from a `state` of that boot.
        if isinstance(action, Power):
            _schedule_drain(host, at_ms + action.off_for_ms + BOOT_MS)
        elif isinstance(action, Hang):  # the watchdog bites after WATCHDOG_MS
            _schedule_drain(host, at_ms + WATCHDOG_MS + BOOT_MS)
        elif isinstance(action, CutAtWrite):
            host.player.at(at_ms, lambda action=action: host.player.play(_await_cut(host, action.off_for_ms)))
    host.every(DRAIN_MS, host.drain)
    if trace_every_ms is not None:
        host.every(trace_every_ms, host.row)
    if progress is not None:
        _schedule_progress(host, progress)


def _schedule_drain(host: ScenarioHost, at_ms: int) -> None:
    host.player.at(at_ms, lambda: host.player.play(host.drain()))


def _await_cut(host: ScenarioHost, off_for_ms: int) -> Script:
    """Wait for the power to fail at a write; after its return read the log."""
    boots = host.target.truth()["reboots"]
    while host.player.now_ms < host.end_ms:
        yield WaitUntil(host.player.now_ms + CUT_POLL_MS)
        truth = host.target.truth()
        if not truth["powered"] or truth["reboots"] > boots:
            host.power_back_ms = host.player.now_ms + off_for_ms
            yield WaitUntil(host.power_back_ms + BOOT_MS)
            yield from host.drain()
            return


def _schedule_progress(host: ScenarioHost, progress: Progress) -> None:
    """Report progress at each percent of the time."""
    for percent in range(101):
        at_ms = host.end_ms * percent // 100
        host.player.at(at_ms, lambda percent=percent: progress(percent / 100))


def _start_up(host: ScenarioHost) -> Script:
    """Load, read back, confirm, prime, connect, and start so that delivery begins at t = 0."""
    prime_at_ms = _prime_at_ms(host)
    yield WaitUntil(max(UP_MS, prime_at_ms - LOAD_MS))
    yield from _noting_silence(host, "prescribe", _load_and_confirm(host))
    yield WaitUntil(prime_at_ms)
    yield from _noting_silence(host, "prime", _prime(host))
    yield WaitUntil(host.t0_ms - CONNECT_MS)
    host.target.act("connect")
    yield WaitUntil(host.t0_ms - TICK_MS)
    try:
        host.booked_base = yield from host.ask_state()
    except LinkSilent:  # the file cut the power before the start; nothing was delivered
        host.booked_base = host.state
    yield WaitUntil(host.t0_ms - actions.TAP_MS - actions.DEBOUNCE_MS)  # delivery starts at the debounced release
    host.target.act("press", button="start", hold_ms=actions.TAP_MS, count=1, gap_ms=300)
    yield WaitUntil(host.t0_ms)
    host.target.act("mark_start")


def _prime_at_ms(host: ScenarioHost) -> int:
    return host.t0_ms - CONNECT_MS - prime_ms(host.scenario.pump.deadspace_ul)


def _noting_silence(host: ScenarioHost, do: str, script: Script) -> Script:
    """Play a step of the start-up. A pump that the file left without power then is a refusal, no error."""
    try:
        yield from script
    except LinkSilent:
        if not host.power_back_ms:  # no action of the file explains it
            raise
        host.add_refusal(host.player.now_ms - host.t0_ms, do, "link" if host.powered else "off")


def _load_and_confirm(host: ScenarioHost) -> Script:
    yield Ask("hello")
    try:
        yield from host.clinician.turn("prescribe", lambda: _prescribe(host))
    except (PumpRefused, LinkSilent):
        if not host.power_back_ms:  # no action of the file explains it
            raise
    state = yield from _state_before_priming(host)
    if host.pharmacy.rx_hash8 and state["rx"] == host.pharmacy.rx_hash8:
        return
    host.add_refusal(host.player.now_ms - host.t0_ms, "prescribe", "off")  # power failed before the confirmation


def _state_before_priming(host: ScenarioHost) -> Script:
    """The pump's state, if need be once power is back. LinkSilent if the line has to be primed before that."""
    if host.powered and host.player.now_ms > host.power_back_ms + BOOT_MS:
        return (yield from host.ask_state())
    yield WaitUntil(min(host.power_back_ms + BOOT_MS, _prime_at_ms(host)))
    return (yield from host.ask_state())


def _prescribe(host: ScenarioHost) -> Script:
    document = yield from actions.load(host, host.pharmacy.values)
    yield from actions.confirm(host, document)


def _prime(host: ScenarioHost) -> Script:
    """Prime the open line. A refusal caused by the file's actions is noted."""
    try:
        yield from host.clinician.turn("prime", lambda: _fill_line(host))
    except PumpRefused as refusal:
        host.add_refusal(host.player.now_ms - host.t0_ms, "prime", refusal.code)
        return
    while host.player.now_ms < host.t0_ms - CONNECT_MS:
        state = yield from host.ask_state()
        if state["state"] != "priming":
            break
        yield WaitUntil(host.player.now_ms + TICK_MS)


def _fill_line(host: ScenarioHost) -> Script:
    yield Ask("prime", {"disconnected": True})
    yield WaitUntil(host.player.now_ms + actions.LOOK_MS)
    yield from actions.press(host, "start")  # motion needs a key; the link alone starts none


def _close(host: ScenarioHost, truth: dict[str, Any]) -> Script:
    """Returns the pump's state at the end, and reads its ledger and log, if need be after power has returned."""
    state = None
    if not truth["powered"]:
        state = "off"
        yield WaitUntil(host.power_back_ms + TICK_MS)
    for _ in range(6):
        try:
            answer = yield from host.ask_state()
            break
        except LinkSilent:
            state = state or "self_test"
    else:
        raise TargetFailed(f"{host.target.name}: the pump does not answer at the end of the run")
    yield from host.drain()
    return state or answer["state"]
