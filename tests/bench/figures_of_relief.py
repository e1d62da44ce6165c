"""What is let go when a closed line opens, by the moment at which motion was ended and by what ended it."""

from collections.abc import Iterator
from typing import Any

import figure_scenarios
from figure_table import Figure

CLOSED_S = 600
GOAL_UL = 10
PER_UL_KPA = 9  # above this compliance the goal grows with it
OTHERS = "0.6 to 0.9 mL measured (Rooke); 2.5 uL after back-off (Wellion, label)"

Action = dict[str, Any]


def _door(at_s: float) -> list[Action]:
    return [_at(at_s, "door", open=True), _at(at_s + 30, "door", open=False)]


def _cut(at_s: float) -> list[Action]:
    return [_at(at_s, "power", off_for="3s")]


def _stop(at_s: float) -> list[Action]:
    return [_at(at_s, "press", button="stop")]


WAYS = {"door opened": _door, "power cut": _cut, "stop key": _stop}
# mL/h, uL/kPa, uL pumped into the closed line between two moments, most of them
SWEEPS = ((0.6, 9.0, 4.0, 92.0), (0.1, 9.0, 12.0, 84.0), (5.0, 9.0, 12.0, 84.0), (0.6, 21.0, 25.0, 175.0))


def figures() -> Iterator[Figure]:
    for ml_per_h, compliance, step_ul, most_ul in SWEEPS:
        moments_ul = [step_ul * k for k in range(1, int(most_ul / step_ul) + 1)]
        for way, ends in WAYS.items():
            found = [(_released_ul(ml_per_h, compliance, ends, ul), ul) for ul in moments_ul]
            yield _worst(way, ml_per_h, compliance, found)


def _released_ul(ml_per_h: float, compliance: float, ends: Any, after_ul: float) -> float:
    """uL let go by a line that closed at CLOSED_S, motion ended `after_ul` later, and that opened long after."""
    at_s = round(CLOSED_S + after_ul * 3.6 / ml_per_h, 1)
    actions = [_at(CLOSED_S, "occlude"), *ends(at_s), _at(at_s + 300, "clear")]
    pump = {"compliance_ul_per_kpa": compliance, "compliance_known_as": compliance, "deadspace_ul": 50}
    case = figure_scenarios.written(f"{at_s + 660:.1f}s", ml_per_h, *actions, pump=pump)
    return figure_scenarios.play(case).summary["released_ul"]


def _worst(way: str, ml_per_h: float, compliance: float, found: list[tuple[float, float]]) -> Figure:
    ul, after_ul = max(found)
    goal_ul = GOAL_UL * max(1, compliance / PER_UL_KPA)
    return Figure(
        f"{way} at {len(found)} moments, {ml_per_h:g} mL/h, {compliance:g} uL/kPa: let go at most",
        f"{ul:.1f} uL ({ul:.1f} ug of 1 mg/mL)",
        f"<= {goal_ul:.0f} uL",
        ul <= goal_ul,
        OTHERS,
        f"the worst came {after_ul:g} uL after the line had closed",
        {"released_ul": ul, "after_ul": after_ul, "all": found},
    )


def _at(at_s: float, do: str, **keys: Any) -> Action:
    return {"t": f"{at_s:.1f}s", "do": do, **keys}
