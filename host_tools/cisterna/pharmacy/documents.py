"""Builds the exact text of the signed documents from the values of a scenario or a clinician.

One canonical form: flat JSON, the keys in a fixed order, no spaces, integers and printable ASCII only.
Only values that this form cannot hold are errors here. The pump checks the doses.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any, TypeGuard

from cisterna.errors import DocumentError

VERSION = 1
NONE = "none"  # explicitly no limit

# Written as "none" if missing or None
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
STOP_KEYS = ("type", "version", "serial", "sequence", "rx")
OVERRIDE_KEYS = ("type", "version", "serial", "rx_sha256", "what")
IMAGE_KEYS = ("type", "version", "build", "commit", "variant", "uf2_sha256")
LOG_ON_TIME = "utc_since_2020_s"
S_OF_2020 = 1_577_836_800
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

ROLES = ("prescriber", "second", "clinician", "service")  # in the order of a document


def flow_nl_per_h(basal_ug_per_day: int, concentration_ug_per_ml: int) -> int:
    """The flow in nL/h that gives a basal in ug/day, rounded down as the pump does."""
    return basal_ug_per_day * 1_000_000 // (24 * concentration_ug_per_ml)


def pump_table_values(pump: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a prescription that come from a scenario's `[pump]` table, as integers in uL and nL/kPa.

    The fill is rounded down, the others to the nearest integer. The compliance is `compliance_known_as`, not the one
    of the simulated world.
    """
    return {
        "syringe": pump["syringe"],
        "fill_ul": _thousand_times(pump["fill_ml"], ROUND_FLOOR),
        "deadspace_ul": _rounded(pump.get("deadspace_ul", 300)),
        "compliance_nl_per_kpa": _thousand_times(pump.get("compliance_known_as", 9.0), ROUND_HALF_EVEN),
    }


def prescription(values: Mapping[str, Any], *, serial: str, patient: str, sequence: int) -> str:
    """The text of a prescription.

    values: the keys of a scenario's `[prescription]` and of `pump_table_values`; `flow_nl_per_h` is derived if missing.
    Raises DocumentError for an unknown or missing key, or a value that cannot be written.
    """
    stated = {"type": "prescription", "version": VERSION}
    stated |= {"serial": serial, "patient": patient, "sequence": sequence}
    stated |= {key: NONE if values.get(key) is None else values[key] for key in OPTIONAL}
    stated |= {key: value for key, value in values.items() if key not in OPTIONAL}
    if "flow_nl_per_h" not in stated:
        stated["flow_nl_per_h"] = _derived_flow(stated)
    return _text(stated, PRESCRIPTION_KEYS)


def clinician_bolus(*, serial: str, sequence: int, rx: str, ug: int, over_s: int) -> str:
    """The text of an order of `ug` over `over_s` seconds. rx: hash8 of the prescription in force."""
    stated = {"type": "clinician_bolus", "version": VERSION, "serial": serial, "sequence": sequence}
    return _text(stated | {"rx": rx, "ug": ug, "over_s": over_s}, ORDER_KEYS)


def therapy_stop(*, serial: str, sequence: int, rx: str) -> str:
    """The text that a clinician signs to end the therapy under `rx`, hash8 of the prescription in force."""
    stated = {"type": "therapy_stop", "version": VERSION, "serial": serial, "sequence": sequence, "rx": rx}
    return _text(stated, STOP_KEYS)


def override(*, serial: str, rx_sha256: str) -> str:
    """The text that lifts the first-dose ceiling for one prescription; the second person signs it.

    rx_sha256: of the prescription's text, 64 hex digits.
    """
    stated = {"type": "override", "version": VERSION, "serial": serial, "rx_sha256": rx_sha256}
    return _text(stated | {"what": "first_dose_ceiling"}, OVERRIDE_KEYS)


def image_manifest(*, build: str, commit: str, variant: str, uf2_sha256: str) -> str:
    """The text that the authority signs to release an image. uf2_sha256: of the whole UF2 file, 64 hex digits."""
    stated = {"type": "image", "version": VERSION, "build": build, "commit": commit, "variant": variant}
    return _text(stated | {"uf2_sha256": uf2_sha256}, IMAGE_KEYS)


def log_on(*, serial: str, challenge: str, person: str, role: str, anchor: str, utc_s: int | None = None) -> str:
    """The text that a person signs to log on to a pump.

    challenge: the pump's. role: clinician or service. anchor: last value of the hash chain from which the session's
    tokens come, 64 hex digits. utc_s: the time, Unix s, for a pump that takes it.
    """
    stated = {"type": "log_on", "version": VERSION, "serial": serial, "challenge": challenge}
    stated |= {"person": person, "role": role, "anchor": anchor}
    if utc_s is None:
        return _text(stated, LOG_ON_KEYS)
    return _text(stated | {LOG_ON_TIME: utc_s - S_OF_2020}, (*LOG_ON_KEYS, LOG_ON_TIME))


def people(*, number: int, clinic: str, persons: Iterable[Mapping[str, Any]]) -> str:
    """The text of a people document: a line for the clinic, then one for each person.

    persons: each with `name`, `roles` (an iterable of ROLES), `key` (the modulus, 768 hex digits).
    """
    head = {"type": "people", "version": VERSION, "number": number, "clinic": clinic}
    lines = [_text(head, PEOPLE_KEYS)]
    lines += [_text({**person, "roles": _in_order(person["roles"])}, PERSON_KEYS) for person in persons]
    return _lines(lines)


def library(*, number: int, title: str, drugs: Iterable[Mapping[str, Any]]) -> str:
    """The text of a drug library: a line for the library, then one for each drug, route and site.

    drugs: each with DRUG_KEYS; the concentrations are an iterable of integers, ug/mL.
    """
    head = {"type": "library", "version": VERSION, "number": number, "title": title}
    lines = [_text(head, LIBRARY_KEYS)]
    for drug in drugs:
        concentrations = " ".join(str(ug_per_ml) for ug_per_ml in drug["concentrations_ug_per_ml"])
        lines.append(_text({**drug, "concentrations_ug_per_ml": concentrations}, DRUG_KEYS))
    return _lines(lines)


def _in_order(roles: Iterable[str]) -> str:
    """Each role once, in the order of ROLES. Unknown roles come last; the pump's parser refuses them."""
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
    """One line of canonical JSON with exactly `keys`. Raises DocumentError."""
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


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set('"\\')


def _thousand_times(value: float, rounding: str) -> int:
    """A decimal figure times 1000, without the error of binary fractions (2.3 mL are 2300 uL)."""
    return int((Decimal(str(value)) * 1000).to_integral_value(rounding))


def _rounded(value: float) -> int:
    return int(Decimal(str(value)).to_integral_value(ROUND_HALF_EVEN))
