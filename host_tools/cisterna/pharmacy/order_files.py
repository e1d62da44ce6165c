"""`X.order`: the order of a clinician's bolus, and the prescriber's signature."""

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from cisterna.errors import CisternaError
from cisterna.paths import use_firmware
from cisterna.pharmacy import sign
from cisterna.pharmacy.keys import Signer
from cisterna.pharmacy.rx_files import Name, SignatureRefused, check_name
from cisterna.pharmacy.signed_files import Document, SignatureHex
from cisterna.pharmacy.verification import DocumentRefused
from cisterna.strict_model import StrictModel


class OrderUnsigned(CisternaError):
    """The order is not signed; no pump accepts it."""


class OrderFile(StrictModel):
    """An order, the name of the prescriber who signed it, and the signature; both None if not signed."""

    document: Document
    by: Name | None
    signature: SignatureHex | None

    @model_validator(mode="after")
    def _check_signature_pair(self) -> "OrderFile":
        if (self.by is None) != (self.signature is None):
            allowed = "a name and its signature, or null twice"
            raise PydanticCustomError("cisterna", "{allowed}", {"key": "by", "held": self.by, "allowed": allowed})
        return self

    def params(self) -> dict[str, str]:
        """The parameters of `bolus.clinician`. Raises OrderUnsigned."""
        if self.by is None or self.signature is None:
            raise OrderUnsigned("order: not signed; allowed: signed by a prescriber (`cisterna bolus sign`)")
        return {"document": self.document, "by": self.by, "signature": self.signature}


def new(document: str) -> OrderFile:
    """An unsigned order."""
    return OrderFile(document=document, by=None, signature=None)


def values(order: OrderFile) -> dict[str, Any]:
    """The values of the order, read with the pump's own code: serial, sequence, rx, ug, over_s.

    Raises DocumentRefused for a wrong form. The dose is not checked: only the pump has the library and the limits.
    """
    use_firmware()
    from pump.base.refusal import Refused
    from pump.prescribing import bolus_order as pump_order

    try:
        parsed = pump_order.parse_order(order.document)
    except Refused as refused:
        raise DocumentRefused(refused.code, f"order: {refused}") from None
    return {key: getattr(parsed, key) for key, _ in pump_order.FIELDS[2:]}


def check_signer(order: OrderFile, name: str) -> None:
    """Raise SignatureRefused if `name` may not sign this order. The pump checks that `name` is a prescriber."""
    check_name("--by", name)
    if order.by not in (None, name):
        raise SignatureRefused(f"order: {order.by} has signed already; begin with a new file to replace it")


def add_signature(order: OrderFile, name: str, signer: Signer) -> OrderFile:
    """The order, signed. Raises SignatureRefused."""
    check_signer(order, name)
    return order.model_copy(update=sign.signed_by(name, order.document, signer))


def lines(order: OrderFile) -> Iterator[str]:
    """Lines with the values of the order, their units and the signer. The signature is not checked.

    The drug is that of the prescription, which the order names by its hash. Raises DocumentRefused.
    """
    ordered = values(order)
    for label, text in (
        ("pump", ordered["serial"]),
        ("number", ordered["sequence"]),
        ("under the prescription", ordered["rx"]),
        ("clinician's bolus", f"{ordered['ug']} ug"),
        ("given over", f"{ordered['over_s']} s ({ordered['over_s'] / 60:.3g} min)"),
        ("signed as prescriber", order.by or "nobody yet"),
    ):
        yield f"{label:<27} {text}"


def summary(order: OrderFile) -> dict[str, Any]:
    """The contents of `lines` as an object. Raises DocumentRefused."""
    return {"sha256": sign.sha256_hex(order.document), "values": values(order), "by": order.by}
