"""Commands of a clinician beside the pump: `prime`, `refill`, `clock`."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.commands.options import LINK_STATUS, AsJson, By, Key, MaybeAddress, Module, PassphraseFile, Role
from cisterna.commands.session import logged_on, open_pump, warning_if_lost
from cisterna.console import errors_as_lines, print_json, print_lines, progress_bar, tell
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.link.workflows import Refilled

app = typer.Typer()

CONFIRMATION = "disconnected"  # typed in full before the line is filled
_ML = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)


@app.command(epilog=f"Example:  cisterna prime unix: --by meier --key meier.key --disconnected   {LINK_STATUS}")
def prime(
    by: By,
    key: Key,
    address: MaybeAddress = None,
    disconnected: Annotated[
        bool, typer.Option("--disconnected", help="You have checked that the patient is disconnected.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Fill the line before the patient is connected. START pressed at the pump begins; waits until the line is full."""
    with errors_as_lines():
        _check_disconnected(disconnected)
    with open_pump(address) as pump:
        from cisterna.link import workflows

        minutes = workflows.PRIMING_S // 60
        with contextlib.ExitStack() as waiting:
            with logged_on(pump, by, "clinician", key, passphrase_file, module):
                waiting.enter_context(warning_if_lost(f"it may still wait, up to {minutes} min: START fills the line"))
                filling = workflows.make_ready_to_fill(pump)
            display = f'"FILL THE LINE" and "{filling.nl // 1000} uL"'
            tell(f"at the pump: if its display shows {display}, press START within {minutes} min")
            workflows.wait_filling(pump, filling)
        tell(f"{pump.name}: the line fills; STOP at the pump ends it")
        with warning_if_lost("the line may still fill"), progress_bar(f"line of {pump.name}") as progress:
            state = workflows.wait_filled(pump, filling, progress)
        if as_json:
            print_json({"primed": True, "primed_nl": state["primed_nl"], "state": state["state"]})
        else:
            result = f"the line is full, {state['primed_nl'] / 1000:.3f} uL went in"
            print(f"{pump.name}: {result}; connect the patient, then START at the pump begins the therapy")


def _check_disconnected(option: bool) -> None:
    """Raises CisternaError unless the user states, by option or by a typed word, that the patient is disconnected."""
    if option:
        return
    if not sys.stdin.isatty():
        raise CisternaError(
            "--disconnected is missing; allowed: once you have checked that the patient is disconnected"
        )
    try:
        typed = typer.prompt(f"Is the patient disconnected? Type: {CONFIRMATION}", err=True)
    except typer.Abort:
        typed = ""
    if typed.strip().lower() != CONFIRMATION:
        raise CisternaError(f'nothing was done: "{typed}" is not "{CONFIRMATION}"')


@app.command(
    epilog="Example:  cisterna refill unix: --ml 10 --drug morphine --concentration 500 --syringe bd-10 "
    f"--returned-ml 1.25 --by meier --key meier.key   {LINK_STATUS}"
)
def refill(
    ml: Annotated[str, typer.Option(metavar="ML", help="Volume in the new syringe, mL; at most 3 decimals.")],
    drug: Annotated[str, typer.Option(help="Drug on the label of the new syringe.")],
    concentration: Annotated[int, typer.Option(metavar="UG_PER_ML", help="Concentration on the label, ug/mL.")],
    syringe: Annotated[str, typer.Option(help="The syringe itself: bd-5, bd-10, bd-20, bd-30 or bd-50.")],
    by: By,
    key: Key,
    address: MaybeAddress = None,
    returned: Annotated[
        str | None,
        typer.Option("--returned-ml", metavar="ML", help="Volume left in the old syringe, mL, if it was measured."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Name the syringe in the holder of a stopped pump; prints the volume that was expected in the old one."""
    with errors_as_lines():
        fill_ul = ul_of_ml("--ml", ml)
        returned_ul = None if returned is None else ul_of_ml("--returned-ml", returned)
    with open_pump(address) as pump, logged_on(pump, by, "clinician", key, passphrase_file, module):
        from cisterna.link import workflows

        refilled = workflows.refill(pump, fill_ul, drug, concentration, syringe, returned_ul)
        if as_json:
            print_json(
                {
                    "expected_nl": refilled.expected_nl,
                    "returned_ul": returned_ul,
                    "remaining_nl": refilled.remaining_nl,
                    "needs_rx": refilled.state["needs_rx"],
                    "alarms": refilled.state["alarms"],
                }
            )
        else:
            print_lines(refill_lines(pump.name, refilled, returned_ul))


def ul_of_ml(option: str, text: str) -> int:
    """A volume in mL, with at most 3 decimals, as integer uL without rounding. Raises CisternaError."""
    match = _ML.fullmatch(text)
    if match is None:
        raise CisternaError(f'{option} held "{text}"; allowed: mL with at most 3 decimals, as 9.75')
    whole, decimals = match.groups(default="")
    return int(whole + decimals.ljust(3, "0"))


def refill_lines(name: str, refilled: Refilled, returned_ul: int | None) -> list[str]:
    """The result of a refill: volumes, the refill alarm, and whether a new prescription is needed."""
    returned = "not measured" if returned_ul is None else f"{returned_ul / 1000:.3f} mL came back"
    lines = [
        f"{name}: {refilled.remaining_nl / 1e6:.3f} mL are in it now",
        f"{'old syringe':<27} {refilled.expected_nl / 1e6:.3f} mL expected, {returned}",
    ]
    if "refill" in refilled.state["alarms"]:
        lines.append(f"{'alarm':<27} refill: what came back is off by more than 0.1 mL and 5 %; find out why")
        lines.append(f"{'now':<27} ACK at the pump, then START")
    if refilled.state["needs_rx"]:
        lines.append(f"{'now':<27} a new prescription is needed (`cisterna rx load`)")
    return lines


@app.command(epilog=f"Example:  cisterna clock unix: --by meier --key meier.key   {LINK_STATUS}")
def clock(
    by: By,
    key: Key,
    address: MaybeAddress = None,
    role: Role = "clinician",
    utc: Annotated[
        str | None, typer.Option(metavar="ISO", help="As 2026-11-27T15:00:00Z; this computer's time if left out.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Set the wall clock of a pump. It is for display and records only; no lockout or limit depends on it."""
    with errors_as_lines():
        utc_s = None if utc is None else unix_s_of("--utc", utc)
    with open_pump(address) as pump, logged_on(pump, by, role, key, passphrase_file, module):
        import time

        from cisterna.link import workflows

        before_s, after_s = workflows.set_clock(pump, lambda: round(time.time()) if utc_s is None else utc_s)
        if as_json:
            print_json({"before_utc_s": before_s or None, "utc_s": after_s})
        else:
            change = f"moved by {after_s - before_s:+d} s" if before_s else "set"
            print(f"{pump.name}: the clock showed {_utc_text(before_s)}, shows {_utc_text(after_s)}; {change}")


def unix_s_of(option: str, text: str) -> int:
    """An ISO 8601 date and time (UTC if it has no zone) as integer s since 1970. Raises CisternaError."""
    from datetime import UTC, datetime

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or not re.search(r"[T ]\d", text):  # fromisoformat takes a date alone as midnight
        raise CisternaError(f'{option} held "{text}"; allowed: date and time, as 2026-11-27T15:00:00Z')
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _utc_text(utc_s: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(utc_s, UTC):%Y-%m-%d %H:%M:%S} UTC" if utc_s else "nothing"
