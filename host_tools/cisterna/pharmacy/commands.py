"""`cisterna key`, `rx`, `people`, `library`, of `bolus` a part: keys are made, documents written, shown and signed.

No pump is needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cisterna.pharmacy.options import (
    KEY_FORMS,
    AsJson,
    Authority,
    Force,
    Key,
    Module,
    Out,
    PassphraseFile,
    signer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cisterna.pharmacy.files import SignedFile
    from cisterna.pharmacy.rx_files import RxFile

key_app = typer.Typer(no_args_is_help=True, help="Make a person's key, or show the public half of one.")
rx_app = typer.Typer(no_args_is_help=True, help="Write, sign, show and verify prescriptions.")
bolus_app = typer.Typer(no_args_is_help=True, help="Order a clinician's bolus: write, sign, show and load the order.")
people_app = typer.Typer(no_args_is_help=True, help="Who may do what on a clinic's pumps: make and show the document.")
library_app = typer.Typer(no_args_is_help=True, help="What may be prescribed: make and show the signed drug library.")

STATUS = "Exit status: 0 done, 2 refused and nothing written."

RxPath = Annotated[Path, typer.Argument(metavar="X.rx", help="The prescription.")]
OrderPath = Annotated[Path, typer.Argument(metavar="X.order", help="The order.")]
Number = Annotated[int, typer.Option(help="Higher than that of any before: a pump takes no older one.")]
MaybeAuthority = Annotated[
    str | None, typer.Option("--authority", metavar="KEY", help="Check the signature with this public key.")
]


# --- keys


@key_app.command("new", epilog=f"Example:  cisterna key new rossi --out rossi.key --public rossi.pem   {STATUS}")
def key_new(
    name: Annotated[str, typer.Argument(help="Whose key it is, as in the people document.")],
    out: Out,
    public: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the public half here, as PEM.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make an RSA-3072 key, protected by a passphrase. A file that is there already is never replaced."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.errors import OutputError
        from cisterna.pharmacy import files, keys, passphrase, rx_files

        rx_files.check_name("NAME", name)
        for path in filter(None, (out, public)):
            files.check_new(path)
        if public and public.resolve() == out.resolve():
            raise OutputError(f"--public held {public}, which --out held too; allowed: another file")
        what = f"passphrase for the key of {name}"
        secret = (
            passphrase.checked(passphrase.of_file(passphrase_file)) if passphrase_file else passphrase.ask_new(what)
        )
        key = keys.generate()
        files.write_bytes(out, key.pem(secret), replace=False, mode=0o600)
        print(f"key of {name}  {out}")
        if public:
            files.write_bytes(public, keys.public_pem(key.modulus_hex), replace=False)
            print(f"public half  {public}")
        print(f"fingerprint  {keys.fingerprint(key.modulus_hex)}")


@key_app.command(
    "show",
    epilog='Example:  cisterna key show "pkcs11:token=Clinic;object=rossi" --public rossi.pem   ' + STATUS,
)
def key_show(
    key: Annotated[str, typer.Argument(metavar="KEY", help=f"A public PEM file, {KEY_FORMS}.")],
    public: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the public half here, as PEM.")] = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    as_json: AsJson = False,
) -> None:
    """Show the fingerprint of a key: the first 16 digits of the SHA-256 of its modulus. A token needs no PIN for it."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, keys, passphrase, signers

        modulus = signers.public(key, passphrase.source(passphrase_file), module)
        if public:
            files.write_bytes(public, keys.public_pem(modulus), replace=False)
        if as_json:
            _print_json({"key": key, "fingerprint": keys.fingerprint(modulus), "modulus": modulus})
        else:
            print(f"fingerprint  {keys.fingerprint(modulus)}")
            if public:
                print(f"public half  {public}")


# --- prescriptions


