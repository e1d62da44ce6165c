"""A changed strength: the most that leaves the tip in an hour, against the limit, wherever the front is."""

from collections.abc import Iterator

import figure_scenarios
from figure_table import Figure

DEADSPACES_UL = (100, 300, 1000)
STRENGTHS = (100, 500, 2000, 10_000)  # ug/mL, after 1000
PRESSED_AT = (0.02, 0.5, 0.85, 0.95, 1.05)  # dead spaces pumped since the exchange, at the strength of the old fluid
BASAL_ML_PER_H, BOLUS_UG, LIMIT_UG = 0.6, 100, 700  # the limit: an hour of basal and one bolus
CHANGED_S, GOAL_PERCENT = 300, 100.5


def figures() -> Iterator[Figure]:
    for ul in DEADSPACES_UL:
        cases = [(of_limit(ul, strength, at), strength, at) for strength in STRENGTHS for at in PRESSED_AT]
        (percent, reasons), strength, at = max(cases)
        refused = sum(bool(found[0][1]) for found in cases)
        yield Figure(
            f"most at the tip in 1 h, dead space {ul} uL, 1000 to {min(STRENGTHS)}..{max(STRENGTHS)} ug/mL",
            f"{percent:.1f} % of the limit",
            f"{GOAL_PERCENT:g} %",
            percent <= GOAL_PERCENT,
            "a line that is dosed as the new fluid: 404 % (dead-space case, 1000 to 100 ug/mL)",
            f"the worst: to {strength} ug/mL, pressed at {at:g} dead spaces, {reasons or 'given'}",
            {"runs": len(cases), "boluses_refused": refused, "percent": [case[0][0] for case in cases]},
        )


def of_limit(deadspace_ul: float, ug_per_ml: int, pressed_at: float) -> tuple[float, str]:
    """Percent of the 1 h limit that left the tip at most, and the reasons of refused boluses."""
    pressed_s = CHANGED_S + 10 + pressed_at * deadspace_ul / 1000 / BASAL_ML_PER_H * 3600
    case = figure_scenarios.written(
        f"{round(pressed_s * 1.2 + 1800)}s",
        BASAL_ML_PER_H,
        {"t": f"{CHANGED_S}s", "do": "prescribe", "concentration_ug_per_ml": ug_per_ml},
        {"t": f"{round(pressed_s)}s", "do": "press"},
        pump={"syringe": "bd-50", "fill_ml": 50.0, "deadspace_ul": deadspace_ul},
        bolus_ug=BOLUS_UG,
        bolus_duration_s=120,
        lockout_s=3600,
        limit_1h_ug=LIMIT_UG,
    )
    summary = figure_scenarios.play(case).summary
    reasons = ", ".join(bolus["reason"] for bolus in summary["boluses"] if bolus["reason"])
    return summary["peak_tip_ug"]["1h"] / LIMIT_UG * 100, reasons
