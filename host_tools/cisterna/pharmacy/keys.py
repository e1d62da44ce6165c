"""The signing keys of this user's bench: a prescriber and a second person. They never leave this computer."""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from cisterna.errors import CisternaError

BITS = 3072
EXPONENT = 65537


class KeyFileError(CisternaError):
    """A key file that is there but is no RSA-3072 private key, or cannot be read or written."""


@dataclass(frozen=True)
class Keys:
    """Two persons' private keys. The pump knows only their moduli."""

    prescriber: RSAPrivateKey
    second: RSAPrivateKey


def generate() -> RSAPrivateKey:
    """A new RSA-3072 key; takes about a second."""
    return generate_private_key(EXPONENT, BITS)


def modulus_hex(key: RSAPrivateKey) -> str:
    """The public modulus as 768 lower-case hex digits, as the pump is told it."""
    return f"{key.public_key().public_numbers().n:0{BITS // 4}x}"


def bench_keys(folder: Path | None = None) -> Keys:
    """The bench keys of this user, made at the first call and then always the same.

    folder: where they lie; by default `keys` in the user's data folder, readable by this user only. Two
    processes that call this for the first time at once get the same keys. Raises KeyFileError.
    """
    folder = folder or Path(platformdirs.user_data_dir("cisterna")) / "keys"
    return Keys(_key(folder / "bench-prescriber.pem"), _key(folder / "bench-second.pem"))


def _key(path: Path) -> RSAPrivateKey:
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_once(path, generate())
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        allowed = "a file this user can make and read"
        raise KeyFileError(f"bench key {path}: {error.strerror}; allowed: {allowed}") from error
    except ValueError:
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size != BITS:
        raise KeyFileError(
            f"bench key {path}: holds no RSA-{BITS} private key; move it away to get a new one"
        )
    return key


def _write_once(path: Path, key: RSAPrivateKey) -> None:
    """Put the key at `path` unless another process was faster. A link appears whole or not."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # then the other process's key counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
