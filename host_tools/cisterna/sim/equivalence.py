"""Morphine equivalents for reports, never for the pump: it works in native ug of its own drug.

The ratio is by intrathecal mass at steady state. Published ones disagree (2 to 6 for hydromorphone), so
whoever prints an equivalent prints the ratio beside it.
"""

RATIO = {"morphine": 1.0, "hydromorphone": 5.0}
LOWEST, HIGHEST = 1.0, 20.0  # outside it a factor is a mistake, not an opinion
DISPLAY = {"morphine": "MORPHINE", "hydromorphone": "HYDROmorphone", "test-fluid": "TEST FLUID (engineering)"}


def morphine_ug(drug: str, ug: float) -> float | None:
    """`ug` of `drug` as ug of morphine; None for a fluid that is no opioid."""
    ratio = RATIO.get(drug)
    return None if ratio is None else ug * ratio


def footnote(drug: str) -> str:
    """The line that must stand under every equivalent."""
    if drug not in RATIO:
        return "No morphine equivalent: engineering fluid."
    return f"Morphine equivalent: x{RATIO[drug]:g} by intrathecal mass, for comparison only; no dosing advice."
