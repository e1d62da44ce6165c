"""Passphrases and PINs: typed without echo or read from a file; never an argument, never in the environment."""

import getpass
import os
import re
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from cisterna.errors import CisternaError

MIN_LENGTH = 10  # characters of a new passphrase
MAX_FILE_BYTES = 4096

Secret = Callable[[str], str]  # purpose -> passphrase or PIN


class PassphraseError(CisternaError):
    """There is no passphrase, or it is not usable."""


def source(path: Path | None) -> Secret:
    """A function that returns the secret of the file, or asks for it at the terminal."""
    return ask if path is None else lambda what: of_file(path)


def ask(what: str) -> str:
    """Ask at the terminal, without echo. Raises PassphraseError without a terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # raised where the echo cannot be turned off
            return getpass.getpass(f"{what}: ", stream=sys.stderr)
    except (getpass.GetPassWarning, EOFError):
        raise PassphraseError(f"{what}: no terminal to ask at; use --passphrase-file") from None


def ask_new(what: str) -> str:
    """Ask twice for a new passphrase. Raises PassphraseError if the two differ or the first is too short."""
    first = checked(ask(f"new {what}, {MIN_LENGTH} characters or more"))
    if ask(f"{what} again") != first:
        raise PassphraseError(f"{what}: the two differ; nothing was written")
    return first


def checked(passphrase: str) -> str:
    """The passphrase. Raises PassphraseError if it is shorter than MIN_LENGTH characters."""
    if len(passphrase) < MIN_LENGTH:
        raise PassphraseError(f"passphrase: held {len(passphrase)} characters; allowed: {MIN_LENGTH} or more")
    return passphrase


def of_file(path: Path) -> str:
    """The first line of the file, in UTF-8 with or without a byte-order mark.

    Raises PassphraseError if the line is empty, or the file is no regular file, is too long or is readable by others.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise PassphraseError(f"--passphrase-file {path}: is no file; allowed: a file of yours, by its name")
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PassphraseError(f"--passphrase-file {path}: others may read it; chmod 600 {path}")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise PassphraseError(f"--passphrase-file {path}: is longer than {MAX_FILE_BYTES} bytes; allowed: one line")
        # Without a byte-order mark, and up to the end of line of any system: as it would be typed.
        first = re.split("\r\n|\n|\r", data.decode("utf-8-sig"), maxsplit=1)[0]
    except OSError as error:
        raise PassphraseError(f"--passphrase-file {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PassphraseError(f"--passphrase-file {path}: is not UTF-8") from None
    if not first:
        raise PassphraseError(f"--passphrase-file {path}: its first line is empty; allowed: the passphrase or PIN")
    return first
