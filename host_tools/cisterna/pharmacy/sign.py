"""Signatures over documents, and the parameters of the link's methods that carry them."""

from hashlib import sha256

from cisterna.pharmacy import documents
from cisterna.pharmacy.keys import ClinicKeys, Signer

PRESCRIBER, SECOND = "prescriber", "second"  # names of the bench keys, which are also their roles


def signature_hex(text: str, signer: Signer) -> str:
    """The signature over the text, 768 lower-case hex digits."""
    return signer.sign(text.encode("ascii")).hex()


def signed_by(name: str, text: str, signer: Signer) -> dict[str, str]:
    """A person's name and signature over the text: {"by", "signature"}."""
    return {"by": name, "signature": signature_hex(text, signer)}


def sha256_hex(text: str) -> str:
    """SHA-256 of the text, 64 hex digits."""
    return sha256(text.encode("ascii")).hexdigest()


def hash8(text: str) -> str:
    """The hash of a prescription that pump and host show: the first 8 hex digits of its SHA-256."""
    return sha256_hex(text)[:8]


def rx_params(text: str, keys: ClinicKeys, override_text: str | None = None) -> dict:
    """The parameters of `rx.load`, signed with the bench keys. override_text: signed too, by the second person."""
    signatures = {
        PRESCRIBER: signed_by(PRESCRIBER, text, keys.prescriber),
        SECOND: signed_by(SECOND, text, keys.second),
    }
    override = None
    if override_text is not None:
        override = {"document": override_text, **signed_by(SECOND, override_text, keys.second)}
    return {"document": text, "signatures": signatures, "override": override}


def overridden_rx_params(text: str, keys: ClinicKeys, serial: str) -> dict:
    """The parameters of `rx.load` with the first-dose ceiling lifted for this prescription on this pump."""
    return rx_params(text, keys, documents.override(serial=serial, rx_sha256=sha256_hex(text)))


def order_params(text: str, keys: ClinicKeys) -> dict:
    """The parameters of `bolus.clinician`, signed with the bench key of the prescriber."""
    return {"document": text, **signed_by(PRESCRIBER, text, keys.prescriber)}
