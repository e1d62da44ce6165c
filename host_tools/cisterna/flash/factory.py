"""The test at the end of a pump's making: what a board says of itself over its link, line by line against what it must.

Only what the link can really show. That the motor turns, the lights light and the keys click is for eyes and hands.
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
from cisterna.flash.flashing import QUIET
from cisterna.flash.journal import now
from cisterna.image import sign
from cisterna.link.client import Requests, unframe
from cisterna.link.records import Chain

if TYPE_CHECKING:
    from cisterna.link.pump import Pump
    from cisterna.pharmacy.files import SignedFile

QUESTIONS = 200
ANSWER_S = 2.0
MEDIAN_MS = 200.0  # the pump answers between two wake-ups of its loop
CLOCK_S = 60
HEAP_BYTES = 120 * 1024  # half of what the therapy image has
PRESSURE_PA = 10_000  # either way, of a line that is open or at rest
DRIVERS = {
    *("stepper", "as5600", "abp2", "fram", "rv3028", "ssd1306", "display", "contacts", "annunciator", "serial_link"),
    "watchdog",
}


@dataclass(frozen=True)
class Check:
    check: str
    held: Any
    wanted: str
    passed: bool


@dataclass(frozen=True)
class Report:
    """Of one board, at one time."""

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
    pump: Pump,
    address: str,
    signed: SignedFile | None,
    authority: str | None,
    progress: Callable[[float], None] | None,
    wall_s: Callable[[], float] = time.time,
) -> Report:
    """Asks the pump and judges. `signed`: the image it should have; `authority`: whose it should be, modulus hex.

    LinkError when it does not answer at all, or what it says is not the protocol.
    """
    hello, state = pump.ask("hello"), pump.ask("state")
    checks = _identity(hello, signed, authority) + _rest(state, wall_s()) + _log(pump, state)
    checks += _link(pump, progress)
    return Report(now(), address, hello["serial"], hello["build"], checks)


def _identity(hello: dict[str, Any], signed: SignedFile | None, authority: str | None) -> list[Check]:
    """Which board, which image, whose."""
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
        manifest = sign.manifest(signed)
        wanted = f"{manifest['build']} of commit {manifest['commit']}"
        held = f"{hello['build']} of commit {hello['commit']}"
        checks.append(Check("build: the signed image", held, wanted, held == wanted))
    if authority is not None:
        wanted = fingerprint(authority)
        checks.append(Check("authority", hello["authority"], wanted, hello["authority"] == wanted))
    return checks


def _passed(hello: dict[str, Any]) -> bool:
    return hello["self_test"] == "passed"


def _rest(state: dict[str, Any], wall_s: float) -> list[Check]:
    """A new pump rests, knows the time, and has room."""
    off_s = None if not state["utc_s"] else round(state["utc_s"] - wall_s)
    return [
        Check("state", state["state"], " or ".join(QUIET), state["state"] in QUIET),
        Check("alarms", ", ".join(state["alarms"]) or "none", "none", not state["alarms"]),
        Check("prescription", state["rx"] or "none", "none", state["rx"] is None),
        Check(
            "clock against this computer's, s",
            off_s,
            f"within {CLOCK_S}",
            off_s is not None and abs(off_s) <= CLOCK_S,
        ),
        Check("line pressure at rest, Pa", state["pressure_pa"], f"within {PRESSURE_PA}", _is_at_rest(state)),
        Check("heap in use, bytes", state["heap_used"], f"<= {HEAP_BYTES}", state["heap_used"] <= HEAP_BYTES),
    ]


def _is_at_rest(state: dict[str, Any]) -> bool:
    return state["pressure_pa"] is not None and abs(state["pressure_pa"]) <= PRESSURE_PA


def _log(pump: Pump, state: dict[str, Any]) -> list[Check]:
    """The newest records hang together, and this start of the pump is among those that were written."""
    first = max(0, state["next_seq"] - 48)
    chain, taken = None, 0
    for number, data in pump.records(first):
        chain = chain or Chain.beginning_at(number)
        taken += chain.add(data)
    boots = sorted({record.boot for record in chain.records}) if chain else []
    problems = "; ".join(chain.problems) if chain else "no record"
    return [
        Check(f"log: the last {taken} records are whole and chained", problems or "yes", "yes", not problems),
        Check("log: this start was written to it", boots, f"with {state['boot']}", state["boot"] in boots),
    ]


def _link(pump: Pump, progress: Callable[[float], None] | None) -> list[Check]:
    """Questions one by one, none repeated: how many are lost, and how long the others take."""
    transport, requests = pump.transport, Requests()
    requests.new_connection()
    took_ms: list[float] = []
    for number in range(QUESTIONS):
        request, line = requests.line("state")
        began_s = transport.now_s()
        if _is_answered(transport, line, request):
            took_ms.append((transport.now_s() - began_s) * 1000)
        if progress:
            progress((number + 1) / QUESTIONS)
    pump.connect()
    lost = QUESTIONS - len(took_ms)
    middle, worst = (round(median(took_ms), 1), round(max(took_ms), 1)) if took_ms else (None, None)
    return [
        Check(f"link: lost of {QUESTIONS} questions", lost, "0", lost == 0),
        Check(
            "link: round trip, ms (median, worst)",
            f"{middle}, {worst}",
            f"median <= {MEDIAN_MS:g}",
            middle is not None and middle <= MEDIAN_MS,
        ),
    ]


def _is_answered(transport: Any, line: bytes, request: int) -> bool:
    """Whether the answer to this very question comes in time. A late one of an earlier question is passed over."""
    until_s = transport.now_s() + ANSWER_S
    try:
        heard = transport.exchange(line, ANSWER_S)
        while unframe(heard)[1].get("id") != request:
            heard = transport.receive(max(0.0, until_s - transport.now_s()))
    except LinkSilent:
        return False
    except LinkError:  # damaged on the way
        return False
    return True


def write(report: Report, path: Path) -> None:
    """As JSON or, by the name's ending .md, as a page. OutputError."""
    text = as_page(report) if path.suffix == ".md" else json.dumps(report.as_object(), indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--out held {path}; it cannot be written ({error.strerror})") from None


def as_page(report: Report) -> str:
    """The report for a folder of paper: Markdown."""
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
