"""What commands that sign share: the prompt before a signature."""

import typer

from cisterna.errors import CisternaError


def ask_to_type(what: str, expected: str) -> None:
    """Ask the signer to type a value that the document shows. Raises CisternaError if another text or none is typed."""
    try:
        typed = typer.prompt(f"To sign, type {what}", err=True)
    except typer.Abort:
        raise CisternaError(f"nothing was signed: no answer; allowed: {what}, or --yes") from None
    if typed.strip().lower() != expected:
        raise CisternaError(f'nothing was signed: "{typed}" is not {what}')