@rx_app.command(
    "new",
    epilog=f"Example:  cisterna rx new x.toml --serial CB-0001 --patient 4711 --sequence 1 --out x.rx   {STATUS}",
)
def rx_new(
    source: Annotated[
        Path, typer.Argument(metavar="FROM.toml", help="\\[prescription] and \\[pump], as in a scenario file; or one.")
    ],
    serial: Annotated[str, typer.Option(help="Serial number of the pump.")],
    patient: Annotated[str, typer.Option(help="Who it is for; 1 to 64 characters.")],
    sequence: Annotated[int, typer.Option(help="Higher than that of any prescription or order for this pump.")],
    out: Out,
    force: Force = False,
) -> None:
    """Write a prescription that nobody has signed yet."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import documents, files, judge, rx_files, sources

        stated = sources.prescription(source)
        text = documents.prescription(stated, serial=serial, patient=patient, sequence=sequence)
        judge.prescription(text)
        rx = rx_files.new(text)
        files.write(out, rx.call(), replace=force)
        _show_rx(rx)
        print(f"written  {out}")


@rx_app.command("sign", epilog=f"Example:  cisterna rx sign x.rx --as prescriber --by rossi --key rossi.key   {STATUS}")
def rx_sign(
    file: RxPath,
    role: Annotated[str, typer.Option("--as", metavar="ROLE", help="prescriber, or second.")],
    name: Annotated[str, typer.Option("--by", metavar="NAME", help="Who signs, as in the people document.")],
    key: Key,
    lift: Annotated[
        bool, typer.Option("--override", help="Sign also that it may begin above the first-dose ceiling.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the digits of the hash.")] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Show the whole prescription, and sign it once its hash has been typed. Two persons have to: one in each role."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.errors import CisternaError
        from cisterna.pharmacy import files, judge, rx_files, sign

        if role not in rx_files.ROLES:
            raise CisternaError(f'--as held "{role}"; allowed: {", ".join(rx_files.ROLES)}')
        rx = files.read(rx_files.RxFile, file)
        rx_files.check_signer(rx, role, name, lift=lift)
        _show_rx(rx)
        if lift:
            print(f"{name} also lifts the first-dose ceiling for this prescription.")
        elif role == "second" and rx.override:
            print(
                f"The first-dose ceiling stays lifted: {rx.override.by} has signed that before, and this takes nothing "
                "back. To have it stand, begin with a new file."
            )
        if not yes:
            _confirm("the first 4 digits of the hash", sign.hash8(rx.document)[:4])
        serial = judge.prescription(rx.document).serial if lift else None
        with signer(key, passphrase_file, module) as own:
            signed = rx_files.add_signature(rx, role, name, own, serial=serial)
        if files.read(rx_files.RxFile, file) != rx:  # the other person has signed while this one was asked
            raise CisternaError(f"{file}: was changed meanwhile, nothing was signed; sign it again")
        files.write(file, signed.call(), replace=True)
        print(f"signed as {role} by {name}  {file}")


@rx_app.command("show", epilog="Example:  cisterna rx show x.rx --json   Exit status: 0 shown, 2 no such prescription.")
def rx_show(file: RxPath, as_json: AsJson = False) -> None:
    """Show a prescription value by value, and who signed it. No signature is checked: `rx verify` does."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, rx_files

        _show_rx(files.read(rx_files.RxFile, file), as_json)


