"""Morphine equivalents, for reports only: the pump works in ug of its own drug.

The ratio is by intrathecal mass at steady state. Published ratios disagree (2 to 6 for hydromorphone), so every printed
equivalent stands with its ratio (`footnote`).
"""

import math

RATIO = {"morphine": 1.0, "hydromorphone": 5.0}
LOWEST, HIGHEST = 1.0, 20.0  # a ratio outside this range is taken for a mistake
DISPLAY = {"morphine": "MORPHINE", "hydromorphone": "HYDROmorphone", "test-fluid": "TEST FLUID (engineering)"}


def morphine_ug(drug: str, ug: float) -> float | None:
    """`ug` of `drug` in ug of morphine; None if `drug` is no opioid."""
    ratio = RATIO.get(drug)
    return None if ratio is None else ug * ratio


def restated_ug(ug: int, drug: str, as_drug: str) -> int | None:
    """`ug` of `drug` as whole ug of `as_drug`, rounded up; None if there is no ratio, or nothing to restate."""
    if drug not in RATIO or as_drug not in RATIO:
        return None
    return math.ceil(ug * RATIO[drug] / RATIO[as_drug]) or None


def footnote(drug: str) -> str:
    """The line to print under every equivalent."""
    if drug not in RATIO:
        return "No morphine equivalent: engineering fluid."
    return f"Morphine equivalent: x{RATIO[drug]:g} by intrathecal mass, for comparison only; no dosing advice."
