"""The exact text of the signed documents, built from what a scenario or a clinician states.

One canonical form: flat JSON, the keys in a fixed order, no spaces, integers and printable ASCII only.
Judging the dose is the pump's; here only what cannot be written down at all is an error.
"""

import json
from collections.abc import Mapping
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
