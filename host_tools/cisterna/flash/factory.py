"""The test of a finished pump: compares what the pump reports over its link with what it must report, line by line.

The test covers only what the link can show. A person checks that the motor turns, the lights light and the keys click.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from cisterna.errors import LinkError, LinkSilent, OutputError
from cisterna.flash.journal import utc_now
from cisterna.flash.pump_checks import IDLE_STATES
from cisterna.image import image_files
from cisterna.link.protocol import Requests, unframe
from cisterna.link.records import Chain

if TYPE_CHECKING:
    from cisterna.link.pump_client import PumpClient
    from cisterna.pharmacy.signed_files import SignedFile

REQUESTS = 200
ANSWER_S = 2.0
MAX_MEDIAN_MS = 200.0  # the pump answers between two wake-ups of its loop
MAX_CLOCK_ERROR_S = 60
MAX_HEAP_BYTES = 120 * 1024  # half of the heap of the therapy image
MAX_PRESSURE_PA = 10_000  # of either sign, in a line that is open or at rest
RECORDS = 48  # of the log that are checked
DRIVERS = {
    *("stepper", "as5600", "abp2", "fram", "rv3028", "ssd1306", "display", "contacts", "annunciator", "serial_link"),
    "watchdog",
}


@dataclass(frozen=True)
class Check:
    """One line of the report: its name, the value found, the value wanted."""

    check: str
    held: Any
    wanted: str
    passed: bool


@dataclass(frozen=True)
class Report:
    """The factory test of one board. when: UTC in ISO format."""

    when: str
    address: str
    serial: str | None
    build: str
    checks: list[Check]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def as_object(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def examine(
    pump: PumpClient,
    address: str,
    signed: SignedFile | None,
    authority: str | None,
    progress: Callable[[float], None] | None,
    wall_s: Callable[[], float] = time.time,
) -> Report:
    """Test the pump at `address`.

    signed     the image that the pump must run; None: any
    authority  the pump's authority, modulus of 768 hex digits; None: any
    progress   called with the share done, 0 to 1
    wall_s     returns the Unix time, s
    Raises LinkError if the pump does not answer, or not in the protocol.
    """
    hello, state = pump.ask("hello"), pump.ask("state")
    checks = _identity(hello, signed, authority) + _idle(state, wall_s()) + _log(pump, state)
    checks += _link(pump, progress)
    return Report(utc_now(), address, hello["serial"], hello["build"], checks)


def _identity(hello: dict[str, Any], signed: SignedFile | None, authority: str | None) -> list[Check]:
    """Checks of the board, its provisioning, its image and its authority."""
    from cisterna.pharmacy.keys import fingerprint

    missing = sorted(DRIVERS - set(hello["drivers"]))
    checks = [
        Check("real board", hello["board"], "pico-...", hello["board"].startswith("pico-")),
        Check("self-test: every chip answers, the motor is powered", hello["self_test"], "passed", _passed(hello)),
        Check("drivers", f"{len(hello['drivers'])}, missing: {', '.join(missing) or 'none'}", "all", not missing),
        Check("provisioned: serial number", hello["serial"], "any", bool(hello["serial"])),
        Check("provisioned: people document", hello["people"], "any", bool(hello["people"])),
        Check("provisioned: drug library", hello["library"], "any", hello["library"] is not None),
    ]
    if signed is not None:
        manifest = image_files.manifest(signed)
        wanted = f"{manifest['build']} of commit {manifest['commit']}"
        held = f"{hello['build']} of commit {hello['commit']}"
        checks.append(Check("build: the signed image", held, wanted, held == wanted))
    if authority is not None:
        wanted = fingerprint(authority)
        checks.append(Check("authority", hello["authority"], wanted, hello["authority"] == wanted))
    return checks


def _passed(hello: dict[str, Any]) -> bool:
    return hello["self_test"] == "passed"


def _idle(state: dict[str, Any], wall_s: float) -> list[Check]:
    """Checks that the pump is idle, has the right time, and has free memory."""
    clock_error_s = None if not state["utc_s"] else round(state["utc_s"] - wall_s)
    return [
        Check("state", state["state"], " or ".join(IDLE_STATES), state["state"] in IDLE_STATES),
        Check("alarms", ", ".join(state["alarms"]) or "none", "none", not state["alarms"]),
        Check("prescription", state["rx"] or "none", "none", state["rx"] is None),
        Check(
            "clock against this computer's, s",
            clock_error_s,
            f"within {MAX_CLOCK_ERROR_S}",
            clock_error_s is not None and abs(clock_error_s) <= MAX_CLOCK_ERROR_S,
        ),
        Check("line pressure at rest, Pa", state["pressure_pa"], f"within {MAX_PRESSURE_PA}", _is_at_rest(state)),
        Check("heap in use, bytes", state["heap_used"], f"<= {MAX_HEAP_BYTES}", state["heap_used"] <= MAX_HEAP_BYTES),
    ]


def _is_at_rest(state: dict[str, Any]) -> bool:
    return state["pressure_pa"] is not None and abs(state["pressure_pa"]) <= MAX_PRESSURE_PA


def _log(pump: PumpClient, state: dict[str, Any]) -> list[Check]:
    """Checks that the newest records are chained, and that the log has the pump's current start."""
    first_number = max(0, state["next_seq"] - RECORDS)
    chain, count = None, 0
    for number, data in pump.records(first_number):
        chain = chain or Chain.beginning_at(number)
        count += chain.add(data)
    boots = sorted({record.boot for record in chain.records}) if chain else []
    problems = "; ".join(chain.problems) if chain else "no record"
    return [
        Check(f"log: the last {count} records are whole and chained", problems or "yes", "yes", not problems),
        Check("log: this start was written to it", boots, f"with {state['boot']}", state["boot"] in boots),
    ]


