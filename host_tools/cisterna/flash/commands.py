"""`cisterna flash`: a new image onto a pump, or onto a board that has none yet."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cisterna.flash.flashing import Desk
    from cisterna.flash.journal import Flashing, Journal

CHECK_FAILED = 1
UNCHECKED = "unchecked"
SAID = {
    "check": "asking the pump",
    "enter": "sending the pump into its boot loader",
    "await drive": "waiting for the board's drive",
    "copy": "copying the image",
    "await pump": "waiting for the pump",
    "verify": "checking the pump",
}


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Example:  cisterna flash /dev/ttyUSB0 --by verdi --key verdi.pem   "
        "Exit status: 0 flashed and checked, 1 flashed and a check failed, 2 refused and nothing changed, "
        "70 stopped half way: run it again."
    )(flash)


def flash(
    address: Annotated[str | None, typer.Argument(help="The pump: a port, or as of `cisterna status`.")] = None,
    image: Annotated[Path | None, typer.Option(help="A .uf2; else the therapy image of `make image`.")] = None,
    signature: Annotated[Path | None, typer.Option(help="Of `image sign`; else beside the image, as .image.")] = None,
    by: Annotated[str | None, typer.Option(help="Who flashes: a person whom the pump knows as service.")] = None,
    key: Annotated[
        str | None, typer.Option(help="That person's key: a PEM file, pkcs11:..., or bench:service.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="The authority's public PEM: checks the image here, too, not only in the pump.")
    ] = None,
    drive: Annotated[Path | None, typer.Option(help="Where the board's drive appears; else it is looked for.")] = None,
    new: Annotated[
        bool, typer.Option("--new", help="A board that waits in its boot loader and is no pump yet.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the record.")] = False,
    passphrase_file: Annotated[Path | None, typer.Option(help="Holds the passphrase or PIN; else it is asked.")] = None,
    module: Annotated[str | None, typer.Option(help="The token's PKCS#11 library.")] = None,
) -> None:
    """Put a signed image onto a pump over its cables: no button, no open housing, nothing that it keeps is lost.

    The pump must be stopped, without a prescription that START would resume. Whatever interrupts it, run the same
    command again: a board with half an image starts nothing and waits for the whole one.
    """
    from cisterna.cli import errors_as_lines, progress_bar

    with errors_as_lines(), contextlib.ExitStack() as stack:
        from cisterna.errors import CisternaError
        from cisterna.flash import flashing
        from cisterna.flash.journal import Journal
        from cisterna.pharmacy import passphrase, signers

        desk = _desk(image, signature, drive, Journal())
        desk.address = None if new else address or _only_address(desk.journal)
        if desk.address is not None:
            desk.connect = _connector(desk.address)
        if authority is not None:
            desk.authority = signers.public(authority)
        if (by is None) != (key is None):
            raise CisternaError("--by and --key go together: who flashes, and the key that shows it")
        desk.by = by
        if key is not None:
            secret = passphrase.source(passphrase_file)
            desk.signer = stack.enter_context(signers.opened(key, secret, module))
        if new and authority is None:
            typer.echo("nobody has checked who signed this image: name its authority with --authority", err=True)
        if not yes:
            _confirm(desk, typed=UNCHECKED if new and authority is None else None)
        try:
            with progress_bar("") as progress:
                if progress:
                    desk.stage = lambda name: progress(0.0, SAID[name])
                    desk.progress = progress
                done, record = flashing.flash(desk, new)
        except KeyboardInterrupt:
            raise flashing.FlashBroken("interrupted; run the same command again: it goes on where it can") from None
        _show(done, record, as_json)
    if not done.passed:
        raise typer.Exit(CHECK_FAILED)


def _desk(image: Path | None, signature: Path | None, drive: Path | None, journal: Journal) -> Desk:
    """With the image read and checked, and its signature if there is one."""
    from cisterna import paths
    from cisterna.flash import boards, drives, uf2
    from cisterna.flash.flashing import Desk
    from cisterna.image import layout, sign
    from cisterna.image.places import of_checkout

    path = image or of_checkout().product("therapy", "uf2")
    read = uf2.read(path, layout.read(paths.firmware())[0].bytes)
    beside = path.with_suffix(".image")
    signed = sign.read(signature or beside) if signature or beside.is_file() else None

    def waiting() -> list[Path]:
        return boards.in_boot_loader() if drive is None else [drive] if drives.is_boot_drive(drive) else []

    desk = Desk(read, signed, journal, waiting)
    if signed:
        sign.check_facts(path, desk.facts, signed)
    return desk


def _only_address(journal: Journal) -> str:
    """Of the flashing that was begun, or of the one pump there is."""
    from cisterna.flash import boards

    begun = [one.address for one in journal.unfinished() if one.address]
    return begun[0] if len(begun) == 1 else boards.only_pump()


def _connector(address: str):
    from cisterna.link import addresses

    return lambda: addresses.open_pump(address)


def _confirm(desk: Desk, typed: str | None) -> None:
    """The person at the terminal says yes to what is about to happen; without a terminal --yes is needed.

    typed: the word that is wanted where a mere yes will not do.
    """
    from cisterna.errors import CisternaError

    what = f"build {desk.facts['build']} ({desk.facts['variant']})"
    where = f"the pump at {desk.address}" if desk.address else "the board in its boot loader"
    if not sys.stdin.isatty():
        raise CisternaError(f"{what} onto {where}: nobody to ask; say --yes")
    asked = f"Put {what} onto {where}?"
    try:
        said = typer.prompt(f"{asked} Type: {typed}", err=True) == typed if typed else typer.confirm(asked, err=True)
    except typer.Abort:
        said = False
    if not said:
        raise CisternaError("nothing was done")


def _show(done: Flashing, record: Path, as_json: bool) -> None:
    if as_json:
        print(record.read_text(encoding="utf-8"), end="")
        return
    before = done.before.get("build") or "no image known"
    print(f"{done.address or 'a new board'}, serial {done.serial or 'none'}: {before} -> {done.image['build']}")
    for check in done.checks:
        mark = "passed" if check["passed"] else "FAILED"
        print(f"  {mark}  {check['check']}: {json.dumps(check['held'])}", end="")
        print("" if check["passed"] else f"; wanted: {check['wanted']}")
    print(f"record  {record}")
