"""Signatures, and the parameters of the link's calls that carry them. RSASSA-PKCS1-v1_5, SHA-256."""

from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cisterna.pharmacy import documents
from cisterna.pharmacy.keys import Keys


def signature_hex(text: str, key: RSAPrivateKey) -> str:
    """The signature of the text's bytes by this key, lower-case hex."""
    return key.sign(text.encode("ascii"), PKCS1v15(), hashes.SHA256()).hex()


def sha256_hex(text: str) -> str:
    """SHA-256 of the document's bytes, 64 hex digits."""
    return sha256(text.encode("ascii")).hexdigest()


def hash8(text: str) -> str:
    """What pump and host both show of a prescription: the first 8 hex digits of its SHA-256."""
    return sha256_hex(text)[:8]


def prescription_call(text: str, keys: Keys, override_text: str | None = None) -> dict:
    """Parameters of `rx.load`: the prescription, signed, and a second person's override if there is one."""
    call = {"document": text, "signatures": {"prescriber": signature_hex(text, keys.prescriber)}}
    if override_text is not None:
        call["override"] = {"document": override_text, "signature": signature_hex(override_text, keys.second)}
    return call


def overridden_call(text: str, keys: Keys, serial: str) -> dict:
    """The parameters of `rx.load` with the first-dose ceiling lifted for exactly this prescription."""
    return prescription_call(text, keys, documents.override(serial=serial, rx_sha256=sha256_hex(text)))


def order_call(text: str, keys: Keys) -> dict:
    """The parameters of `bolus.clinician`: the order and the prescriber's signature."""
    return {"document": text, "signature": signature_hex(text, keys.prescriber)}
