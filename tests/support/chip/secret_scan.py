"""Finds secrets in bytes: private keys by PEM marks, by their numbers, and text that looks like a key."""

import base64
import re
from functools import cache

from cisterna.pharmacy.keys import ClinicKeys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NAMES = ("authority", "prescriber", "second", "clinician", "service")
PARTS = ("d", "p", "q", "dmp1", "dmq1", "iqmp")
MARKS = (b"PRIVATE KEY", b"BEGIN RSA", b"BEGIN EC", b"BEGIN OPENSSH", b"passphrase=", b"password=", b"secret=")
# The object identifier of RSA keys in DER, in front of an unprotected key's octets.
RSA_IN_DER = bytes.fromhex("06092a864886f70d010101")
LONG_HEX = re.compile(rb"[0-9a-fA-F]{64,}")
LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/]{86,}={0,2}")


@cache
def numbers(keys: ClinicKeys) -> dict[str, int]:
    """The secret numbers of each key, by its name."""
    secrets = {}
    for name in NAMES:
        key = serialization.load_pem_private_key(getattr(keys, name).pem(None), None)
        assert isinstance(key, RSAPrivateKey)
        for part in PARTS:
            secrets[f"{name}.{part}"] = getattr(key.private_numbers(), part)
    return secrets


def found(data: bytes, keys: ClinicKeys) -> list[str]:
    """Secrets in `data`, and text that looks like one; empty: none."""
    seen = [mark.decode() for mark in MARKS if mark in data]
    if RSA_IN_DER in data:
        seen.append("an RSA key in DER")
    for name, number in numbers(keys).items():
        big = number.to_bytes((number.bit_length() + 7) // 8, "big")
        middle = big[16:48]  # a part that every encoding contains
        forms = (middle, middle[::-1], middle.hex().encode(), middle.hex().upper().encode())
        forms += tuple(base64.b64encode(big[start : start + 48])[4:-4] for start in range(3))
        if any(form in data for form in forms):
            seen.append(name)
    for pattern, what in ((LONG_HEX, "hex digits"), (LONG_BASE64, "base64")):
        seen += [f"{what} at {match.start()}: {match.group()[:24]!r}..." for match in pattern.finditer(data)]
    return seen
