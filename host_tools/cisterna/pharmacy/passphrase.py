"""Passphrases and PINs: asked without an echo, or read from a file. Never an argument, never in the environment."""

import getpass
import os
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from cisterna.errors import CisternaError

LEAST = 10  # characters of a new passphrase
MOST_BYTES = 4096  # of a file that holds one

Secret = Callable[[str], str]  # told what it is for, gives the passphrase or PIN


class PassphraseError(CisternaError):
    """There is no passphrase, or not one that will do."""


def source(path: Path | None) -> Secret:
    """Where secrets come from: the file, or the person at the terminal."""
    return ask if path is None else lambda what: of_file(path)


def ask(what: str) -> str:
    """Asks the person at the terminal, without an echo. PassphraseError where there is no terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would be shown as it is typed
            return getpass.getpass(f"{what}: ", stream=sys.stderr)
    except (getpass.GetPassWarning, EOFError):
        raise PassphraseError(f"{what}: no terminal to ask at; use --passphrase-file") from None


def ask_new(what: str) -> str:
    """Asks for a new passphrase twice. PassphraseError if they differ or it is too short."""
    first = checked(ask(f"new {what}, {LEAST} characters or more"))
    if ask(f"{what} again") != first:
        raise PassphraseError(f"{what}: the two differ; nothing was written")
    return first


def checked(passphrase: str) -> str:
    """The passphrase, if it is long enough to be a new one."""
    if len(passphrase) < LEAST:
        raise PassphraseError(f"passphrase: held {len(passphrase)} characters; allowed: {LEAST} or more")
    return passphrase


def of_file(path: Path) -> str:
    """The first line of the file. PassphraseError if it is empty, no file or a long one, or others may read it."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise PassphraseError(f"--passphrase-file {path}: is no file; allowed: a file of yours, by its name")
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PassphraseError(f"--passphrase-file {path}: others may read it; chmod 600 {path}")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise PassphraseError(f"--passphrase-file {path}: is longer than {MOST_BYTES} bytes; allowed: one line")
        lines = data.decode("utf-8").splitlines()
    except OSError as error:
        raise PassphraseError(f"--passphrase-file {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PassphraseError(f"--passphrase-file {path}: is not UTF-8") from None
    if not lines or not lines[0]:
        raise PassphraseError(f"--passphrase-file {path}: its first line is empty; allowed: the passphrase or PIN")
    return lines[0]
