"""`X.rx`: a prescription, the signatures of prescriber and second person, and an override."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from cisterna.errors import CisternaError
from cisterna.pharmacy import documents, keys, sign
from cisterna.pharmacy.keys import Signer
from cisterna.pharmacy.signed_files import Document, SignatureHex
from cisterna.strict_model import StrictModel

NAME = "[a-z0-9.-]{1,16}"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Role = Literal["prescriber", "second"]
ROLES: tuple[Role, ...] = ("prescriber", "second")


class SignatureRefused(CisternaError):
    """This person cannot sign this document in this role."""


class Signed(StrictModel):
    by: Name
    signature: SignatureHex


class Signatures(StrictModel):
    prescriber: Signed | None = None
    second: Signed | None = None


class Override(Signed):
    document: Document


class RxFile(StrictModel):
    """A prescription, its signatures so far, and the second person's override of the first-dose ceiling."""

    document: Document
    signatures: Signatures
    override: Override | None

    def signature_of(self, role: Role) -> Signed | None:
        return getattr(self.signatures, role)

    def params(self) -> dict[str, Any]:
        """The parameters of `rx.load`, with the signatures that exist."""
        return {
            "document": self.document,
            "signatures": self.signatures.model_dump(exclude_none=True),
            "override": self.override.model_dump() if self.override else None,
        }


def new(document: str) -> RxFile:
    """An unsigned prescription."""
    return RxFile(document=document, signatures=Signatures(), override=None)


def check_name(what: str, name: str) -> None:
    """Raise SignatureRefused unless `name` has the form of a person's name. what: the option it comes from."""
    if not re.fullmatch(NAME, name):
        raise SignatureRefused(f'{what} held "{name}"; allowed: 1 to 16 of a-z 0-9 . -')


def check_signer(rx: RxFile, role: Role, name: str, modulus_hex: str | None = None, *, lift: bool = False) -> None:
    """Raise SignatureRefused if the person `name` may not sign as `role`.

    modulus_hex: of the person's key, if known. lift: the person also lifts the first-dose ceiling.
    """
    if lift and role != "second":
        raise SignatureRefused("--override: only the second person lifts the first-dose ceiling; use --as second")
    check_name("--by", name)
    present = rx.signature_of(role)
    if present and present.by != name:
        raise SignatureRefused(f"{role}: {present.by} has signed already; begin with a new file to replace it")
    other_role: Role = "second" if role == "prescriber" else "prescriber"
    other = rx.signature_of(other_role)
    if other is None:
        return
    if other.by == name:
        raise SignatureRefused(f"{role}: {name} has signed as {other_role}; allowed: another person")
    signature = bytes.fromhex(other.signature)
    if modulus_hex and keys.is_signature(rx.document.encode("ascii"), signature, modulus_hex):
        raise SignatureRefused(f"{role}: this is the key with which {other.by} signed; allowed: another person's")


def add_signature(rx: RxFile, role: Role, name: str, signer: Signer, *, serial: str | None = None) -> RxFile:
    """The prescription with one more signature. Raises SignatureRefused.

    serial: of the pump; if given, the second person also signs an override.
    """
    check_signer(rx, role, name, signer.modulus_hex, lift=serial is not None)
    signed = Signed(**sign.signed_by(name, rx.document, signer))
    update: dict[str, Any] = {"signatures": rx.signatures.model_copy(update={role: signed})}
    if serial is not None:
        text = documents.override(serial=serial, rx_sha256=sign.sha256_hex(rx.document))
        update["override"] = Override(document=text, **sign.signed_by(name, text, signer))
    return rx.model_copy(update=update)
