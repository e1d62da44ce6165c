"""`cisterna flash`: write a signed image to a pump, or to a board that has none yet."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.console import errors_as_lines, progress_bar, tell
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.flash.flash_context import FlashContext
    from cisterna.flash.journal import FlashRun, Journal

app = typer.Typer()

CHECK_FAILED = 1  # exit status
UNCHECKED = "unchecked"  # typed to flash an image whose signature nothing has checked
STAGE_TITLES = {
    "check": "asking the pump",
    "enter": "sending the pump into its boot loader",
    "await drive": "waiting for the board's drive",
    "copy": "copying the image",
    "await pump": "waiting for the pump",
    "verify": "checking the pump",
}


@app.command(
    epilog="Example:  cisterna flash /dev/ttyUSB0 --by verdi --key verdi.pem   "
    "Exit status: 0 flashed and checked, 1 flashed and a check failed, 2 refused and nothing changed, "
    "70 interrupted: run it again."
)
def flash(
    address: Annotated[
        str | None, typer.Argument(help="The pump: a port, or an address as of `cisterna status`.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="A .uf2 file; if left out, the therapy image of `make image`.")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(help="The file of `image sign`; if left out, the .image file beside the image.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Your name in the people document; your role is service.")] = None,
    key: Annotated[str | None, typer.Option(help="Your private key: a PEM file, pkcs11:..., or bench:service.")] = None,
    authority: Annotated[
        str | None,
        typer.Option(help="The authority's public key (PEM), to check the image here, before the pump does."),
    ] = None,
    drive: Annotated[
        Path | None, typer.Option(help="The folder of the board's drive; if left out, it is searched for.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Flash a board in its boot loader that is not a pump yet.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the record, as one JSON object.")] = False,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Read the passphrase or PIN from this file; else ask.")
    ] = None,
    module: Annotated[str | None, typer.Option(help="The token's PKCS#11 library.")] = None,
) -> None:
    """Write a signed image to a pump over its cables, with the housing closed. Keeps all stored data.

    The pump must be stopped, without a prescription that START would resume. After any interruption, run the same
    command again: a board with part of an image runs nothing and waits for the whole image.
    """
    with errors_as_lines(), contextlib.ExitStack() as stack:
        from cisterna.flash import flashing
        from cisterna.flash.journal import Journal
        from cisterna.pharmacy import passphrase, signers

        context = _context(image, signature, drive, Journal())
        context.address = None if new else address or _only_address(context.journal)
        if context.address is not None:
            context.connect = _connector(context.address)
        if authority is not None:
            context.authority = signers.public_modulus(authority)
        if (by is None) != (key is None):
            raise CisternaError("--by and --key go together: your name and your key")
        context.by = by
        if key is not None:
            secret = passphrase.source(passphrase_file)
            context.signer = stack.enter_context(signers.opened(key, secret, module))
        if new and authority is None:
            tell("the signature of this image is not checked: name its authority with --authority")
        if not yes:
            _confirm(context, typed=UNCHECKED if new and authority is None else None)
        try:
            with progress_bar("") as progress:
                if progress:
                    context.stage = lambda name: progress(0.0, STAGE_TITLES[name])
                    context.progress = progress
                run, record = flashing.flash(context, new)
        except KeyboardInterrupt:
            raise flashing.FlashBroken("interrupted; run the same command again to continue") from None
        _print(run, record, as_json)
    if not run.passed:
        raise typer.Exit(CHECK_FAILED)


def _context(image: Path | None, signature: Path | None, drive: Path | None, journal: Journal) -> FlashContext:
    """The state of a flashing, with the image read and its signature, if there is one, checked against it."""
    from cisterna.flash import boards, drives, uf2
    from cisterna.flash.flash_context import FlashContext
    from cisterna.image import image_files
    from cisterna.image.places import of_checkout

    path = image or of_checkout().product("therapy", "uf2")
    read = uf2.read_for_pump(path)
    beside = path.with_suffix(".image")
    signed = image_files.read(signature or beside) if signature or beside.is_file() else None

    def waiting() -> list[Path]:
        return boards.in_boot_loader() if drive is None else [drive] if drives.is_boot_drive(drive) else []

    context = FlashContext(read, signed, journal, waiting)
    if signed:
        image_files.check_facts(path, context.facts, signed)
    return context


def _only_address(journal: Journal) -> str:
    """The address of the one unfinished flashing, else of the only pump."""
    from cisterna.flash import boards

    unfinished = [flashing.address for flashing in journal.unfinished() if flashing.address]
    return unfinished[0] if len(unfinished) == 1 else boards.only_pump()


def _connector(address: str):
    from cisterna.link import addresses

    return lambda: addresses.open_pump(address)


def _confirm(context: FlashContext, typed: str | None) -> None:
    """Ask whether to flash. Raises CisternaError on no, and without a terminal (then --yes is needed).

    typed: the word that the user has to type; None: yes or no.
    """
    what = f"build {context.facts['build']} ({context.facts['variant']})"
    where = f"the pump at {context.address}" if context.address else "the board in its boot loader"
    if not sys.stdin.isatty():
        raise CisternaError(f"{what} onto {where}: no terminal to confirm on; say --yes")
    question = f"Put {what} onto {where}?"
    try:
        if typed:
            confirmed = typer.prompt(f"{question} Type: {typed}", err=True) == typed
        else:
            confirmed = typer.confirm(question, err=True)
    except typer.Abort:
        confirmed = False
    if not confirmed:
        raise CisternaError("nothing was done")


def _print(run: FlashRun, record: Path, as_json: bool) -> None:
    if as_json:
        print(record.read_text(encoding="utf-8"), end="")
        return
    before = run.before.get("build") or "no image known"
    print(f"{run.address or 'a new board'}, serial {run.serial or 'none'}: {before} -> {run.image['build']}")
    for check in run.checks:
        mark = "passed" if check["passed"] else "FAILED"
        print(f"  {mark}  {check['check']}: {json.dumps(check['held'])}", end="")
        print("" if check["passed"] else f"; wanted: {check['wanted']}")
    print(f"record  {record}")
