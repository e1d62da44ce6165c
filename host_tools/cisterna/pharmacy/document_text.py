"""Prescriptions, people documents and libraries as lines for people, and as objects for scripts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cisterna.pharmacy import keys, sign
from cisterna.pharmacy.rx_files import RxFile

if TYPE_CHECKING:
    from pump.documents.library_document import Library
    from pump.documents.people import People

# Key of a prescription, its label, its unit
PRESCRIPTION = (
    ("serial", "pump", ""),
    ("patient", "patient", ""),
    ("sequence", "number", ""),
    ("drug", "drug", ""),
    ("concentration_ug_per_ml", "concentration", "ug/mL"),
    ("route", "route", ""),
    ("site", "site", ""),
    ("basal_ug_per_day", "basal", "ug/day"),
    ("flow_nl_per_h", "basal flow", "nL/h"),
    ("bolus_ug", "patient bolus", "ug"),
    ("bolus_duration_s", "given over", "s"),
    ("lockout_s", "lockout", "s"),
    ("max_boluses_per_h", "boluses in 1 h", "at most"),
    ("max_boluses_per_24h", "boluses in 24 h", "at most"),
    ("limit_1h_ug", "limit of 1 h", "ug"),
    ("limit_4h_ug", "limit of 4 h", "ug"),
    ("limit_24h_ug", "limit of 24 h", "ug"),
    ("syringe", "syringe", ""),
    ("fill_ul", "fill", "uL"),
    ("deadspace_ul", "line and catheter", "uL"),
    ("compliance_nl_per_kpa", "compliance", "nL/kPa"),
    ("equiv_prev_ug_per_day", "previous drug, as this one", "ug/day"),
)


def prescription_lines(values: dict[str, Any]) -> Iterator[str]:
    """One line for each value of a prescription, with its unit."""
    for key, label, unit in PRESCRIPTION:
        value = values[key]
        has_unit = isinstance(value, int) and unit and unit != "at most"
        yield f"{label:<27} {value}" + (f" {unit}{_in_common_unit(value, unit)}" if has_unit else "")


def rx_lines(rx: RxFile, values: dict[str, Any]) -> Iterator[str]:
    """Lines with the prescription, its hash, its signers and its override. No signature is checked."""
    yield from prescription_lines(values)
    yield f"{'hash':<27} {sign.hash8(rx.document)}"
    for role in ("prescriber", "second"):
        signed = rx.signature_of(role)
        yield f"{'signed as ' + role:<27} {signed.by if signed else 'nobody yet'}"
    yield f"{'first-dose ceiling':<27} " + (f"lifted by {rx.override.by}" if rx.override else "stands")


def rx_summary(rx: RxFile, values: dict[str, Any]) -> dict[str, Any]:
    """The contents of `rx_lines` as an object."""
    roles = ("prescriber", "second")
    return {
        "hash": sign.hash8(rx.document),
        "sha256": sign.sha256_hex(rx.document),
        "values": values,
        "signatures": {role: signed.by if (signed := rx.signature_of(role)) else None for role in roles},
        "override": rx.override.by if rx.override else None,
    }


def people_summary(people: "People") -> dict[str, Any]:
    """The people document as an object, with the fingerprint in place of each key."""
    persons = [
        {"name": person.name, "roles": list(person.roles), "fingerprint": keys.fingerprint(person.key)}
        for person in people.persons
    ]
    return {"kind": "people", "number": people.number, "clinic": people.clinic, "persons": persons}


def people_lines(people: "People") -> Iterator[str]:
    """One line for the document, then one for each person: name, fingerprint, roles."""
    yield f"people {people.number} of {people.clinic}"
    for person in people.persons:
        yield f"  {person.name:<16}  {keys.fingerprint(person.key)}  {', '.join(person.roles)}"


def library_summary(library: "Library") -> dict[str, Any]:
    """The library document as an object. Entries that are built into every pump are left out."""
    entries = [
        {"drug": drug, "route": route, "site": site, **_limits(entry)}
        for (drug, route, site), entry in library.entries.items()
        if not entry.bench_only
    ]
    return {"kind": "library", "number": library.number, "title": library.title, "entries": entries}


def library_lines(library: "Library") -> Iterator[str]:
    """One line for the library, then each entry with its limits."""
    summary = library_summary(library)
    yield f"library {summary['number']}: {summary['title']}"
    for entry in summary["entries"]:
        yield f"  {entry.pop('drug')}, {entry.pop('route')}, {entry.pop('site')}"
        for key, value in entry.items():
            yield f"    {key:<26} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def _limits(entry: Any) -> dict[str, Any]:
    limits = {**entry._asdict(), "concentrations_ug_per_ml": list(entry.concentrations_ug_per_ml)}
    del limits["bench_only"]
    return limits


def _in_common_unit(value: int, unit: str) -> str:
    """The value in mL, mL/h or hours and minutes, in brackets; empty for other units and below 60 s."""
    if unit in ("nL/h", "uL"):
        converted = value / (1_000_000 if unit == "nL/h" else 1_000)
        return f" ({converted:.3g} {'mL/h' if unit == 'nL/h' else 'mL'})"
    if unit == "s" and value >= 60:
        hours, rest_s = divmod(value, 3600)
        minutes, seconds = divmod(rest_s, 60)
        parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0) + [f"{seconds} s"] * (seconds > 0)
        return f" ({' '.join(parts)})"
    return ""