def _link(pump: PumpClient, progress: Callable[[float], None] | None) -> list[Check]:
    """Checks of REQUESTS single requests without retries: how many are lost, and the round-trip times."""
    transport, requests = pump.transport, Requests()
    requests.new_connection()
    round_trips_ms: list[float] = []
    for number in range(REQUESTS):
        request, line = requests.line("state")
        began_s = transport.now_s()
        if _is_answered(transport, line, request):
            round_trips_ms.append((transport.now_s() - began_s) * 1000)
        if progress:
            progress((number + 1) / REQUESTS)
    pump.connect()
    lost = REQUESTS - len(round_trips_ms)
    median_ms, worst_ms = None, None
    if round_trips_ms:
        median_ms, worst_ms = round(median(round_trips_ms), 1), round(max(round_trips_ms), 1)
    return [
        Check(f"link: lost of {REQUESTS} requests", lost, "0", lost == 0),
        Check(
            "link: round trip, ms (median, worst)",
            f"{median_ms}, {worst_ms}",
            f"median <= {MAX_MEDIAN_MS:g}",
            median_ms is not None and median_ms <= MAX_MEDIAN_MS,
        ),
    ]


def _is_answered(transport: Any, line: bytes, request: int) -> bool:
    """True if the answer to `request` comes within ANSWER_S. Late answers to earlier requests are skipped."""
    end_s = transport.now_s() + ANSWER_S
    try:
        answer = transport.exchange(line, ANSWER_S)
        while unframe(answer)[1].get("id") != request:
            answer = transport.receive(max(0.0, end_s - transport.now_s()))
    except LinkSilent:
        return False
    except LinkError:  # damaged in transit
        return False
    return True


def write(report: Report, path: Path) -> None:
    """Write the report as Markdown if `path` ends in .md, else as JSON. Raises OutputError."""
    text = as_page(report) if path.suffix == ".md" else json.dumps(report.as_object(), indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--out held {path}; it cannot be written ({error.strerror})") from None


def as_page(report: Report) -> str:
    """The report as a Markdown page to print and sign."""
    rows = [f"| {_mark(check)} | {check.check} | {check.held} | {check.wanted} |" for check in report.checks]
    return "\n".join(
        [
            f"# Factory test: {report.serial or 'no serial number'}",
            "",
            f"{report.when}, at {report.address}, build {report.build}: **{'passed' if report.passed else 'FAILED'}**",
            "",
            "| | check | held | wanted |",
            "|---|---|---|---|",
            *rows,
            "",
            "Signature: ______________________   Date: ______________",
            "",
        ]
    )


def _mark(check: Check) -> str:
    return "passed" if check.passed else "FAILED"
