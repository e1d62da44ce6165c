"""`cisterna key`: make a person's key, show the public half of a key. No pump is needed."""

from pathlib import Path
from typing import Annotated

import typer

from cisterna.commands.options import KEY_FORMS, WRITE_STATUS, AsJson, Module, Out, PassphraseFile
from cisterna.console import errors_as_lines, print_json
from cisterna.errors import OutputError

app = typer.Typer(no_args_is_help=True, help="Make a person's key, or show the public half of one.")

Public = Annotated[Path | None, typer.Option("--public", metavar="FILE", help="Write the public half to FILE, as PEM.")]


@app.command("new", epilog=f"Example:  cisterna key new rossi --out rossi.key --public rossi.pem   {WRITE_STATUS}")
def new(
    name: Annotated[str, typer.Argument(help="The owner's name in the people document.")],
    out: Out,
    public: Public = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make an RSA-3072 key, protected by a passphrase. Never replaces an existing file."""
    with errors_as_lines():
        from cisterna.pharmacy import keys, passphrase, rx_files, signed_files

        rx_files.check_name("NAME", name)
        for path in filter(None, (out, public)):
            signed_files.check_new(path)
        if public and public.resolve() == out.resolve():
            raise OutputError(f"--public held {public}, which --out held too; allowed: another file")
        if passphrase_file:
            secret = passphrase.checked(passphrase.of_file(passphrase_file))
        else:
            secret = passphrase.ask_new(f"passphrase for the key of {name}")
        key = keys.generate()
        signed_files.write_bytes(out, key.pem(secret), replace=False, mode=0o600)
        print(f"key of {name}  {out}")
        if public:
            signed_files.write_bytes(public, keys.public_pem(key.modulus_hex), replace=False)
            print(f"public half  {public}")
        print(f"fingerprint  {keys.fingerprint(key.modulus_hex)}")


@app.command(
    "show",
    epilog='Example:  cisterna key show "pkcs11:token=Clinic;object=rossi" --public rossi.pem   ' + WRITE_STATUS,
)
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help=f"A public PEM file, {KEY_FORMS}.")],
    public: Public = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Show the fingerprint of a key: the first 16 hex digits of the SHA-256 of its modulus. A token needs no PIN."""
    with errors_as_lines():
        from cisterna.pharmacy import keys, passphrase, signed_files, signers

        modulus = signers.public_modulus(key, passphrase.source(passphrase_file), module)
        if public:
            signed_files.write_bytes(public, keys.public_pem(modulus), replace=False)
        if as_json:
            print_json({"key": key, "fingerprint": keys.fingerprint(modulus), "modulus": modulus})
        else:
            print(f"fingerprint  {keys.fingerprint(modulus)}")
            if public:
                print(f"public half  {public}")
