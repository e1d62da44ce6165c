"""`cisterna bolus`: an order for a clinician's bolus is written, signed, shown and loaded."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from cisterna.commands.options import (
    LINK_STATUS,
    WRITE_STATUS,
    Address,
    AsJson,
    By,
    Force,
    Key,
    MaybeAddress,
    Module,
    Out,
    PassphraseFile,
    signer,
)
from cisterna.commands.session import logged_on, open_pump, warning_if_lost
from cisterna.commands.signing import ask_to_type
from cisterna.console import errors_as_lines, print_json, print_lines, tell
from cisterna.errors import CisternaError

app = typer.Typer(no_args_is_help=True, help="Write, sign, show and load the order for a clinician's bolus.")

OrderPath = Annotated[Path, typer.Argument(metavar="X.order", help="The order file.")]


@app.command("new", epilog=f"Example:  cisterna bolus new unix: --ug 20 --over-s 600 --out x.order   {LINK_STATUS}")
def new(
    ug: Annotated[int, typer.Option("--ug", metavar="UG", help="Mass of the prescribed drug, ug.")],
    over_s: Annotated[int, typer.Option("--over-s", metavar="S", help="Duration of the bolus, s.")],
    out: Out,
    address: MaybeAddress = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an unsigned order under the prescription in force at a pump. Loads nothing."""
    with errors_as_lines():
        from cisterna.pharmacy import documents, order_files, signed_files

        signed_files.check_new(out, replace=force)
    with open_pump(address) as pump:
        from cisterna.link import workflows

        text = documents.clinician_bolus(**workflows.order_header(pump), ug=ug, over_s=over_s)
        order = order_files.new(text)
        summary, lines = order_files.summary(order), list(order_files.lines(order))
        signed_files.write(out, order.model_dump(), replace=force)
        if as_json:
            print_json(summary)
        else:
            print_lines([*lines, f"written  {out}"])


@app.command("sign", epilog=f"Example:  cisterna bolus sign x.order --by rossi --key rossi.key   {WRITE_STATUS}")
def sign(
    file: OrderPath,
    name: Annotated[str, typer.Option("--by", metavar="NAME", help="The prescriber's name in the people document.")],
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the dose.")] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Show the whole order, ask for its dose, and sign. The drug is that of the prescription that the order names."""
    with errors_as_lines():
        from cisterna.pharmacy import order_files, signed_files

        order = signed_files.read(order_files.OrderFile, file)
        order_files.check_signer(order, name)
        print_lines(order_files.lines(order))
        if not yes:
            ask_to_type("the dose in ug", str(order_files.values(order)["ug"]))
        with signer(key, passphrase_file, module) as own:
            signed = order_files.add_signature(order, name, own)
        if signed_files.read(order_files.OrderFile, file) != order:  # another signature was added during the prompt
            raise CisternaError(f"{file}: was changed meanwhile, nothing was signed; sign it again")
        if signed != order:
            signed_files.write(file, signed.model_dump(), replace=True)
        print(f"signed by {name}  {file}")


@app.command("show", epilog="Example:  cisterna bolus show x.order --json   Exit status: 0 shown, 2 no such order.")
def show(file: OrderPath, as_json: AsJson = False) -> None:
    """Show an order and its signer. Checks no signature; the pump does."""
    with errors_as_lines():
        from cisterna.pharmacy import order_files, signed_files

        order = signed_files.read(order_files.OrderFile, file)
        if as_json:
            print_json(order_files.summary(order))
        else:
            print_lines(order_files.lines(order))


@app.command(
    "load",
    epilog=f"Example:  cisterna bolus load unix: x.order --by meier --key meier.key   {LINK_STATUS} "
    "A loaded order is used up, whether the bolus is given or not.",
)
def load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.order", help="The order file, signed by the prescriber.")],
    by: By,
    key: Key,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Load an order and wait until START is pressed at the pump and the bolus runs."""
    with errors_as_lines():
        from cisterna.pharmacy import order_files, signed_files

        order = signed_files.read(order_files.OrderFile, file)
        call, ordered = order.params(), order_files.values(order)
    with open_pump(address) as pump, contextlib.ExitStack() as waiting:
        from cisterna.link import workflows

        with logged_on(pump, by, "clinician", key, passphrase_file, module):
            effect = f"the order may still wait, up to {workflows.ORDER_S} s: START gives the bolus"
            waiting.enter_context(warning_if_lost(effect))
            first = workflows.load_order(pump, call)
        display = f'"CLINICIAN BOLUS" and "{ordered["ug"]} mcg"'
        tell(f"at the pump: if its display shows {display}, press START within {workflows.ORDER_S} s")
        started = workflows.wait_given(pump, first)
        if as_json:
            print_json({name: started[name] for name in ("mass_ng", "nl", "duration_ms")})
        else:
            given = f"{started['mass_ng'] / 1000:g} ug, {started['nl'] / 1000:.3f} uL"
            print(f"{pump.name}: the bolus runs: {given} in {started['duration_ms'] / 1000:g} s")
