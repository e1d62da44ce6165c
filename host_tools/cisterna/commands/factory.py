"""`cisterna factory`: test a finished pump over its link and write the report that is delivered with it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.console import (
    WIDE_PIPE_WIDTH,
    errors_as_lines,
    plain_table,
    print_json,
    progress_bar,
    stdout_console,
)
from cisterna.errors import OutputError

if TYPE_CHECKING:
    from cisterna.flash.factory import Report

app = typer.Typer()

CHECK_FAILED = 1  # exit status


@app.command(
    epilog="Example:  cisterna factory /dev/ttyUSB0 --image pump.uf2 --authority authority.pub.pem --out 0042.md   "
    "Exit status: 0 every check passed, 1 one failed, 2 no pump there, 70 the pump stopped answering."
)
def factory(
    address: Annotated[
        str | None, typer.Argument(help="The pump: a port, or an address as of `cisterna status`.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report to this .json or .md file.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="The .uf2 file that the pump should run; its .image file is beside it.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="The public key (PEM) of the authority that the pump should obey.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the report, as one JSON object.")] = False,
) -> None:
    """Test a finished pump over its link and write its report. Changes nothing on the pump."""
    with errors_as_lines():
        from cisterna.flash import factory as factory_test
        from cisterna.image import image_files
        from cisterna.link import addresses
        from cisterna.pharmacy import signers

        if out is not None and (out.suffix not in (".json", ".md") or not out.parent.is_dir()):
            raise OutputError(f"--out held {out}; allowed: a .json or .md file in a folder that exists")
        signed = None
        if image is not None:
            signed = image_files.read(image.with_suffix(".image"))
            image_files.check_file(image, signed)
        modulus_hex = signers.public_modulus(authority) if authority else None
        if signed and modulus_hex:
            image_files.check_signature(signed, modulus_hex)
        with contextlib.closing(addresses.open_pump(address)) as pump, progress_bar("asking") as progress:
            report = factory_test.examine(pump, address or pump.transport.name, signed, modulus_hex, progress)
        if out is not None:
            factory_test.write(report, out)
        _print(report, as_json)
    if not report.passed:
        raise typer.Exit(CHECK_FAILED)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.as_object())
        return
    table = plain_table("", "check", "held", "wanted")
    for check in report.checks:
        table.add_row("passed" if check.passed else "FAILED", check.check, str(check.held), check.wanted)
    print(f"{report.address}: serial {report.serial or 'none'}, build {report.build}, {report.when}")
    stdout_console(WIDE_PIPE_WIDTH, highlight=False).print(table)
    print("passed" if report.passed else "FAILED")
