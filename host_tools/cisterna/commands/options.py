"""Options and arguments that several commands share, and the signer that the key options name."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

KEY_FORMS = "a protected PEM file, pkcs11:token=...;object=..., or bench:NAME"
ADDRESS_FORMS = "unix:, rp2040:, serial:SERIAL, or a port"

# Exit statuses, for the end of an epilog
WRITE_STATUS = "Exit status: 0 done, 2 refused and nothing written."
LINK_STATUS = "Exit status: 0 done, 2 refused or no such pump, 70 no answer."

# A key and its owner
Key = Annotated[str, typer.Option("--key", metavar="KEY", help=f"The private key: {KEY_FORMS}.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="Read the passphrase or PIN from the first line of FILE; else ask."
    ),
]
Module = Annotated[
    str | None,
    typer.Option("--module", metavar="PATH", envvar="CISTERNA_PKCS11_MODULE", help="The token's PKCS#11 library."),
]
Authority = Annotated[
    str, typer.Option("--authority", metavar="KEY", help="The authority's public key, a PEM file (or bench:authority).")
]

# A pump and who logs on to it
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help=f"{ADDRESS_FORMS}.")]
MaybeAddress = Annotated[
    str | None, typer.Argument(metavar="ADDRESS", help=f"{ADDRESS_FORMS}; not needed if there is only one pump.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Your name in the people document.")]
Role = Annotated[str, typer.Option("--as", metavar="ROLE", help="Your role: clinician or service.")]
MaybeBy = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Your name in the people document; a new pump needs none.")
]
MaybeKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Your private key; a new pump needs none.")]

# Files and output
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def signer(key: str, passphrase_file: Path | None, module: str | None) -> AbstractContextManager["Signer"]:
    """The signer that --key, --passphrase-file and --module name, for the length of a `with` block."""
    from cisterna.pharmacy import passphrase, signers

    return signers.opened(key, passphrase.source(passphrase_file), module)
