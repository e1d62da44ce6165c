"""`cisterna rx`: prescriptions are written, signed, shown, verified and loaded. Only `rx load` needs a pump."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.commands.options import (
    LINK_STATUS,
    WRITE_STATUS,
    Address,
    AsJson,
    Authority,
    By,
    Force,
    Key,
    Module,
    Out,
    PassphraseFile,
    signer,
)
from cisterna.commands.session import logged_on, open_pump, warning_if_lost
from cisterna.commands.signing import ask_to_type
from cisterna.console import errors_as_lines, print_json, print_lines, tell
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.pharmacy.rx_files import RxFile

app = typer.Typer(no_args_is_help=True, help="Write, sign, show, verify and load prescriptions.")

RxPath = Annotated[Path, typer.Argument(metavar="X.rx", help="The prescription file.")]


@app.command(
    "new",
    epilog="Example:  cisterna rx new x.toml --serial CB-0001 --patient 4711 --sequence 1 --out x.rx   " + WRITE_STATUS,
)
def new(
    source: Annotated[
        Path,
        typer.Argument(metavar="FROM.toml", help="A TOML file with \\[prescription] and \\[pump], or a scenario file."),
    ],
    serial: Annotated[str, typer.Option(help="Serial number of the pump.")],
    patient: Annotated[str, typer.Option(help="The patient; 1 to 64 characters.")],
    sequence: Annotated[int, typer.Option(help="Higher than that of any prescription or order for this pump.")],
    out: Out,
    force: Force = False,
) -> None:
    """Write an unsigned prescription."""
    with errors_as_lines():
        from cisterna.pharmacy import documents, rx_files, signed_files, source_files, verification

        stated = source_files.prescription(source)
        text = documents.prescription(stated, serial=serial, patient=patient, sequence=sequence)
        verification.prescription(text)
        rx = rx_files.new(text)
        signed_files.write(out, rx.params(), replace=force)
        _print_rx(rx)
        print(f"written  {out}")


@app.command(
    "sign", epilog=f"Example:  cisterna rx sign x.rx --as prescriber --by rossi --key rossi.key   {WRITE_STATUS}"
)
def sign(
    file: RxPath,
    role: Annotated[str, typer.Option("--as", metavar="ROLE", help="prescriber or second.")],
    name: Annotated[str, typer.Option("--by", metavar="NAME", help="The signer's name in the people document.")],
    key: Key,
    lift: Annotated[
        bool, typer.Option("--override", help="Also sign that the therapy may begin above the first-dose ceiling.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the digits of the hash.")] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Show the whole prescription, ask for the first digits of its hash, and sign. Each role needs another person."""
    with errors_as_lines():
        from cisterna.pharmacy import rx_files, signed_files, verification
        from cisterna.pharmacy import sign as signing

        if role not in rx_files.ROLES:
            raise CisternaError(f'--as held "{role}"; allowed: {", ".join(rx_files.ROLES)}')
        rx = signed_files.read(rx_files.RxFile, file)
        rx_files.check_signer(rx, role, name, lift=lift)
        _print_rx(rx)
        if lift:
            print(f"{name} also lifts the first-dose ceiling for this prescription.")
        elif role == "second" and rx.override:
            print(
                f"The first-dose ceiling stays lifted: {rx.override.by} has signed its override, and this signature "
                "does not withdraw it. To restore the ceiling, write a new prescription file."
            )
        if not yes:
            ask_to_type("the first 4 digits of the hash", signing.hash8(rx.document)[:4])
        serial = verification.prescription(rx.document).serial if lift else None
        with signer(key, passphrase_file, module) as own:
            signed = rx_files.add_signature(rx, role, name, own, serial=serial)
        if signed_files.read(rx_files.RxFile, file) != rx:  # the other person has signed while the prompt was open
            raise CisternaError(f"{file}: was changed meanwhile, nothing was signed; sign it again")
        signed_files.write(file, signed.params(), replace=True)
        print(f"signed as {role} by {name}  {file}")


