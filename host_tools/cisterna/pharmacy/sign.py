"""Signatures over documents, and the parameters of the link's calls that carry them."""

from hashlib import sha256

from cisterna.pharmacy import documents
from cisterna.pharmacy.keys import Keys, Signer

PRESCRIBER, SECOND = "prescriber", "second"  # of the bench keys: the name of each is its role


def signature_hex(text: str, signer: Signer) -> str:
    """The signature of the text's bytes, 768 lower-case hex digits."""
    return signer.sign(text.encode("ascii")).hex()


def signed_by(name: str, text: str, signer: Signer) -> dict[str, str]:
    """A person's signature of the text, and whose it is: {"by", "signature"}."""
    return {"by": name, "signature": signature_hex(text, signer)}


def sha256_hex(text: str) -> str:
    """SHA-256 of the document's bytes, 64 hex digits."""
    return sha256(text.encode("ascii")).hexdigest()


def hash8(text: str) -> str:
    """What pump and host both show of a prescription: the first 8 hex digits of its SHA-256."""
    return sha256_hex(text)[:8]


def prescription_call(text: str, keys: Keys, override_text: str | None = None) -> dict:
    """Parameters of `rx.load`: the prescription, signed by two, and the second's override if there is a text of one."""
    signatures = {
        PRESCRIBER: signed_by(PRESCRIBER, text, keys.prescriber),
        SECOND: signed_by(SECOND, text, keys.second),
    }
    override = None
    if override_text is not None:
        override = {"document": override_text, **signed_by(SECOND, override_text, keys.second)}
    return {"document": text, "signatures": signatures, "override": override}


def overridden_call(text: str, keys: Keys, serial: str) -> dict:
    """The parameters of `rx.load` with the first-dose ceiling lifted for exactly this prescription."""
    return prescription_call(text, keys, documents.override(serial=serial, rx_sha256=sha256_hex(text)))


def order_call(text: str, keys: Keys) -> dict:
    """The parameters of `bolus.clinician`: the order and the prescriber's signature."""
    return {"document": text, **signed_by(PRESCRIBER, text, keys.prescriber)}
