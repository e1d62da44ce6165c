"""Commands by which a pump comes into use and is looked after: `prime`, `refill`, `clock`; `bolus new` and `load`."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.link.commands import (
    STATUS,
    Address,
    By,
    MaybeAddress,
    Role,
    _logged_on,
    _print_json,
    _pump,
    _tell,
    _told_if_lost,
)
from cisterna.pharmacy.commands import bolus_app
from cisterna.pharmacy.options import AsJson, Force, Key, Module, Out, PassphraseFile

if TYPE_CHECKING:
    from cisterna.link.procedures import Refilled

app = typer.Typer()

CONFIRMATION = "disconnected"
_ML = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)


# --- before the therapy


@app.command(epilog=f"Example:  cisterna prime unix: --by meier --key meier.key --disconnected   {STATUS}")
def prime(
    by: By,
    key: Key,
    address: MaybeAddress = None,
    disconnected: Annotated[bool, typer.Option("--disconnected", help="I saw: the patient is not.")] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Fill the line before the patient is connected. START pressed at the pump begins it; waits until it is full."""
    from cisterna.cli import errors_as_lines, progress_bar

    with errors_as_lines():
        _need_disconnected(disconnected)
    with _pump(address) as pump:
        from cisterna.link import procedures

        with contextlib.ExitStack() as told:
            with _logged_on(pump, by, "clinician", key, passphrase_file, module):
                told.enter_context(_told_if_lost("it may still wait, up to 3 min: START fills the line"))
                filling = procedures.make_ready_to_fill(pump)
            shown = f'"FILL THE LINE" and "{filling.nl // 1000} uL"'
            _tell(f"at the pump: if its display shows {shown}, press START within 3 min")
            procedures.wait_filling(pump, filling)
        _tell(f"{pump.name}: the line fills; STOP at the pump ends it")
        with (
            _told_if_lost("the line may still fill"),
            progress_bar(f"line of {pump.name}") as progress,
        ):
            state = procedures.wait_filled(pump, filling, progress)
        if as_json:
            _print_json({"primed": True, "primed_nl": state["primed_nl"], "state": state["state"]})
        else:
            said = f"the line is full, {state['primed_nl'] / 1000:.3f} uL went in"
            print(f"{pump.name}: {said}; connect the patient, then START at the pump begins the therapy")


def _need_disconnected(is_said: bool) -> None:
    """The line is never filled into a patient: somebody has looked, and says so in a whole word."""
    from cisterna.errors import CisternaError

    if is_said:
        return
    if not sys.stdin.isatty():
        raise CisternaError("--disconnected is missing; allowed: when somebody saw that the patient is disconnected")
    try:
        typed = typer.prompt(f"Is the patient disconnected? Type: {CONFIRMATION}", err=True)
    except typer.Abort:
        typed = ""
    if typed.strip().lower() != CONFIRMATION:
        raise CisternaError(f'nothing was done: "{typed}" is not "{CONFIRMATION}"')