@rx_app.command(
    "verify",
    epilog="Example:  cisterna rx verify x.rx --people c.people --library c.library --authority clinic.pem   "
    "Exit status: 0 a pump of this authority would take it, 2 it would not.",
)
def rx_verify(
    file: RxPath,
    people: Annotated[Path, typer.Option(metavar="X.people", help="Who is who.")],
    authority: Authority,
    library: Annotated[
        Path | None, typer.Option(metavar="X.library", help="What may be prescribed; a pump of the bench has its own.")
    ] = None,
    after: Annotated[
        Path | None, typer.Option(metavar="Y.rx", help="The prescription in force; else this is the pump's first.")
    ] = None,
    bench: Annotated[bool, typer.Option("--bench", help="The pump is provisioned for the bench.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check signatures, roles and doses as the pump will, with its own code. Only what it has given is left to it."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.errors import CisternaError
        from cisterna.pharmacy import files, judge, rx_files, sign, signers

        if library is None and not bench:
            raise CisternaError("--library is missing; allowed: X.library, or --bench for a pump of the bench")
        rx = files.read(rx_files.RxFile, file)
        verdict = judge.verify(
            rx,
            authority=signers.public(authority),
            people_file=files.read_signed(people, "people"),
            library_file=files.read_signed(library, "library") if library else None,
            bench=bench,
            after=files.read(rx_files.RxFile, after) if after else None,
        )
        if as_json:
            checks = [{"check": what, "refusal": said} for what, said in verdict.checks]
            _print_json({"hash": sign.hash8(rx.document), "accepted": not verdict.problems, "checks": checks})
        else:
            for what, said in verdict.checks:
                print(f"{what:<27} {said or 'good'}")
    if verdict.problems:
        raise typer.Exit(2)


# --- a clinician's bolus


@bolus_app.command("sign", epilog=f"Example:  cisterna bolus sign x.order --by rossi --key rossi.key   {STATUS}")
def bolus_sign(
    file: OrderPath,
    name: Annotated[str, typer.Option("--by", metavar="NAME", help="The prescriber, as in the people document.")],
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the dose.")] = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Show the whole order, and sign it once its dose has been typed. The drug is that of the prescription it names."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.errors import CisternaError
        from cisterna.pharmacy import files, order_files

        order = files.read(order_files.OrderFile, file)
        order_files.check_signer(order, name)
        _print_lines(order_files.lines(order))
        if not yes:
            _confirm("the dose in ug", str(order_files.values(order)["ug"]))
        with signer(key, passphrase_file, module) as own:
            signed = order_files.add_signature(order, name, own)
        if files.read(order_files.OrderFile, file) != order:  # somebody has signed while this one was asked
            raise CisternaError(f"{file}: was changed meanwhile, nothing was signed; sign it again")
        if signed != order:
            files.write(file, signed.model_dump(), replace=True)
        print(f"signed by {name}  {file}")


@bolus_app.command(
    "show", epilog="Example:  cisterna bolus show x.order --json   Exit status: 0 shown, 2 no such order."
)
def bolus_show(file: OrderPath, as_json: AsJson = False) -> None:
    """Show an order, and who signed it. The signature is not checked: the pump does."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, order_files

        order = files.read(order_files.OrderFile, file)
        if as_json:
            _print_json(order_files.summary(order))
        else:
            _print_lines(order_files.lines(order))


# --- people and library


@people_app.command(
    "make", epilog=f"Example:  cisterna people make clinic.toml --number 3 --key clinic.key --out c.people   {STATUS}"
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
    """Write and sign who is who in a clinic. `key` of a person is a file with the public half, beside FROM.toml."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import documents, files, judge, shown, sources

        files.check_new(out, replace=force)
        stated = sources.people(source)
        text = documents.people(number=number, clinic=stated.clinic, persons=stated.persons)
        read = judge.people(text)
        judge.check_service(read)
        _print_lines(shown.people_lines(read))
        with signer(key, passphrase_file, module) as authority:
            judge.people(text, authority.modulus_hex)
            signed = files.signed("people", text, authority)
        files.write(out, signed.model_dump(), replace=force)
        print(f"signed  {out}")


@people_app.command("show", epilog="Example:  cisterna people show c.people --authority clinic.pem   "
                    "Exit status: 0 shown, 2 no such document or not signed by this authority.")  # fmt: skip
def people_show(
    file: Annotated[Path, typer.Argument(metavar="X.people")],
    authority: MaybeAuthority = None,
    as_json: AsJson = False,
) -> None:
    """Show who is who, in which roles, with the fingerprints of their keys."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, judge, shown

        signed = files.read_signed(file, "people")
        people = judge.people(signed.document)
        _show_signed(signed, authority, as_json, shown.people_summary(people), shown.people_lines(people))


@library_app.command(
    "make",
    epilog="Example:  cisterna library make drugs.toml --number 5 --title Ward --key clinic.key --out c.library   "
    + STATUS,
)
def library_make(
    source: Annotated[Path, typer.Argument(metavar="FROM.toml", help="An [\\[entry]] for each drug, route and site.")],
    number: Number,
    title: Annotated[str, typer.Option(help="What people call it; 1 to 64 characters.")],
    key: Key,
    out: Out,
    force: Force = False,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Write and sign a drug library. The form of FROM.toml is that of `bench_library.toml` in cisterna/pharmacy."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import documents, files, judge, shown, sources

        files.check_new(out, replace=force)
        text = documents.library(number=number, title=title, drugs=sources.library(source))
        _print_lines(shown.library_lines(judge.library(text)))
        with signer(key, passphrase_file, module) as authority:
            signed = files.signed("library", text, authority)
        files.write(out, signed.model_dump(), replace=force)
        print(f"signed  {out}")


@library_app.command("show", epilog="Example:  cisterna library show c.library --authority clinic.pem   "
                     "Exit status: 0 shown, 2 no such document or not signed by this authority.")  # fmt: skip
def library_show(
    file: Annotated[Path, typer.Argument(metavar="X.library")],
    authority: MaybeAuthority = None,
    as_json: AsJson = False,
) -> None:
    """Show what may be prescribed, with every limit."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, judge, shown

        signed = files.read_signed(file, "library")
        library = judge.library(signed.document)
        _show_signed(signed, authority, as_json, shown.library_summary(library), shown.library_lines(library))


# --- what they share


def _show_rx(rx: "RxFile", as_json: bool = False) -> None:
    from cisterna.pharmacy import judge, shown

    values = judge.prescription(rx.document).values()
    if as_json:
        _print_json(shown.rx_summary(rx, values))
    else:
        _print_lines(shown.rx_lines(rx, values))


def _confirm(what: str, expected: str) -> None:
    """The person types what he has read: what was not looked at cannot be typed."""
    from cisterna.errors import CisternaError

    try:
        typed = typer.prompt(f"To sign, type {what}", err=True)
    except typer.Abort:
        raise CisternaError(f"nothing was signed: no answer; allowed: {what}, or --yes") from None
    if typed.strip().lower() != expected:
        raise CisternaError(f'nothing was signed: "{typed}" is not {what}')


def _show_signed(
    signed: "SignedFile", authority: str | None, as_json: bool, summary: dict[str, Any], lines: "Iterable[str]"
) -> None:
    from cisterna.pharmacy import keys, signers

    by = None
    if authority is not None:
        modulus = signers.public(authority)
        signed.check(modulus)
        by = keys.fingerprint(modulus)
    if as_json:
        _print_json({**summary, "signed_by": by})
    else:
        _print_lines(lines)
        print(f"signed by the authority {by}" if by else "signature not checked: give --authority")


def _print_json(summary: dict[str, Any]) -> None:
    import json

    print(json.dumps(summary, indent=2))


def _print_lines(lines: "Iterable[str]") -> None:
    for line in lines:
        print(line)
