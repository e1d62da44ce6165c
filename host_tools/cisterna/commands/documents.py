"""`cisterna people` and `cisterna library`: the clinic's two documents are made, shown and loaded onto a pump."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cisterna.commands.options import (
    LINK_STATUS,
    WRITE_STATUS,
    Address,
    AsJson,
    Force,
    Key,
    MaybeBy,
    MaybeKey,
    Module,
    Out,
    PassphraseFile,
    signer,
)
from cisterna.commands.session import load_document, logged_on, open_pump
from cisterna.console import errors_as_lines, print_json, print_lines
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.pharmacy.signed_files import Kind, SignedFile

people_app = typer.Typer(no_args_is_help=True, help="Make, show and load the people document: persons and their roles.")
library_app = typer.Typer(no_args_is_help=True, help="Make, show and load the drug library: what may be prescribed.")

SHOW_STATUS = "Exit status: 0 shown, 2 no such document or not signed by this authority."

Number = Annotated[int, typer.Option(help="Higher than that of any earlier one: a pump refuses a lower number.")]
MaybeAuthority = Annotated[
    str | None, typer.Option("--authority", metavar="KEY", help="Check the signature with this public key.")
]


@people_app.command(
    "make",
    epilog="Example:  cisterna people make clinic.toml --number 3 --key clinic.key --out c.people   " + WRITE_STATUS,
)
def people_make(
    source: Annotated[
        Path, typer.Argument(metavar="FROM.toml", help='clinic = "...", and [\\[person]] with name, roles, key.')
    ],
    number: Number,
    key: Key,
    out: Out,
    force: Force = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Write and sign a people document. `key` of a person is a file with the public half, relative to FROM.toml."""
    with errors_as_lines():
        from cisterna.pharmacy import document_text, documents, signed_files, source_files, verification

        signed_files.check_new(out, replace=force)
        stated = source_files.people(source)
        text = documents.people(number=number, clinic=stated.clinic, persons=stated.persons)
        people = verification.people(text)
        verification.check_service(people)
        print_lines(document_text.people_lines(people))
        with signer(key, passphrase_file, module) as authority:
            verification.people(text, authority.modulus_hex)
            signed = signed_files.signed("people", text, authority)
        signed_files.write(out, signed.model_dump(), replace=force)
        print(f"signed  {out}")


@people_app.command("show", epilog=f"Example:  cisterna people show c.people --authority clinic.pem   {SHOW_STATUS}")
def people_show(
    file: Annotated[Path, typer.Argument(metavar="X.people")],
    authority: MaybeAuthority = None,
    as_json: AsJson = False,
) -> None:
    """Show the persons, their roles and the fingerprints of their keys."""
    with errors_as_lines():
        from cisterna.pharmacy import document_text, signed_files, verification

        signed = signed_files.read_signed(file, "people")
        people = verification.people(signed.document)
        _print_signed(
            signed, authority, as_json, document_text.people_summary(people), document_text.people_lines(people)
        )


@people_app.command(
    "load", epilog=f"Example:  cisterna people load unix: ward.people --by meier --key meier.key   {LINK_STATUS}"
)
def people_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.people", help="The people document, signed by the authority.")],
    by: MaybeBy = None,
    key: MaybeKey = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load the people document onto a stopped pump. Ends any session."""
    _load("people", address, file, by, key, passphrase_file, module)


@library_app.command(
    "make",
    epilog="Example:  cisterna library make drugs.toml --number 5 --title Ward --key clinic.key --out c.library   "
    + WRITE_STATUS,
)
def library_make(
    source: Annotated[Path, typer.Argument(metavar="FROM.toml", help="An [\\[entry]] for each drug, route and site.")],
    number: Number,
    title: Annotated[str, typer.Option(help="Title of the library; 1 to 64 characters.")],
    key: Key,
    out: Out,
    force: Force = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Write and sign a drug library. FROM.toml has the keys of `bench_library.toml` in cisterna/pharmacy."""
    with errors_as_lines():
        from cisterna.pharmacy import document_text, documents, signed_files, source_files, verification

        signed_files.check_new(out, replace=force)
        text = documents.library(number=number, title=title, drugs=source_files.library(source))
        print_lines(document_text.library_lines(verification.library(text)))
        with signer(key, passphrase_file, module) as authority:
            signed = signed_files.signed("library", text, authority)
        signed_files.write(out, signed.model_dump(), replace=force)
        print(f"signed  {out}")


@library_app.command("show", epilog=f"Example:  cisterna library show c.library --authority clinic.pem   {SHOW_STATUS}")
def library_show(
    file: Annotated[Path, typer.Argument(metavar="X.library")],
    authority: MaybeAuthority = None,
    as_json: AsJson = False,
) -> None:
    """Show the drugs that may be prescribed, with every limit."""
    with errors_as_lines():
        from cisterna.pharmacy import document_text, signed_files, verification

        signed = signed_files.read_signed(file, "library")
        library = verification.library(signed.document)
        _print_signed(
            signed, authority, as_json, document_text.library_summary(library), document_text.library_lines(library)
        )


@library_app.command(
    "load", epilog=f"Example:  cisterna library load unix: ward.library --by meier --key meier.key   {LINK_STATUS}"
)
def library_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.library", help="The drug library, signed by the authority.")],
    by: MaybeBy = None,
    key: MaybeKey = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load the drug library onto a stopped pump."""
    _load("library", address, file, by, key, passphrase_file, module)


def _load(
    kind: Kind,
    address: str,
    file: Path,
    by: str | None,
    key: str | None,
    passphrase_file: Path | None,
    module: str | None,
) -> None:
    with errors_as_lines():
        from cisterna.pharmacy import signed_files

        signed = signed_files.read_signed(file, kind)
    with open_pump(address) as pump, contextlib.ExitStack() as session:
        if pump.hello["people"] is not None:
            if by is None or key is None:
                raise CisternaError(
                    f"--by and --key are missing: {pump.name} has people; log on as one with role service"
                )
            session.enter_context(logged_on(pump, by, "service", key, passphrase_file, module))
        print(load_document(pump, kind, signed))


def _print_signed(
    signed: SignedFile, authority: str | None, as_json: bool, summary: dict[str, Any], lines: Iterable[str]
) -> None:
    from cisterna.pharmacy import keys, signers

    signed_by = None
    if authority is not None:
        modulus = signers.public_modulus(authority)
        signed.check(modulus)
        signed_by = keys.fingerprint(modulus)
    if as_json:
        print_json({**summary, "signed_by": signed_by})
    else:
        print_lines(lines)
        print(f"signed by the authority {signed_by}" if signed_by else "signature not checked: give --authority")
