"""Checks documents with the pump's own code, before a person signs what a pump would refuse."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cisterna.errors import DocumentError
from cisterna.paths import use_firmware
from cisterna.pharmacy.rx_files import ROLES, Role, RxFile
from cisterna.pharmacy.signed_files import SignedFile

if TYPE_CHECKING:
    from pump.documents.library_document import Library
    from pump.documents.people import People


class DocumentRefused(DocumentError):
    """A pump would refuse this document. code: the pump's error code."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class CheckResults:
    """The checks in order: each a name, and None or the code and sentence of a refusal."""

    checks: list[tuple[str, str | None]]

    @property
    def problems(self) -> list[str]:
        return [f"{check}: {refusal}" for check, refusal in self.checks if refusal]


def people(text: str, authority: str | None = None) -> "People":
    """The people of a document. Raises DocumentRefused.

    authority: modulus (768 hex digits) that no person may have.
    """
    use_firmware()
    from pump.documents import people as pump_people

    with _translated_refusals("people"):
        parsed = pump_people.parse(text)
    for person in parsed.persons:
        if person.key == authority:
            text = f"people: people_authority: the key of {person.name} is the authority's; allowed: another"
            raise DocumentRefused("people_authority", text)
    return parsed


def check_service(people: "People") -> None:
    """Raise DocumentError if no person is service: a pump accepts such people, but no document after them."""
    if not any("service" in person.roles for person in people.persons):
        raise DocumentError(
            "people: no person is service; allowed: one or more: only they load the next people, a library or an image"
        )


def library(text: str) -> "Library":
    """The library of a document. Raises DocumentRefused."""
    use_firmware()
    from pump.documents import library_document

    with _translated_refusals("library"):
        return library_document.parse(text)


def prescription(text: str) -> Any:
    """The prescription of a document. Raises DocumentRefused for a wrong form; the doses are not checked."""
    use_firmware()
    from pump.prescribing import prescription as pump_prescription

    with _translated_refusals("prescription"):
        return pump_prescription.parse(text)


def verify(
    rx: RxFile,
    *,
    authority: str,
    people_file: SignedFile,
    library_file: SignedFile | None,
    bench: bool = False,
    after: RxFile | None = None,
) -> CheckResults:
    """Check a prescription as a pump of this authority (modulus, 768 hex digits) would.

    library_file  None: the library of the image, which only bench pumps use
    after         the prescription in force; None: `rx` is the pump's first
    Raises DocumentError if the authority did not sign people or library, or if `after` is for another pump.
    """
    use_firmware()
    from pump.authority.trust import Trust

    people_file.check(authority)
    trust = Trust(None, people(people_file.document, authority))
    if library_file is not None:
        library_file.check(authority)
        clinic_library = library(library_file.document)
        trust.library, trust.library_number = clinic_library.entries, clinic_library.number
    return _check_all(rx, trust, int(authority, 16), bench, after)


def _check_all(rx: RxFile, trust: Any, authority: int, bench: bool, after: RxFile | None) -> CheckResults:
    from pump.documents.provisioning import Provisioning
    from pump.prescribing import prescription as pump_prescription
    from pump.prescribing import rx_rules

    parsed = prescription(rx.document)
    current = prescription(after.document) if after else None
    if current and current.serial != parsed.serial:
        raise DocumentError(
            f"prescription in force: serial held {current.serial}; allowed: {parsed.serial}, of the pump of the new one"
        )
    last_sequence = current.sequence if current else parsed.sequence - 1
    trust.provisioning = Provisioning(parsed.serial, bench, authority)
    checks = [_signature(rx, role, trust) for role in ROLES]
    override, override_checks = _override(rx, trust)
    checks += override_checks
    rules = _refusal(
        lambda: rx_rules.check(parsed, trust.provisioning, trust.library_in_force(), last_sequence, current, override)
    )
    checks.append(("rules", rules))
    # The pump's complete check, for anything that the single checks above miss
    params = rx.params()
    complete = _refusal(
        lambda: pump_prescription.admit(
            params["document"], params["signatures"], params["override"], trust, last_sequence, current
        )
    )
    if not any(refusal for _, refusal in checks):
        checks.append(("as the pump does it", complete))
    return CheckResults(checks)


def _signature(rx: RxFile, role: Role, trust: Any) -> tuple[str, str | None]:
    """The check of one signature."""
    from pump.documents import signature

    signed = rx.signature_of(role)
    if signed is None:
        return role, f"rx_unsigned: no signature as {role}"
    document = rx.document.encode("ascii")
    refusal = _refusal(lambda: signature.check(document, signed.signature, trust.key(signed.by, role, "rx"), "rx"))
    return f"{role} {signed.by}", refusal


def _override(rx: RxFile, trust: Any) -> tuple[Any, list[tuple[str, str | None]]]:
    """The override in the pump's own form (None: there is none), and its check."""
    from pump.base.pieces import finish
    from pump.prescribing.override import check_override_in_pieces

    if rx.override is None:
        return None, []
    parts = (rx.override.document, rx.override.by, rx.override.signature)
    override = finish(check_override_in_pieces(*parts, trust, _prescriber_key(rx, trust)))
    return override, [(f"override {rx.override.by}", str(override.refusal) if override.refusal else None)]


def _prescriber_key(rx: RxFile, trust: Any) -> int | None:
    """The key of the person named as prescriber; None if the people document has no such prescriber."""
    from pump.base.refusal import Refused

    signed = rx.signature_of("prescriber")
    try:
        return trust.key(signed.by, "prescriber", "rx") if signed else None
    except Refused:
        return None


def _refusal(check: Callable[[], object]) -> str | None:
    """Code and sentence if `check` raises the pump's Refused; else None."""
    from pump.base.refusal import Refused

    try:
        check()
    except Refused as refused:
        return str(refused)
    return None


@contextlib.contextmanager
def _translated_refusals(name: str) -> Iterator[None]:
    from pump.base.refusal import Refused

    try:
        yield
    except Refused as refused:
        raise DocumentRefused(refused.code, f"{name}: {refused}") from None
