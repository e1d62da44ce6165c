"""`cisterna provision`: a new pump gets its serial number, its authority, its people and its drug library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.commands.options import LINK_STATUS, Address, Authority
from cisterna.commands.session import load_document, open_pump
from cisterna.console import errors_as_lines, tell
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.link.pump_client import PumpClient
    from cisterna.pharmacy.signed_files import SignedFile

app = typer.Typer()


@app.command(
    epilog="Example:  cisterna provision unix: --serial CB-0001 --authority clinic.pem --people ward.people "
    f"--library ward.library   {LINK_STATUS}"
)
def provision(
    address: Address,
    serial: Annotated[str, typer.Option(help="The pump's serial number, 1 to 20 characters; permanent.")],
    authority: Authority,
    people: Annotated[Path, typer.Option(metavar="X.people", help="The people document, signed by the authority.")],
    library: Annotated[Path, typer.Option(metavar="X.library", help="The drug library, signed by the authority.")],
    bench: Annotated[
        bool, typer.Option("--bench", help="Make it a bench pump, which also accepts test fluid.")
    ] = False,
) -> None:
    """Give a new pump its serial number, authority, people and drug library. START held at the pump confirms.

    Safe to repeat: what the pump has already is skipped.
    """
    with errors_as_lines():
        from cisterna.pharmacy import keys, signed_files, signers
        from cisterna.pharmacy import provision as provisioning

        modulus = signers.public_modulus(authority)
        documents = {
            "library": signed_files.read_signed(library, "library"),
            "people": signed_files.read_signed(people, "people"),
        }
        for signed in documents.values():
            signed.check(modulus)
        block = provisioning.block_text(serial, modulus, bench=bench)
    with open_pump(address) as pump:
        from cisterna.link import workflows

        is_new = workflows.provision(pump, serial, block, keys.fingerprint(modulus), tell)
        print(f"{serial}: {'provisioned' if is_new else 'is provisioned already'}", flush=True)
        for kind, signed in documents.items():  # people last: once they are loaded, loading needs a log-on
            _check_loadable(pump, kind, signed)
            print(load_document(pump, kind, signed), flush=True)


def _check_loadable(pump: PumpClient, kind: str, signed: SignedFile) -> None:
    """Raises CisternaError if the document is new to the pump and the pump has people: then loading needs a log-on."""
    from cisterna.link import workflows

    hello, number = pump.ask("hello"), workflows.document_number(signed.document)
    if hello["people"] is not None and hello[kind] != number:
        raise CisternaError(
            f"--{kind} held number {number}; {pump.name} has {hello[kind]}, and people, so that a log-on is needed: "
            f"`cisterna {kind} load`"
        )