@app.command("show", epilog="Example:  cisterna rx show x.rx --json   Exit status: 0 shown, 2 no such prescription.")
def show(file: RxPath, as_json: AsJson = False) -> None:
    """Show each value of a prescription and its signers. Checks no signature; `rx verify` does."""
    with errors_as_lines():
        from cisterna.pharmacy import rx_files, signed_files

        _print_rx(signed_files.read(rx_files.RxFile, file), as_json)


@app.command(
    "verify",
    epilog="Example:  cisterna rx verify x.rx --people c.people --library c.library --authority clinic.pem   "
    "Exit status: 0 a pump of this authority would accept it, 2 it would not.",
)
def verify(
    file: RxPath,
    people: Annotated[Path, typer.Option(metavar="X.people", help="The people document.")],
    authority: Authority,
    library: Annotated[
        Path | None, typer.Option(metavar="X.library", help="The drug library; not needed with --bench.")
    ] = None,
    after: Annotated[
        Path | None, typer.Option(metavar="Y.rx", help="The prescription in force; if left out, the pump has none.")
    ] = None,
    bench: Annotated[bool, typer.Option("--bench", help="The pump is provisioned for the bench.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check signatures, roles and doses with the pump's own code. Only the pump can check what it has given so far."""
    with errors_as_lines():
        from cisterna.pharmacy import rx_files, signed_files, signers, verification
        from cisterna.pharmacy import sign as signing

        if library is None and not bench:
            raise CisternaError("--library is missing; allowed: X.library, or --bench for a pump of the bench")
        rx = signed_files.read(rx_files.RxFile, file)
        verdict = verification.verify(
            rx,
            authority=signers.public_modulus(authority),
            people_file=signed_files.read_signed(people, "people"),
            library_file=signed_files.read_signed(library, "library") if library else None,
            bench=bench,
            after=signed_files.read(rx_files.RxFile, after) if after else None,
        )
        if as_json:
            checks = [{"check": check, "refusal": refusal} for check, refusal in verdict.checks]
            print_json({"hash": signing.hash8(rx.document), "accepted": not verdict.problems, "checks": checks})
        else:
            print_lines(f"{check:<27} {refusal or 'good'}" for check, refusal in verdict.checks)
    if verdict.problems:
        raise typer.Exit(2)


@app.command("load", epilog=f"Example:  cisterna rx load unix: x.rx --by rossi --key rossi.key   {LINK_STATUS}")
def load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.rx", help="The prescription file, signed in both roles.")],
    by: By,
    key: Key,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load a prescription, compare the pump's readback, and wait until START is held at the pump."""
    with errors_as_lines():
        from cisterna.pharmacy import rx_files, signed_files

        call = signed_files.read(rx_files.RxFile, file).params()
    with open_pump(address) as pump, contextlib.ExitStack() as waiting:
        from cisterna.link import workflows
        from cisterna.pharmacy import document_text

        minutes = workflows.PRESCRIPTION_S // 60
        with logged_on(pump, by, "clinician", key, passphrase_file, module):
            waiting.enter_context(
                warning_if_lost(f"the prescription may still wait, up to {minutes} min: START held confirms it")
            )
            loaded = workflows.load_prescription(pump, call)
        print_lines(document_text.prescription_lines(loaded.values))
        print(f"{'hash':<27} {loaded.hash8}")
        print(f"{'soft limits passed':<27} {', '.join(loaded.warnings) or 'none'}")
        print(f"{pump.name} reads back exactly what was signed", flush=True)
        display = f'these values and on the last page "hash {loaded.hash8}"'
        tell(f"at the pump: START turns pages; if they show {display}, hold START there for 2 s; if not, press STOP")
        workflows.wait_confirmed(pump, loaded.hash8)
        waiting.close()
        first = "" if pump.state()["primed"] else "fill the line (`cisterna prime`), then "
        print(f"{pump.name}: prescription {loaded.hash8} is in force; {first}START at the pump begins it")


def _print_rx(rx: RxFile, as_json: bool = False) -> None:
    from cisterna.pharmacy import document_text, verification

    values = verification.prescription(rx.document).values()
    if as_json:
        print_json(document_text.rx_summary(rx, values))
    else:
        print_lines(document_text.rx_lines(rx, values))
