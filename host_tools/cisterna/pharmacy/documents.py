"""The exact text of the signed documents, built from what a scenario or a clinician states.

One canonical form: flat JSON, the keys in a fixed order, no spaces, integers and printable ASCII only.
Judging the dose is the pump's; here only what cannot be written down at all is an error.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from cisterna.errors import CisternaError

VERSION = 1
NONE = "none"  # no limit, said explicitly

# Stated as "none" when left out or None
OPTIONAL = (
    "max_boluses_per_h",
    "max_boluses_per_24h",
    "limit_1h_ug",
    "limit_4h_ug",
    "limit_24h_ug",
    "equiv_prev_ug_per_day",
)

PRESCRIPTION_KEYS = (
    "type",
    "version",
    "serial",
    "patient",
    "sequence",
    "drug",
    "concentration_ug_per_ml",
    "route",
    "site",
    "basal_ug_per_day",
    "flow_nl_per_h",
    "bolus_ug",
    "bolus_duration_s",
    "lockout_s",
    "max_boluses_per_h",
    "max_boluses_per_24h",
    "limit_1h_ug",
    "limit_4h_ug",
    "limit_24h_ug",
    "syringe",
    "fill_ul",
    "deadspace_ul",
    "compliance_nl_per_kpa",
    "equiv_prev_ug_per_day",
)
ORDER_KEYS = ("type", "version", "serial", "sequence", "rx", "ug", "over_s")
OVERRIDE_KEYS = ("type", "version", "serial", "rx_sha256", "what")
IMAGE_KEYS = ("type", "version", "build", "commit", "variant", "uf2_sha256")
LOG_ON_KEYS = ("type", "version", "serial", "challenge", "person", "role", "anchor")
PEOPLE_KEYS = ("type", "version", "number", "clinic")
PERSON_KEYS = ("name", "roles", "key")
LIBRARY_KEYS = ("type", "version", "number", "title")
DRUG_KEYS = (
    "drug",
    "route",
    "site",
    "concentrations_ug_per_ml",
    "first_dose_max_ug_per_day",
    "basal_soft_max_ug_per_day",
    "basal_hard_max_ug_per_day",
    "bolus_max_ug",
    "clinician_bolus_max_ug",
    "bolus_min_usteps",
    "bolus_duration_min_s",
    "bolus_duration_max_s",
    "lockout_min_s",
    "lockout_max_s",
    "deadspace_min_ul",
    "deadspace_max_ul",
)

ROLES = ("prescriber", "second", "clinician", "service")  # in the order in which a document lists them


class DocumentError(CisternaError):
    """A document that cannot be written as stated: the key, what it held, what is allowed."""


def flow_nl_per_h(basal_ug_per_day: int, concentration_ug_per_ml: int) -> int:
    """The flow in nL/h that gives a basal in ug/day, rounded down as the pump does."""
    return basal_ug_per_day * 1_000_000 // (24 * concentration_ug_per_ml)


def pump_keys(pump: Mapping[str, Any]) -> dict[str, Any]:
    """What a prescription states of the set, from the `[pump]` keys of a scenario: uL and nL/kPa as integers.

    The fill is rounded down, the others to the nearest. The compliance is the one the pump was told, not
    the world's.
    """
    return {
        "syringe": pump["syringe"],
        "fill_ul": _thousandfold(pump["fill_ml"], ROUND_FLOOR),
        "deadspace_ul": _whole(pump.get("deadspace_ul", 300)),
        "compliance_nl_per_kpa": _thousandfold(pump.get("compliance_known_as", 9.0), ROUND_HALF_EVEN),
    }


def prescription(values: Mapping[str, Any], *, serial: str, patient: str, sequence: int) -> str:
    """The text of a prescription. `values`: the `[prescription]` keys of a scenario and those of `pump_keys`.

    `flow_nl_per_h` is derived unless it is given (to show that a wrong one is refused).
    Raises DocumentError for a key that is missing, unknown or not an integer or text as it has to be.
    """
    stated = {"type": "prescription", "version": VERSION}
    stated |= {"serial": serial, "patient": patient, "sequence": sequence}
    stated |= {key: NONE if values.get(key) is None else values[key] for key in OPTIONAL}
    stated |= {key: value for key, value in values.items() if key not in OPTIONAL}
    if "flow_nl_per_h" not in stated:
        stated["flow_nl_per_h"] = _derived_flow(stated)
    return _text(stated, PRESCRIPTION_KEYS)


def clinician_bolus(*, serial: str, sequence: int, rx: str, ug: int, over_s: int) -> str:
    """The text of an order of `ug` over `over_s` seconds under the prescription whose hash8 is `rx`."""
    stated = {"type": "clinician_bolus", "version": VERSION, "serial": serial, "sequence": sequence}
    return _text(stated | {"rx": rx, "ug": ug, "over_s": over_s}, ORDER_KEYS)


def override(*, serial: str, rx_sha256: str) -> str:
    """The text by which a second person lets one prescription begin above the first-dose ceiling."""
    stated = {"type": "override", "version": VERSION, "serial": serial, "rx_sha256": rx_sha256}
    return _text(stated | {"what": "first_dose_ceiling"}, OVERRIDE_KEYS)


def image_manifest(*, build: str, commit: str, variant: str, uf2_sha256: str) -> str:
    """The text by which the authority lets an image run. uf2_sha256: of the whole UF2 file, 64 hex digits."""
    stated = {"type": "image", "version": VERSION, "build": build, "commit": commit, "variant": variant}
    return _text(stated | {"uf2_sha256": uf2_sha256}, IMAGE_KEYS)


def log_on(*, serial: str, challenge: str, person: str, role: str, anchor: str) -> str:
    """The text by which a person proves to a pump who he is.

    role: clinician or service. anchor: end of the chain of hashes from which the session's tokens come, 64 hex digits.
    """
    stated = {"type": "log_on", "version": VERSION, "serial": serial, "challenge": challenge}
    return _text(stated | {"person": person, "role": role, "anchor": anchor}, LOG_ON_KEYS)


def people(*, number: int, clinic: str, persons: Iterable[Mapping[str, Any]]) -> str:
    """The text that says who is who: a line for the clinic, then one a person.

    persons: `name`, `roles` (an iterable of ROLES), `key` (the modulus, 768 hex digits).
    """
    head = {"type": "people", "version": VERSION, "number": number, "clinic": clinic}
    lines = [_text(head, PEOPLE_KEYS)]
    lines += [_text({**person, "roles": _in_order(person["roles"])}, PERSON_KEYS) for person in persons]
    return _lines(lines)


def library(*, number: int, title: str, drugs: Iterable[Mapping[str, Any]]) -> str:
    """The text of a drug library: a line for the whole, then one for each drug, route and site.

    drugs: the keys of DRUG_KEYS, with the concentrations as an iterable of integers in ug/mL.
    """
    head = {"type": "library", "version": VERSION, "number": number, "title": title}
    lines = [_text(head, LIBRARY_KEYS)]
    for drug in drugs:
        concentrations = " ".join(str(ug_per_ml) for ug_per_ml in drug["concentrations_ug_per_ml"])
        lines.append(_text({**drug, "concentrations_ug_per_ml": concentrations}, DRUG_KEYS))
    return _lines(lines)


def _in_order(roles: Iterable[str]) -> str:
    """Each role once, in the order of ROLES; what is no role stays, at the end, for the pump's reading to refuse."""
    stated = dict.fromkeys(roles)
    return " ".join([role for role in ROLES if role in stated] + [role for role in stated if role not in ROLES])


