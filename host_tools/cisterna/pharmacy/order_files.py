"""`X.order`: a clinician's bolus on its way from the prescriber to the pump, in the form in which it is given it."""

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from cisterna.errors import CisternaError
from cisterna.paths import use_firmware
from cisterna.pharmacy import sign
from cisterna.pharmacy.files import Document, SignatureHex
from cisterna.pharmacy.judge import Rejected
from cisterna.pharmacy.keys import Signer
from cisterna.pharmacy.models import Strict
from cisterna.pharmacy.rx_files import Name, SignatureRefused, check_name


class OrderUnsigned(CisternaError):
    """No pump takes an order that nobody has signed."""


class OrderFile(Strict):
    """An order, and which prescriber has signed it: name and signature are None as long as nobody has."""

    document: Document
    by: Name | None
    signature: SignatureHex | None

    @model_validator(mode="after")
    def _is_whole(self) -> "OrderFile":
        if (self.by is None) != (self.signature is None):
            allowed = "a name and its signature, or null twice"
            raise PydanticCustomError("cisterna", "{allowed}", {"key": "by", "held": self.by, "allowed": allowed})
        return self

    def call(self) -> dict[str, str]:
        """The parameters of `bolus.clinician`. OrderUnsigned when nobody has signed."""
        if self.by is None or self.signature is None:
            raise OrderUnsigned("order: nobody has signed it; allowed: signed by a prescriber (`cisterna bolus sign`)")
        return {"document": self.document, "by": self.by, "signature": self.signature}


def new(document: str) -> OrderFile:
    """An order that nobody has signed yet."""
    return OrderFile(document=document, by=None, signature=None)


def values(order: OrderFile) -> dict[str, Any]:
    """What is ordered, read with the pump's own code: serial, sequence, rx, ug, over_s. Rejected: its form is wrong.

    Whether the pump would give it is not judged: library and limits are the pump's.
    """
    use_firmware()
    from pump import order as pump_order
    from pump.refusal import Refused

    try:
        read = pump_order.parse_order(order.document)
    except Refused as refused:
        raise Rejected(refused.code, f"order: {refused}") from None
    return {key: getattr(read, key) for key, _ in pump_order.FIELDS[2:]}


def check_signer(order: OrderFile, name: str) -> None:
    """Returns if the person `name` may sign; SignatureRefused otherwise. The pump knows whether he prescribes."""
    check_name("--by", name)
    if order.by not in (None, name):
        raise SignatureRefused(f"order: {order.by} has signed already; begin with a new file to replace it")


def add_signature(order: OrderFile, name: str, signer: Signer) -> OrderFile:
    """The same, signed."""
    check_signer(order, name)
    return order.model_copy(update=sign.signed_by(name, order.document, signer))


def lines(order: OrderFile) -> Iterator[str]:
    """What is ordered, each value with its unit, and who has signed; the signature is not checked.

    The drug is that of the prescription, which is named by its hash.
    """
    ordered = values(order)
    for name, said in (
        ("pump", ordered["serial"]),
        ("number", ordered["sequence"]),
        ("under the prescription", ordered["rx"]),
        ("clinician's bolus", f"{ordered['ug']} ug"),
        ("given over", f"{ordered['over_s']} s ({ordered['over_s'] / 60:.3g} min)"),
        ("signed as prescriber", order.by or "nobody yet"),
    ):
        yield f"{name:<27} {said}"


def summary(order: OrderFile) -> dict[str, Any]:
    """The same for scripts."""
    return {"sha256": sign.sha256_hex(order.document), "values": values(order), "by": order.by}
