"""The options of every command that needs a person's key."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

KEY_FORMS = "a protected PEM file, pkcs11:token=...;object=..., or bench:NAME"

Key = Annotated[str, typer.Option("--key", metavar="KEY", help=f"The private key: {KEY_FORMS}.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Passphrase or PIN: first line of this file, else asked."),
]
Module = Annotated[
    str | None,
    typer.Option("--module", metavar="PATH", envvar="CISTERNA_PKCS11_MODULE", help="The token's PKCS#11 library."),
]
Authority = Annotated[
    str, typer.Option("--authority", metavar="KEY", help="The authority's public key, a PEM file (or bench:authority).")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where it is written.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def signer(key: str, passphrase_file: Path | None, module: str | None) -> AbstractContextManager["Signer"]:
    """The signer that the three options name, for the length of a `with` block."""
    from cisterna.pharmacy import passphrase, signers

    return signers.opened(key, passphrase.source(passphrase_file), module)
