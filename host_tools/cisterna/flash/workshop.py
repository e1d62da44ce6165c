"""`cisterna factory` and `cisterna doctor`: is this board, and is this computer, as it should be?"""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

FAILED = 1
PIPE_WIDTH = 150


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Example:  cisterna factory /dev/ttyUSB0 --image pump.uf2 --authority authority.pub.pem --out 0042.md   "
        "Exit status: 0 every line passed, 1 one failed, 2 no pump there, 70 the pump stopped answering."
    )(factory)
    app.command(
        epilog="Example:  cisterna doctor   "
        "Exit status: 0 what `make run` and `make test` need is there, 1 something of it is missing."
    )(doctor)


def factory(
    address: Annotated[str | None, typer.Argument(help="The pump: a port, or as of `cisterna status`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report to this .json or .md file.")] = None,
    image: Annotated[Path | None, typer.Option(help="The .uf2 that it should have, its .image beside it.")] = None,
    authority: Annotated[str | None, typer.Option(help="Whose pump it should be: a public PEM.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the report.")] = False,
) -> None:
    """Test a finished pump over its link, and write the report that goes with it. It changes nothing on the pump."""
    from cisterna.cli import errors_as_lines, progress_bar

    with errors_as_lines():
        from cisterna.errors import OutputError
        from cisterna.flash import factory as test
        from cisterna.image import sign
        from cisterna.link import addresses
        from cisterna.pharmacy import signers

        if out is not None and (out.suffix not in (".json", ".md") or not out.parent.is_dir()):
            raise OutputError(f"--out held {out}; allowed: a .json or .md file in a folder that exists")
        signed = None
        if image is not None:
            signed = sign.read(image.with_suffix(".image"))
            sign.check_file(image, signed)
        modulus_hex = signers.public(authority) if authority else None
        if signed and modulus_hex:
            sign.check_signature(signed, modulus_hex)
        with contextlib.closing(addresses.open_pump(address)) as pump, progress_bar("asking") as progress:
            report = test.examine(pump, address or pump.transport.name, signed, modulus_hex, progress)
        if out is not None:
            test.write(report, out)
        _show(report, as_json)
    if not report.passed:
        raise typer.Exit(FAILED)


def _show(report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_object(), indent=2))
        return
    table = _table("", "check", "held", "wanted")
    for check in report.checks:
        table.add_row("passed" if check.passed else "FAILED", check.check, str(check.held), check.wanted)
    print(f"{report.address}: serial {report.serial or 'none'}, build {report.build}, {report.when}")
    _console().print(table)
    print("passed" if report.passed else "FAILED")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a thing.")] = False) -> None:
    """Say what of all that Cisterna can use is on this computer, and what to do about what is not."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.flash import doctor as looks

        lines = looks.look()
        if as_json:
            print(json.dumps([asdict(line) for line in lines], indent=2))
        else:
            table = _table("", "what", "found", "what to do")
            for line in lines:
                state = line.state.upper() if line.needed and line.state != looks.OK else line.state
                table.add_row(state, line.what, line.found, line.do)
            _console().print(table)
    if not looks.is_well(lines):
        raise typer.Exit(FAILED)


def _table(*columns: str):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console():
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
