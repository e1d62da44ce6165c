"""Commands on a running pump: `status` and `log` read; `pause` and `stop` reduce or end the therapy."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from cisterna.commands.options import (
    LINK_STATUS,
    Address,
    AsJson,
    By,
    Key,
    MaybeAddress,
    Module,
    PassphraseFile,
    Role,
    signer,
)
from cisterna.commands.session import logged_on, open_pump
from cisterna.console import errors_as_lines, print_json, print_lines, progress_bar
from cisterna.errors import CisternaError

app = typer.Typer()

LOG_UNVERIFIED = 1  # exit status


@app.command(epilog=f"Example:  cisterna status unix:   {LINK_STATUS}")
def status(address: MaybeAddress = None, as_json: AsJson = False) -> None:
    """Print the identity and the state of a pump. Changes nothing on it."""
    with open_pump(address) as pump:
        from cisterna.link import status_text

        state = pump.state()
        if as_json:
            print_json({"hello": pump.hello, "state": state})
        else:
            print_lines(status_text.status_lines(pump.hello, state))


@app.command(epilog=f"Example:  cisterna log unix: --out log.jsonl   {LINK_STATUS} 1 the log is not verified.")
def log(
    address: Address,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write: one JSON object per line.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is not a log, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read all records of a pump, verify their numbers, CRC-32 and hash chain, and write them to a file.

    An existing log is replaced when the new one is complete.
    """
    with errors_as_lines():
        from cisterna.link import records

        records.check_path(out, force)
    with open_pump(address) as pump:
        from cisterna.link import workflows

        with progress_bar(f"log of {pump.name}") as progress:
            chain = workflows.read_log(pump, progress)
        records.write_jsonl(out, chain.records, lambda record: record.mono_ms / 1000, "--out")
        count, first = len(chain.records), chain.records[0].sequence if chain.records else 0
        if as_json:
            print_json({"records": count, "first": first, "verified": chain.verified, "problems": chain.problems})
        else:
            verdict = "numbers, CRC-32 and hash chain verified" if chain.verified else "NOT VERIFIED"
            print_lines([f"{count} records from number {first} on, {verdict}  {out}", *chain.problems])
    if not chain.verified:
        raise typer.Exit(LOG_UNVERIFIED)


@app.command(epilog=f"Example:  cisterna pause unix:   {LINK_STATUS}")
def pause(
    address: Address,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Your name in the people document, for the record.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help="Your private key, with --by.")] = None,
    role: Role = "clinician",
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """Pause the therapy, including boluses. START at the pump resumes it. Needs no log-on.

    With --by and --key, the pump's log names who paused it.
    """
    with open_pump(address) as pump, contextlib.ExitStack() as session:
        from cisterna.link import workflows

        if (by is None) != (key is None):
            raise CisternaError("--by and --key: one is missing; allowed: both, or neither to pause without a log-on")
        if by is not None and key is not None:
            session.enter_context(logged_on(pump, by, role, key, passphrase_file, module))
        print(f"{pump.name}: {workflows.pause(pump)}")


@app.command(epilog=f"Example:  cisterna stop unix: --by okafor --key okafor.key   {LINK_STATUS}")
def stop(
    address: Address,
    by: By,
    key: Key,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
) -> None:
    """End the therapy, as a clinician: signs that. Delivery then needs a new prescription, confirmed at the pump."""
    with open_pump(address) as pump, signer(key, passphrase_file, module) as own, pump.logged_on(by, own, "clinician"):
        from cisterna.link import workflows

        print(f"{pump.name}: {workflows.stop(pump, by, own)}; a new prescription is needed")
