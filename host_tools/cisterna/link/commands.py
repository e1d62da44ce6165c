"""Commands that talk to a pump: `status`, `watch`, `log`, `pause`, `stop`, `provision`; `load` of what was signed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cisterna.pharmacy.commands import library_app, people_app, rx_app
from cisterna.pharmacy.options import AsJson, Authority, Key, Module, PassphraseFile, signer

if TYPE_CHECKING:
    from cisterna.link.pump import Pump
    from cisterna.pharmacy.files import SignedFile

app = typer.Typer()

WHERE = "unix:, rp2040:, serial:SERIAL, or a port; the only pump there is if left out."
STATUS = "Exit status: 0 done, 2 refused or no such pump, 70 no answer."
UNPROVEN = 1  # exit status of a log that does not hang together

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="unix:, rp2040:, serial:SERIAL, or a port.")]
MaybeAddress = Annotated[str | None, typer.Argument(metavar="ADDRESS", help=WHERE)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who you are, as in the people document.")]
Role = Annotated[str, typer.Option("--as", metavar="ROLE", help="clinician, or service.")]
MaybeBy = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who you are; not needed by a new pump.")]
MaybeKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Your key; not needed by a new pump.")]


# --- looking


@app.command(epilog=f"Example:  cisterna status unix:   {STATUS}")
def status(address: MaybeAddress = None, as_json: AsJson = False) -> None:
    """Say what a pump is and does. It is only asked: nothing on it changes."""
    with _pump(address) as pump:
        from cisterna.link import shown

        state = pump.state()
        if as_json:
            _print_json({"hello": pump.hello, "state": state})
        else:
            print("\n".join(shown.status_lines(pump.hello, state)))


@app.command(epilog=f"Example:  cisterna watch unix: --every 5   {STATUS} Ctrl-C ends it, with status 0.")
def watch(
    address: MaybeAddress = None,
    every: Annotated[float, typer.Option(metavar="S", help="Seconds from look to look, 1 or more.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line and look.")] = False,
) -> None:
    """Watch a pump: its state again and again. A link that is lost is shown, and comes back by itself.

    From look to look other commands may talk to the pump.
    """
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.link import watching

        with contextlib.suppress(KeyboardInterrupt):
            watching.run(address, every, as_json)


@app.command(epilog=f"Example:  cisterna log unix: --out log.jsonl   {STATUS} 1 the records do not hang together.")
def log(
    address: Address,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="One JSON object a record and line.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no log, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read all records of a pump, check their numbers, CRC-32 and hash chain, and write them to a file.

    An older log that is there is replaced once the new one is whole.
    """
    from cisterna.cli import errors_as_lines, progress_bar

    with errors_as_lines():
        from cisterna.link import records

        records.check_path(out, force)
    with _pump(address) as pump:
        from cisterna.link import procedures

        with progress_bar(f"log of {pump.name}") as progress:
            chain = procedures.read_log(pump, progress)
        records.write_jsonl(out, chain.records, lambda record: record.mono_ms / 1000, "--out")
        first = chain.records[0].sequence if chain.records else 0
        if as_json:
            said = {"records": len(chain.records), "first": first}
            _print_json({**said, "verified": chain.verified, "problems": chain.problems})
        else:
            print(f"{len(chain.records)} records from number {first} on, {_verdict(chain.verified)}  {out}")
            print("\n".join(chain.problems), end="\n" * bool(chain.problems))
    if not chain.verified:
        raise typer.Exit(UNPROVEN)


def _verdict(verified: bool) -> str:
    return "numbers, CRC-32 and hash chain verified" if verified else "NOT VERIFIED"


# --- therapy: less, never more


