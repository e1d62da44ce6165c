"""Opens a key by its name on the command line: a PEM file, pkcs11:... on a token, or bench:... of this user."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from cisterna.pharmacy import keys, passphrase
from cisterna.pharmacy.keys import KeyFileError, PrivateKey, Signer
from cisterna.pharmacy.passphrase import Secret

TOKEN = "pkcs11:"
BENCH = "bench:"

Loaded = TypeVar("Loaded")

_LABEL = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)


@contextlib.contextmanager
def opened(where: str, secret: Secret = passphrase.ask, module: str | None = None) -> Iterator[Signer]:
    """The signer for the key `where`, while the block runs.

    where   a PEM file protected by a passphrase, "pkcs11:token=...;object=..." (RFC 7512), or "bench:NAME"
    secret  returns the passphrase or PIN
    module  path of the token's PKCS#11 library
    Raises KeyFileError, PassphraseError or TokenError.
    """
    if where.startswith(TOKEN):
        from cisterna.pharmacy import token

        with token.opened(where, secret, module) as signer:
            yield signer
    elif where.startswith(BENCH):
        yield _bench_key(where)
    else:
        yield of_file(Path(where), secret)


def of_file(path: Path, secret: Secret) -> PrivateKey:
    """A person's private key in a protected PKCS#8 PEM file. Raises KeyFileError, also for an unprotected key."""
    data = _read(path)
    if _label(data) != keys.PROTECTED:
        raise KeyFileError(
            f"key {path}: held {_label(data).lower() or 'no PEM'}; allowed: a private key that a passphrase "
            "protects (`cisterna key new` makes one)"
        )
    return _naming(path, lambda: keys.private_of_pem(data, secret(f"passphrase of {path}")))


def public_modulus(where: str, secret: Secret = passphrase.ask, module: str | None = None) -> str:
    """The modulus (768 hex digits) of a public PEM file, or of a key as in `opened`. A token needs no PIN.

    Raises KeyFileError, PassphraseError or TokenError.
    """
    if where.startswith(TOKEN):
        from cisterna.pharmacy import token

        return token.modulus_hex(where, module)
    if where.startswith(BENCH):
        return _bench_key(where).modulus_hex
    path = Path(where)
    data = _read(path)
    if _label(data) == keys.PUBLIC:
        return _naming(path, lambda: keys.modulus_of_pem(data))
    return of_file(path, secret).modulus_hex


def public_modulus_of_file(path: Path) -> str:
    """The modulus (768 hex digits) of a public PEM file. Raises KeyFileError."""
    data = _read(path)
    if _label(data) != keys.PUBLIC:
        raise KeyFileError(
            f"key {path}: held {_label(data).lower() or 'no PEM'}; allowed: a public key "
            "(`cisterna key show KEY --public OUT` writes it)"
        )
    return _naming(path, lambda: keys.modulus_of_pem(data))


def _bench_key(where: str) -> Signer:
    name = where.removeprefix(BENCH)
    allowed = ("authority", *keys.PEOPLE)
    if name not in allowed:
        raise KeyFileError(f'key "{where}": allowed: {", ".join(BENCH + known for known in allowed)}')
    return getattr(keys.bench_keys(), name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"key {path}: cannot be read: {error.strerror}") from None


def _label(data: bytes) -> str:
    """The label of the first PEM block; "" if there is none."""
    found = _LABEL.search(data)
    return found.group(1).decode("ascii") if found else ""


def _naming(path: Path, load: Callable[[], Loaded]) -> Loaded:
    """The result of `load`; the path is put before the text of a KeyFileError."""
    try:
        return load()
    except KeyFileError as error:
        raise KeyFileError(f"key {path}: {error}") from None
