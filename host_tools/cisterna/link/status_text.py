"""A pump's identity and state as lines of text, each figure with its unit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cisterna import paths
from cisterna.durations import readable

_WIDTH = 14
_ACCOUNTS = ("basal", "pca", "clinician", "excess", "credit")


def status_lines(hello: dict[str, Any], state: dict[str, Any]) -> Iterator[str]:
    """Lines of `cisterna status`. hello, state: the pump's answers."""
    serial = hello["serial"] or "not provisioned"
    yield f"{serial}{' (bench)' if hello['bench'] else ''}  {state['state'].upper()}"
    yield _line("alarms", ", ".join(state["alarms"]) or "none")
    yield _line("prescription", _prescription(state))
    yield _line("START", _start(state.get("start")))
    yield _line("flow", f"{state['flow_nl_per_h'] / 1e6:.4g} mL/h")
    yield _line("given", f"{state['booked_nl'] / 1000:.3f} uL, {state['booked_ng'] / 1000:.3f} ug")
    parts = (f"{name} {state['booked'][name + '_nl'] / 1000:.3f}" for name in _ACCOUNTS)
    yield _line("  of which", ", ".join(parts) + " uL")
    yield _line("left", f"{state['remaining_nl'] / 1e6:.3f} mL")
    if state.get("bridge_nl"):
        yield _line("old fluid", f"in the line for {state['bridge_nl'] / 1000:.0f} uL; doses go by what leaves the tip")
    yield _line("next bolus", _next_bolus(state))
    yield _line("pressure", f"{state['pressure_pa'] / 1000:.2f} kPa")
    if state.get("relief_nl"):
        yield _line("line holds", f"{state['relief_nl'] / 1000:.0f} uL, to be drawn back before START")
    yield _line("clock", _clock(state["utc_s"]))
    yield _line("up", f"{readable(state['mono_s'])}, boot {state['boot']}")
    yield _line("log", f"{state['next_seq']} records")
    yield _line("people", hello["people"] or "none loaded")
    yield _line("library", _library(hello))
    yield _line("authority", hello["authority"] or "none")
    yield _line("logged on", "nobody" if not hello["session"] else "{person} as {role}".format(**hello["session"]))
    yield _line("self-test", hello["self_test"])
    yield _line("build", f"{hello['build']} on {hello['board']}")


def _line(name: str, value: object) -> str:
    return f"  {name:<{_WIDTH}}{value}"


def _prescription(state: dict[str, Any]) -> str:
    text = f"{state['rx']} (number {state['rx_seq']})" if state["rx"] else "none"
    if state["staged"]:
        text += f"; {state['staged']} waits to be confirmed at the pump"
    return text + ("; a new one is needed" if state["rx"] and state["needs_rx"] else "")


def _start(blocked_by: str | None) -> str:
    """Why START at the pump does nothing, in the words of its display."""
    paths.use_firmware()
    from pump.panel.wording import start_blocked

    return " ".join(start_blocked(blocked_by)) if blocked_by else "nothing keeps it from the infusion"


def _next_bolus(state: dict[str, Any]) -> str:
    if state["next_possible"] is None:
        return "none"
    seconds = state["next_possible"][0] - state["mono_s"]
    return f"possible in {readable(seconds)}" if seconds > 0 else "possible"


def _clock(utc_s: int | None) -> str:
    return "not set" if not utc_s else f"{datetime.fromtimestamp(utc_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _library(hello: dict[str, Any]) -> str:
    if hello["library"] is None:
        return "lost; load it again"
    if hello["library_source"] == "document":
        return f"{hello['library']} (signed)"
    return "of the image, for the bench only"