@app.command(epilog=f"Example:  cisterna pause unix: --by rossi --key rossi.key   {STATUS}")
def pause(
    address: Address,
    by: By,
    key: Key,
    role: Role = "clinician",
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Pause the therapy, boluses too. START at the pump goes on with it."""
    with _pump(address) as pump, _logged_on(pump, by, role, key, passphrase_file, module):
        from cisterna.link import procedures

        print(f"{pump.name}: {procedures.pause(pump)}")


@app.command(epilog=f"Example:  cisterna stop unix: --by rossi --key rossi.key   {STATUS}")
def stop(
    address: Address,
    by: By,
    key: Key,
    role: Role = "clinician",
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """End the therapy. Only a new prescription, confirmed at the pump, begins one again."""
    with _pump(address) as pump, _logged_on(pump, by, role, key, passphrase_file, module):
        from cisterna.link import procedures

        print(f"{pump.name}: {procedures.stop(pump)}; a new prescription is needed")


# --- what was signed


@rx_app.command("load", epilog=f"Example:  cisterna rx load unix: x.rx --by rossi --key rossi.key   {STATUS}")
def rx_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.rx", help="The prescription, signed by two.")],
    by: By,
    key: Key,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load a prescription, compare what the pump reads back, and wait until START was held at the pump."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, rx_files

        call = files.read(rx_files.RxFile, file).call()
    with _pump(address) as pump, contextlib.ExitStack() as told:
        from cisterna.link import procedures
        from cisterna.pharmacy import shown

        with _logged_on(pump, by, "clinician", key, passphrase_file, module):
            told.enter_context(_told_if_lost("the prescription may still wait, up to 3 min: START held confirms it"))
            loaded = procedures.load_prescription(pump, call)
        print("\n".join(shown.prescription_lines(loaded.values)))
        print(f"{'hash':<27} {loaded.hash8}")
        print(f"{'soft limits passed':<27} {', '.join(loaded.warnings) or 'none'}")
        print(f"{pump.name} reads back exactly what was signed", flush=True)
        shows = f'these values and "hold START {loaded.hash8[:4]}"'
        _tell(f"at the pump: if its display shows {shows}, hold START for 2 s; if not, press STOP")
        procedures.wait_confirmed(pump, loaded.hash8)
        told.close()
        first = "" if pump.state()["primed"] else "fill the line (`cisterna prime`), then "
        print(f"{pump.name}: prescription {loaded.hash8} is in force; {first}START at the pump begins it")


@people_app.command(
    "load", epilog=f"Example:  cisterna people load unix: ward.people --by meier --key meier.key   {STATUS}"
)
def people_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.people", help="The people, signed by the authority.")],
    by: MaybeBy = None,
    key: MaybeKey = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load who may do what, while the pump is stopped. Whoever is logged on is not any more."""
    _load("people", address, file, by, key, passphrase_file, module)


@library_app.command(
    "load", epilog=f"Example:  cisterna library load unix: ward.library --by meier --key meier.key   {STATUS}"
)
def library_load(
    address: Address,
    file: Annotated[Path, typer.Argument(metavar="X.library", help="The drug library, signed by the authority.")],
    by: MaybeBy = None,
    key: MaybeKey = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Load which drugs may be prescribed, while the pump is stopped."""
    _load("library", address, file, by, key, passphrase_file, module)


def _load(
    kind: str,
    address: str,
    file: Path,
    by: str | None,
    key: str | None,
    passphrase_file: Path | None,
    module: str | None,
) -> None:
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files

        signed = files.read_signed(file, kind)
    with _pump(address) as pump, contextlib.ExitStack() as session:
        from cisterna.errors import CisternaError

        if pump.hello["people"] is not None:
            if by is None or key is None:
                raise CisternaError(f"--by and --key: needed; {pump.name} has people, one of whom has to be service")
            session.enter_context(_logged_on(pump, by, "service", key, passphrase_file, module))
        print(_loaded(pump, kind, signed))


def _loaded(pump: Pump, kind: str, signed: SignedFile) -> str:
    from cisterna.cli import progress_bar
    from cisterna.link import procedures

    with progress_bar(f"{kind} to {pump.name}") as progress:
        new = procedures.load_if_new(pump, kind, signed.document, signed.signature, progress)
    said = "is there already: nothing was loaded"
    return f"{pump.name}: {kind} {procedures.number_of(signed.document)} {'loaded' if new else said}"


# --- a new pump


@app.command(
    epilog="Example:  cisterna provision unix: --serial CB-0001 --authority clinic.pem --people ward.people "
    f"--library ward.library   {STATUS}"
)
def provision(
    address: Address,
    serial: Annotated[str, typer.Option(help="The pump's serial number, 1 to 20 characters, for good.")],
    authority: Authority,
    people: Annotated[Path, typer.Option(metavar="X.people", help="Who may do what, signed by the authority.")],
    library: Annotated[Path, typer.Option(metavar="X.library", help="The drug library, signed by the authority.")],
    bench: Annotated[bool, typer.Option("--bench", help="A pump of the bench: it takes test fluid, too.")] = False,
) -> None:
    """Give a new pump its serial number, its authority, its people and its library. START held at the pump confirms.

    Safe to run again: what is there already is passed over.
    """
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.pharmacy import files, keys, signers
        from cisterna.pharmacy import provision as workshop

        modulus = signers.public(authority)
        documents = {"library": files.read_signed(library, "library"), "people": files.read_signed(people, "people")}
        for signed in documents.values():
            signed.check(modulus)
        block = workshop.block_text(serial, modulus, bench=bench)
    with _pump(address) as pump:
        from cisterna.link import procedures

        new = procedures.provision(pump, serial, block, keys.fingerprint(modulus), _tell)
        print(f"{serial}: {'provisioned' if new else 'is provisioned already'}", flush=True)
        for kind, signed in documents.items():  # once there are people, only they load
            _need_nobody(pump, kind, signed)
            print(_loaded(pump, kind, signed), flush=True)


def _need_nobody(pump: Pump, kind: str, signed: SignedFile) -> None:
    from cisterna.errors import CisternaError
    from cisterna.link import procedures

    hello, number = pump.ask("hello"), procedures.number_of(signed.document)
    if hello["people"] is not None and hello[kind] != number:
        raise CisternaError(
            f"--{kind} held number {number}; {pump.name} has {hello[kind]}, and people who have to load another: "
            f"`cisterna {kind} load`"
        )


# --- what they share


@contextlib.contextmanager
def _pump(address: str | None) -> Iterator[Pump]:
    """The pump at the address while the block runs, whose errors become lines."""
    from cisterna.cli import errors_as_lines

    with errors_as_lines():
        from cisterna.link.addresses import open_pump

        with open_pump(address) as pump:
            yield pump


@contextlib.contextmanager
def _logged_on(
    pump: Pump, by: str, role: str, key: str, passphrase_file: Path | None, module: str | None
) -> Iterator[None]:
    from cisterna.errors import CisternaError

    if role not in ("clinician", "service"):
        raise CisternaError(f"--as held {role}; allowed: clinician, service")
    with signer(key, passphrase_file, module) as own, pump.logged_on(by, own, role):
        yield


@contextlib.contextmanager
def _told_if_lost(said: str) -> Iterator[None]:
    """Whoever ends a command that waits for a finger, or loses the pump, is told what that finger would still do."""
    from cisterna.errors import LinkSilent

    try:
        yield
    except (KeyboardInterrupt, LinkSilent):
        _tell(f"at the pump: {said}; STOP ends that")
        raise


def _tell(text: str) -> None:
    """What a person has to do now: beside what the command prints."""
    typer.echo(text, err=True)


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))
