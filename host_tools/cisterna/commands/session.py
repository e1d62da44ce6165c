"""What commands on a pump share: open it, log on, load a signed document, warn when the link is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from cisterna.commands.options import signer
from cisterna.console import errors_as_lines, progress_bar, tell
from cisterna.errors import CisternaError, LinkSilent

if TYPE_CHECKING:
    from cisterna.link.pump_client import PumpClient
    from cisterna.pharmacy.signed_files import SignedFile


@contextlib.contextmanager
def open_pump(address: str | None) -> Generator[PumpClient, None, None]:
    """The pump at `address`, for the length of a `with` block whose errors become lines. None: the only pump."""
    with errors_as_lines():
        from cisterna.link import addresses

        with addresses.open_pump(address) as pump:
            yield pump


@contextlib.contextmanager
def logged_on(
    pump: PumpClient, by: str, role: str, key: str, passphrase_file: Path | None, module: str | None
) -> Generator[None, None, None]:
    """Logged on as `by` in `role` (clinician or service) for the length of a `with` block."""
    if role not in ("clinician", "service"):
        raise CisternaError(f"--as held {role}; allowed: clinician, service")
    with signer(key, passphrase_file, module) as own, pump.logged_on(by, own, role):
        yield


@contextlib.contextmanager
def warning_if_lost(effect: str) -> Generator[None, None, None]:
    """On Ctrl-C or a lost link, print what pressing START at the pump would still do: `effect`."""
    try:
        yield
    except (KeyboardInterrupt, LinkSilent):
        tell(f"at the pump: {effect}; STOP ends that")
        raise


def load_document(pump: PumpClient, kind: str, signed: SignedFile) -> str:
    """Load a people or library document unless the pump has it already. Returns the line to print."""
    from cisterna.link import workflows

    with progress_bar(f"{kind} to {pump.name}") as progress:
        is_new = workflows.load_if_new(pump, kind, signed.document, signed.signature, progress)
    result = "loaded" if is_new else "is there already: nothing was loaded"
    return f"{pump.name}: {kind} {workflows.document_number(signed.document)} {result}"