def _lines(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _derived_flow(stated: Mapping[str, Any]) -> int:
    basal, concentration = (stated.get(key) for key in ("basal_ug_per_day", "concentration_ug_per_ml"))
    if not (_is_integer(basal) and _is_integer(concentration)) or concentration < 1:
        held = f"basal_ug_per_day {basal!r}, concentration_ug_per_ml {concentration!r}"
        allowed = "integers, concentration 1 or more"
        raise DocumentError(f"flow_nl_per_h: cannot be derived from {held}; allowed: {allowed}")
    return flow_nl_per_h(basal, concentration)


def _text(stated: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    unknown = [key for key in stated if key not in keys]
    missing = [key for key in keys if key not in stated]
    if unknown or missing:
        problems = [f"{key}: unknown key" for key in unknown] + [f"{key}: missing" for key in missing]
        raise DocumentError("\n".join(f"{problem}; allowed: {', '.join(keys)}" for problem in problems))
    for key in keys:
        if not (_is_integer(stated[key]) or _is_plain(stated[key])):
            allowed = "an integer, or printable ASCII text without quote and backslash"
            raise DocumentError(f"{key}: holds {stated[key]!r}; allowed: {allowed}")
    return json.dumps({key: stated[key] for key in keys}, separators=(",", ":"))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set('"\\')


def _thousandfold(value: float, rounding: str) -> int:
    """A decimal figure times 1000, without the dust of binary fractions (2.3 mL are 2300 uL)."""
    return int((Decimal(str(value)) * 1000).to_integral_value(rounding))


def _whole(value: float) -> int:
    return int(Decimal(str(value)).to_integral_value(ROUND_HALF_EVEN))
