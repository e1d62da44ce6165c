"""What a pump would say, in the pump's own code: nobody signs, or takes for good, what it would refuse."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cisterna.paths import use_firmware
from cisterna.pharmacy.documents import DocumentError
from cisterna.pharmacy.files import SignedFile
from cisterna.pharmacy.rx_files import ROLES, Role, RxFile

if TYPE_CHECKING:
    from pump.library_document import Library
    from pump.people import People
    from pump.prescription import Prescription


class Rejected(DocumentError):
    """A pump would refuse this. `code` is its own stable word."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Verdict:
    """What came of each check, in turn: what was looked at, and None or the code and sentence of a refusal."""

    checks: list[tuple[str, str | None]]

    @property
    def problems(self) -> list[str]:
        return [f"{what}: {said}" for what, said in self.checks if said]


def people(text: str, authority: str | None = None) -> "People":
    """The people of a document. authority: modulus (768 hex digits) that must be no person's. Raises Rejected."""
    use_firmware()
    from pump import people as pump_people

    with _rejecting("people"):
        read = pump_people.parse(text)
    for person in read.persons:
        if person.key == authority:
            said = f"people: people_authority: the key of {person.name} is the authority's; allowed: another"
            raise Rejected("people_authority", said)
    return read


def check_service(people: "People") -> None:
    """Returns if somebody is service; else DocumentError. A pump takes such people, and never anything after them."""
    if not any("service" in person.roles for person in people.persons):
        raise DocumentError(
            "people: nobody is service; allowed: one or more, for only they load the next people, a library or an image"
        )


def library(text: str) -> "Library":
    """The library of a document. Raises Rejected."""
    use_firmware()
    from pump import library_document

    with _rejecting("library"):
        return library_document.parse(text)


def prescription(text: str) -> "Prescription":
    """The prescription in a document whose form is exact; what it says is not judged. Raises Rejected."""
    use_firmware()
    from pump import prescription as pump_prescription

    with _rejecting("prescription"):
        return pump_prescription.parse(text)


def verify(
    rx: RxFile,
    *,
    authority: str,
    people_file: SignedFile,
    library_file: SignedFile | None,
    bench: bool = False,
    after: RxFile | None = None,
) -> Verdict:
    """Judges a prescription as a pump of this authority (modulus, 768 hex digits) would.

    library_file  None: the library of the image, which only a pump of the bench takes
    after         the prescription that is in force; None: this is to be the pump's first
    Raises DocumentError where people or library are not the authority's, or `after` is another pump's: then nothing can
    be said of the rest.
    """
    use_firmware()
    from pump.trust import Trust

    people_file.check(authority)
    trust = Trust(None, people(people_file.document, authority))
    if library_file is not None:
        library_file.check(authority)
        clinics = library(library_file.document)
        trust.library, trust.library_number = clinics.entries, clinics.number
    return _verdict(rx, trust, int(authority, 16), bench, after)


def _verdict(rx: RxFile, trust: Any, authority: int, bench: bool, after: RxFile | None) -> Verdict:
    from pump import prescription as pump_prescription
    from pump import rx_rules
    from pump.provisioning import Provisioning

    read = prescription(rx.document)
    current = prescription(after.document) if after else None
    if current and current.serial != read.serial:
        raise DocumentError(
            f"prescription in force: serial held {current.serial}; allowed: {read.serial}, of the pump of the new one"
        )
    last_sequence = current.sequence if current else read.sequence - 1
    trust.provisioning = Provisioning(read.serial, bench, authority)
    checks = [_signature(rx, role, trust) for role in ROLES]
    given, override_checks = _override(rx, trust)
    checks += override_checks
    rules = _refusal(
        lambda: rx_rules.check(read, trust.provisioning, trust.library_in_force(), last_sequence, current, given)
    )
    checks.append(("rules", rules))
    # The pump's whole way, for what the parts above may not see
    call = rx.call()
    whole = _refusal(
        lambda: pump_prescription.admit(
            call["document"], call["signatures"], call["override"], trust, last_sequence, current
        )
    )
    if not any(said for _, said in checks):
        checks.append(("as the pump does it", whole))
    return Verdict(checks)


def _signature(rx: RxFile, role: Role, trust: Any) -> tuple[str, str | None]:
    from pump import signature

    signed = rx.signature_of(role)
    if signed is None:
        return role, f"rx_unsigned: nobody has signed as {role}"
    document = rx.document.encode("ascii")
    said = _refusal(lambda: signature.check(document, signed.signature, trust.key(signed.by, role, "rx"), "rx"))
    return f"{role} {signed.by}", said


def _override(rx: RxFile, trust: Any) -> tuple[Any, list[tuple[str, str | None]]]:
    """The override in the pump's own form, None if there is none, and what came of its check."""
    from pump.override import proving
    from pump.work import finish

    if rx.override is None:
        return None, []
    parts = (rx.override.document, rx.override.by, rx.override.signature)
    given = finish(proving(*parts, trust, _prescribers_key(rx, trust)))
    return given, [(f"override {rx.override.by}", str(given.refusal) if given.refusal else None)]


def _prescribers_key(rx: RxFile, trust: Any) -> int | None:
    """The key of who is said to have signed as prescriber; None if the people have no such prescriber."""
    from pump.refusal import Refused

    signed = rx.signature_of("prescriber")
    try:
        return trust.key(signed.by, "prescriber", "rx") if signed else None
    except Refused:
        return None


def _refusal(check: Callable[[], object]) -> str | None:
    """Code and sentence of what a check of the pump's refuses; None if it passes."""
    from pump.refusal import Refused

    try:
        check()
    except Refused as refused:
        return str(refused)
    return None


@contextlib.contextmanager
def _rejecting(name: str) -> Iterator[None]:
    from pump.refusal import Refused

    try:
        yield
    except Refused as refused:
        raise Rejected(refused.code, f"{name}: {refused}") from None