@app.command(
    epilog="Example:  cisterna refill unix: --ml 10 --drug morphine --concentration 500 --returned-ml 1.25 "
    f"--by meier --key meier.key   {STATUS}"
)
def refill(
    ml: Annotated[str, typer.Option(metavar="ML", help="What is in the new syringe; at most 3 decimals.")],
    drug: Annotated[str, typer.Option(help="What its label says.")],
    concentration: Annotated[int, typer.Option(metavar="UG_PER_ML", help="What its label says, ug/mL.")],
    by: By,
    key: Key,
    address: MaybeAddress = None,
    returned: Annotated[
        str | None, typer.Option("--returned-ml", metavar="ML", help="What the old one had left, if it was measured.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Tell a stopped pump of another syringe, and hear what it had counted on in the old one."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        fill_ul = ul_of_ml("--ml", ml)
        returned_ul = None if returned is None else ul_of_ml("--returned-ml", returned)
    with _pump(address) as pump, _logged_on(pump, by, "clinician", key, passphrase_file, module):
        from cisterna.link import procedures

        done = procedures.refill(pump, fill_ul, drug, concentration, returned_ul)
        if as_json:
            held = {"expected_nl": done.expected_nl, "returned_ul": returned_ul, "remaining_nl": done.remaining_nl}
            _print_json({**held, "needs_rx": done.state["needs_rx"], "alarms": done.state["alarms"]})
        else:
            print("\n".join(refill_lines(pump.name, done, returned_ul)))


def ul_of_ml(option: str, text: str) -> int:
    """A volume in mL, written with at most three decimals, in whole uL: nothing is rounded. CisternaError."""
    from cisterna.errors import CisternaError

    match = _ML.fullmatch(text)
    if match is None:
        raise CisternaError(f'{option} held "{text}"; allowed: mL with at most 3 decimals, as 9.75')
    whole, decimals = match.groups(default="")
    return int(whole + decimals.ljust(3, "0"))


def refill_lines(name: str, done: Refilled, returned_ul: int | None) -> list[str]:
    """What a person has to know after a refill."""
    returned = "not measured" if returned_ul is None else f"{returned_ul / 1000:.3f} mL came back"
    lines = [
        f"{name}: {done.remaining_nl / 1e6:.3f} mL are in it now",
        f"{'old syringe':<27} {done.expected_nl / 1e6:.3f} mL expected, {returned}",
    ]
    if "refill" in done.state["alarms"]:
        lines.append(f"{'alarm':<27} refill: what came back is off by more than 1 mL and 5 %; find out why")
    if done.state["needs_rx"]:
        lines.append(f"{'now':<27} a new prescription is needed (`cisterna rx load`)")
    return lines


@app.command(epilog=f"Example:  cisterna clock unix: --by meier --key meier.key   {STATUS}")
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
    """Set a pump's wall clock, which is for display and records only: no lockout and no limit hears of it."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        asked_s = None if utc is None else unix_s_of("--utc", utc)
    with _pump(address) as pump, _logged_on(pump, by, role, key, passphrase_file, module):
        import time

        from cisterna.link import procedures

        before_s, after_s = procedures.set_clock(pump, lambda: round(time.time()) if asked_s is None else asked_s)
        if as_json:
            _print_json({"before_utc_s": before_s or None, "utc_s": after_s})
        else:
            moved = f"moved by {after_s - before_s:+d} s" if before_s else "set"
            print(f"{pump.name}: the clock showed {_moment(before_s)}, shows {_moment(after_s)}; {moved}")


def unix_s_of(option: str, text: str) -> int:
    """A moment as ISO 8601 with date and time, UTC where no zone is said, in whole s since 1970. CisternaError."""
    from datetime import UTC, datetime

    from cisterna.errors import CisternaError

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or not re.search(r"[T ]\d", text):  # a date alone would be midnight, which nobody said
        raise CisternaError(f'{option} held "{text}"; allowed: date and time, as 2026-11-27T15:00:00Z')
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _moment(utc_s: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(utc_s, UTC):%Y-%m-%d %H:%M:%S} UTC" if utc_s else "nothing"


# --- a clinician's bolus


@bolus_app.command("new", epilog=f"Example:  cisterna bolus new unix: --ug 20 --over-s 600 --out x.order   {STATUS}")
def bolus_new(
    ug: Annotated[int, typer.Option("--ug", metavar="UG", help="Of the drug that is prescribed.")],
    over_s: Annotated[int, typer.Option("--over-s", metavar="S", help="The time that it takes.")],
    out: Out,
    address: MaybeAddress = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an order for a pump under the prescription in force there. Nobody has signed it yet, nothing is loaded."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import documents, files, order_files

        files.check_new(out, replace=force)
    with _pump(address) as pump:
        import json

        from cisterna.link import procedures

        text = documents.clinician_bolus(**procedures.addressed(pump), ug=ug, over_s=over_s)
        order = order_files.new(text)
        said = json.dumps(order_files.summary(order), indent=2) if as_json else "\n".join(order_files.lines(order))
        files.write(out, order.model_dump(), replace=force)
        print(said if as_json else f"{said}\nwritten  {out}")


@bolus_app.command(
    "load",
    epilog=f"Example:  cisterna bolus load unix: x.order --by meier --key meier.key   {STATUS} "
    "An order that was loaded is used up, given or not.",
)
def bolus_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.order", help="The order, signed by the prescriber.")],
    by: By,
    key: Key,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Load an order, and wait until START was pressed at the pump and the bolus runs."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, order_files

        order = files.read(order_files.OrderFile, file)
        call, ordered = order.call(), order_files.values(order)
    with _pump(address) as pump, contextlib.ExitStack() as told:
        from cisterna.link import procedures

        with _logged_on(pump, by, "clinician", key, passphrase_file, module):
            waits = f"the order may still wait, up to {procedures.ORDER_S} s: START gives the bolus"
            told.enter_context(_told_if_lost(waits))
            first = procedures.load_order(pump, call)
        shown = f'"CLINICIAN BOLUS" and "{ordered["ug"]} mcg"'
        _tell(f"at the pump: if its display shows {shown}, press START within {procedures.ORDER_S} s")
        started = procedures.wait_given(pump, first)
        if as_json:
            _print_json({name: started[name] for name in ("mass_ng", "nl", "duration_ms")})
        else:
            given = f"{started['mass_ng'] / 1000:g} ug, {started['nl'] / 1000:.3f} uL"
            print(f"{pump.name}: the bolus runs: {given} in {started['duration_ms'] / 1000:g} s")
