"""RSA-3072 keys: in memory, as PEM, and the five bench keys of this user. Private keys never leave this computer."""

import contextlib
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import platformdirs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    RSAPublicNumbers,
    generate_private_key,
)

from cisterna.errors import CisternaError

BITS = 3072
EXPONENT = 65537
PROTECTED = "ENCRYPTED PRIVATE KEY"  # label of a PEM block (RFC 7468)
PUBLIC = "PUBLIC KEY"

PEOPLE = ("prescriber", "second", "clinician", "service")  # of the bench; the name of each is its role


class KeyFileError(CisternaError):
    """A key file that does not hold the expected RSA-3072 key, or cannot be read or written."""


class Signer(Protocol):
    """A private key in memory or on a token."""

    @property
    def modulus_hex(self) -> str:
        """The public modulus, 768 lower-case hex digits."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`, 384 bytes: RSASSA-PKCS1-v1_5, SHA-256."""
        ...


class PrivateKey:
    """A private key in the memory of this process."""

    def __init__(self, key: RSAPrivateKey):
        self._key = key
        self._modulus_hex = _hex(key.public_key())

    def __repr__(self) -> str:
        return f"<private key {fingerprint(self.modulus_hex)}>"

    @property
    def modulus_hex(self) -> str:
        return self._modulus_hex

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, PKCS1v15(), hashes.SHA256())

    def pem(self, passphrase: str | None) -> bytes:
        """The key as PKCS#8 PEM, encrypted with the passphrase. None: not encrypted, for bench keys only."""
        protection = pem.BestAvailableEncryption(passphrase.encode()) if passphrase else pem.NoEncryption()
        return self._key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, protection)


def generate() -> PrivateKey:
    """A new RSA-3072 key; takes some tenths of a second."""
    return PrivateKey(generate_private_key(EXPONENT, BITS))


def private_of_pem(data: bytes, passphrase: str | None, *, trusted: bool = False) -> PrivateKey:
    """The private key in PEM data. trusted: skip the consistency check of its numbers, which takes 0.2 s.

    Raises KeyFileError, without the file's name, if there is no such key or the passphrase is wrong.
    """
    password = None if passphrase is None else passphrase.encode()
    try:
        key = pem.load_pem_private_key(data, password, unsafe_skip_rsa_key_validation=trusted)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if passphrase is not None and "password" in str(error).lower():
            raise KeyFileError("the passphrase is wrong") from None
        if passphrase is not None and b"ENCRYPTED" in data:  # one wrong passphrase in 256 leaves a valid padding
            raise KeyFileError(f"the passphrase is wrong, or the file holds no whole RSA-{BITS} private key") from None
        raise KeyFileError(f"holds no RSA-{BITS} private key") from None
    if not isinstance(key, RSAPrivateKey) or not _is_rsa_3072(key.public_key()):
        raise KeyFileError(f"holds no RSA-{BITS} private key with exponent {EXPONENT}")
    return PrivateKey(key)


def modulus_of_pem(data: bytes) -> str:
    """The modulus (768 hex digits) of a public key in PEM data. Raises KeyFileError, without the file's name."""
    try:
        key = pem.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or not _is_rsa_3072(key):
        raise KeyFileError(f"holds no RSA-{BITS} public key with exponent {EXPONENT}")
    return _hex(key)


def public_pem(modulus_hex: str) -> bytes:
    """The public key as PEM (SubjectPublicKeyInfo)."""
    return _public(modulus_hex).public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)


def is_signature(data: bytes, signature: bytes, modulus_hex: str) -> bool:
    """True if `signature` over `data` is by the key with this modulus (768 hex digits)."""
    try:
        _public(modulus_hex).verify(signature, data, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def fingerprint(modulus_hex: str) -> str:
    """The first 16 hex digits of the SHA-256 of the modulus as text; people and pumps compare it."""
    return sha256(modulus_hex.encode("ascii")).hexdigest()[:16]


def _public(modulus_hex: str) -> RSAPublicKey:
    return RSAPublicNumbers(EXPONENT, int(modulus_hex, 16)).public_key()


def _is_rsa_3072(key: RSAPublicKey) -> bool:
    return key.key_size == BITS and key.public_numbers().e == EXPONENT


def _hex(key: RSAPublicKey) -> str:
    return f"{key.public_numbers().n:0{BITS // 4}x}"


# The bench


@dataclass(frozen=True)
class ClinicKeys:
    """The signing keys around one pump: the authority's, and one for each role. The pump knows only their moduli."""

    authority: Signer
    prescriber: Signer
    second: Signer
    clinician: Signer
    service: Signer


def bench_keys(folder: Path | None = None) -> ClinicKeys:
    """The bench keys of this user, generated at the first call.

    folder: of the key files; by default `keys` in the user's data folder, readable by this user only. Two processes
    that make the first call at once get the same keys. Raises KeyFileError.
    """
    folder = folder or Path(platformdirs.user_data_dir("cisterna")) / "keys"
    return ClinicKeys(**{name: _bench_key(folder / f"bench-{name}.pem") for name in ("authority", *PEOPLE)})


def _bench_key(path: Path) -> PrivateKey:
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_once(path, generate().pem(None))
        return private_of_pem(path.read_bytes(), None, trusted=True)
    except OSError as error:
        allowed = "a file this user can make and read"
        raise KeyFileError(f"bench key {path}: {error.strerror}; allowed: {allowed}") from error
    except KeyFileError as error:
        raise KeyFileError(f"bench key {path}: {error}; move it away to get a new one") from None


def _write_once(path: Path, text: bytes) -> None:
    """Write the key to `path` unless another process was faster. The file appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # the key of the other process is used
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
