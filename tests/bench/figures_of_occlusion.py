"""Time to detect an occlusion, volume released afterwards, and the rate of false alarms."""

import random
from collections.abc import Iterator
from typing import Any

import figure_scenarios
from cisterna.sim.scenario_model import Scenario
from figure_table import Figure

CODE = "occlusion_downstream"
# mL/h, goal in min, what others take
FLOWS = (
    (0.1, 60, "CRONO FIVE 5 h (500 uL)"),
    (1, 6, "37 to 87 min: 10 psi with 62 to 145 uL/psi (calculated from Snijder 2015)"),
    (5, 1.2, "CRONO FIVE 5 min (417 uL); 15 min (Dönmez, 50 mL syringe)"),
)
RELEASED_GOAL_UL = 10
RELEASED = "0.6 to 0.9 mL measured (Rooke); 2.5 uL after back-off (Wellion, label)"

DAYS, HEIGHT_KPA, MOVEMENT_KPA = 30, 12, 3
HOUR_MS = 3_600_000
SYRINGE_ML = 50.0
GUARD_ML = 8.0  # left at a refill: more than the 4 h of basal that call it low


def figures() -> Iterator[Figure]:
    for ml_per_h, goal_min, others in FLOWS:
        case = figure_scenarios.shipped(f"occlusion-{ml_per_h:g}-ml-h")
        summary = figure_scenarios.play(case).summary
        stiffness = f"{ml_per_h:g} mL/h, {case.pump.compliance_ul_per_kpa:g} uL/kPa"
        closed_s = next(action.t for action in case.at if action.do == "occlude") / 1000
        yield _alarm(summary, closed_s, stiffness, ml_per_h, goal_min, others)
        yield _released(summary["released_ul"], stiffness, case.pump.compliance_ul_per_kpa)


def _alarm(
    summary: dict[str, Any], closed_s: float, case: str, ml_per_h: float, goal_min: float, others: str
) -> Figure:
    name, goal = f"occlusion to alarm, {case}", f"<= {goal_min:g} min"
    on_s = next((alarm["t_on"] for alarm in summary["alarms"] if alarm["code"] == CODE), None)
    if on_s is None or on_s < closed_s:
        needs = "it was not found" if on_s is None else f"it was called {(closed_s - on_s) / 60:.1f} min too early"
        return Figure(name, "not found", goal, False, others, needs, {"min": None})
    found_min = (on_s - closed_s) / 60
    went_ul, may_ul = (minutes * ml_per_h * 1000 / 60 for minutes in (found_min, goal_min))
    return Figure(
        name,
        f"{found_min:.2f} min ({went_ul:.0f} uL)",
        goal,
        found_min <= goal_min,
        others,
        f"{went_ul:.0f} uL went into the closed line before the alarm; the goal allows {may_ul:.0f}",
        {"min": found_min, "pumped_ul": went_ul},
    )


def _released(ul: float, case: str, compliance: float) -> Figure:
    return Figure(
        f"released after it, {case}",
        f"{ul:.2f} uL",
        f"<= {RELEASED_GOAL_UL} uL",
        ul <= RELEASED_GOAL_UL,
        RELEASED,
        f"the back-off left the line {ul / compliance:.2f} kPa above the tip; the goal allows "
        f"{RELEASED_GOAL_UL / compliance:.2f}",
        {"ul": ul},
    )


def false_alarms() -> Iterator[Figure]:
    """Minutes of wall time: a month of a patient who moves, gets up and lies down."""
    for ml_per_h in (0.1, 1):
        case = _restless(ml_per_h)
        alarms = figure_scenarios.play(case).summary["alarms"]
        false = [alarm for alarm in alarms if alarm["code"].startswith("occlusion")]
        others = ", ".join(sorted({alarm["code"] for alarm in alarms if alarm not in false})) or "none"
        for what, stops in (("stops", True), ("warnings", False)):
            found = [alarm for alarm in false if (alarm["action"] == "stop") is stops]
            yield Figure(
                f"false occlusion {what} in {DAYS} days at {ml_per_h:g} mL/h, +-{MOVEMENT_KPA} kPa of movement, "
                f"+-{HEIGHT_KPA} kPa of height",
                str(len(found)),
                "0",
                not found,
                f"none at +-100 mmHg (CADD challenge conditions); other alarms here: {others}",
                _when(found, case),
                {"alarms": found},
            )


def _when(alarms: list[dict[str, Any]], case: Scenario) -> str:
    """How far the patient end had risen since the pump was last started."""

    def kpa(t_s: float) -> float:
        return next((act.kpa for act in reversed(case.at) if act.do == "back_pressure" and act.t <= t_s * 1000), 0)

    def started_s(t_s: float) -> float:
        return max((act.t / 1000 for act in case.at if act.do == "refill" and act.t <= t_s * 1000), default=0)

    rises = [f"{kpa(on) - kpa(started_s(on)):+g} at {on / 3600:.2f} h" for on in (alarm["t_on"] for alarm in alarms)]
    return f"the line was open; height in kPa against that of the last start: {', '.join(rises[:5])}"


def false_alarms_left_out() -> Iterator[Figure]:
    yield Figure(f"false alarms in {DAYS} days at 0.1 and 1 mL/h", "left out: takes minutes, ask with --long", "0")


def _restless(ml_per_h: float) -> Scenario:
    """Up by 12 kPa, back, down by 12 kPa, back, each 1 to 6 h; refilled before it is low."""
    rng = random.Random(1)
    actions, t_ms, kpa = [], HOUR_MS, 0
    while t_ms < DAYS * 24 * HOUR_MS:
        kpa = 0 if kpa else rng.choice((HEIGHT_KPA, -HEIGHT_KPA))
        over_s = rng.randint(2, 120)
        actions.append({"t": f"{t_ms / 1000}s", "do": "back_pressure", "kpa": kpa, "over": f"{over_s}s"})
        t_ms += rng.randint(HOUR_MS, 6 * HOUR_MS)
    lasts_h = int((SYRINGE_ML - GUARD_ML) / ml_per_h)
    refills = range(lasts_h, DAYS * 24, lasts_h)
    actions += [{"t": f"{t_h}h", "do": "refill", "ml": SYRINGE_ML} for t_h in refills]
    pump = {"syringe": "bd-50", "fill_ml": SYRINGE_ML, "movement_kpa": MOVEMENT_KPA}
    return figure_scenarios.written(f"{DAYS}d", ml_per_h, *actions, pump=pump)
