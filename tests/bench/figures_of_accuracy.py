"""Accuracy of delivery from rows of the trace: mean flow, the trumpet curve, single boluses."""

from collections.abc import Iterator

import figure_scenarios
from cisterna.sim.trace import Row
from figure_table import Figure

HOUR_S = 3600
SAMPLE_S = 30  # S of IEC 60601-2-24
TRUMPET = ((2, 5.0), (5, None), (11, None), (19, None), (31, 1.0))  # window in min, goal in %
FLOWS = ((0.1, "bd-10", 10.0), (1, "bd-10", 10.0), (10, "bd-50", 50.0))  # mL/h, from which syringe
BOLUSES, BOLUS_UL, EACH_S = 25, 50, 130
FLOW_GOAL, BOLUS_GOAL = 0.5, 2.0  # %

PUMPS = "syringe pumps +-2 % (B.Braun compact plus, manual p. 42), CADD-Solis +-6 % (p. 74), implants +-14.5 % (label)"


def figures() -> Iterator[Figure]:
    yield from mean_flow()
    yield from trumpet()
    yield boluses()


def mean_flow() -> Iterator[Figure]:
    for ml_per_h, syringe, fill_ml in FLOWS:
        case = figure_scenarios.written("2h", ml_per_h, pump={"syringe": syringe, "fill_ml": fill_ml})
        _, first, second = figure_scenarios.play(case, HOUR_S).rows
        delivered, pumped = _errors(first, second, ml_per_h)
        yield Figure(
            f"mean flow error in hour 2, {ml_per_h:g} mL/h ({syringe})",
            f"{delivered:+.3f} %",
            f"+-{FLOW_GOAL:g} %",
            abs(delivered) <= FLOW_GOAL,
            PUMPS if ml_per_h == FLOWS[0][0] else "",
            _where_lost(delivered, pumped),
            {"delivered_percent": delivered, "pumped_percent": pumped},
        )


def trumpet() -> Iterator[Figure]:
    """IEC 60601-2-24: the extremes of the mean error over every window of a length in hour 2, a sample apart."""
    rows = figure_scenarios.play(figure_scenarios.written("2h", 1), SAMPLE_S).rows[HOUR_S // SAMPLE_S :]
    for minutes, goal in TRUMPET:
        span = minutes * 60 // SAMPLE_S
        pairs = [_errors(row, later, 1) for row, later in zip(rows, rows[span:], strict=False)]
        low, high = min(pairs), max(pairs)
        worst = max(low, high, key=lambda pair: abs(pair[0]))
        yield Figure(
            f"trumpet error at 1 mL/h, windows of {minutes} min",
            f"{low[0]:+.2f} to {high[0]:+.2f} %",
            "" if goal is None else f"+-{goal:g} %",
            None if goal is None else abs(worst[0]) <= goal,
            "windows and sample of 0.5 min as in IEC 60601-2-24" if minutes == TRUMPET[0][0] else "",
            _where_lost(*worst),
            {"min_percent": low[0], "max_percent": high[0], "windows": len(pairs)},
        )


def boluses() -> Figure:
    """Nothing but boluses: what the plunger did from just before each press to just before the next."""
    press = {"t": "1s", "do": "press", "hold_ms": 200, "count": BOLUSES, "gap_ms": EACH_S * 1000 - 200}
    case = figure_scenarios.written(f"{BOLUSES * EACH_S + 1}s", 0, press, bolus_ug=BOLUS_UL)
    outcome = figure_scenarios.play(case, EACH_S)
    given = [entry["ul"] for entry in outcome.summary["boluses"] if entry["result"] == "delivered"]
    pumped = [after.pumped_ul - row.pumped_ul for row, after in zip(outcome.rows, outcome.rows[1:], strict=False)]
    errors = [(ul / BOLUS_UL - 1) * 100 for ul in pumped]
    worst = max(range(len(errors)), key=lambda place: abs(errors[place]))
    return Figure(
        f"{BOLUSES} successive boluses of {BOLUS_UL} uL, each: min, mean, max",
        f"{min(errors):+.2f}, {sum(errors) / len(errors):+.2f}, {max(errors):+.2f} %",
        f"+-{BOLUS_GOAL:g} %",
        len(given) == BOLUSES and abs(errors[worst]) <= BOLUS_GOAL,
        "CADD-Solis, 0.05 mL: mean +1.6 %, -3.0 to +4.2 % (manual p. 75)",
        f"{len(given)} of {BOLUSES} were delivered; the worst, number {worst + 1}, pumped {pumped[worst]:.3f} uL",
        {"error_percent": errors, "booked_ul": given},
    )


def _errors(row: Row, later: Row, ml_per_h: float) -> tuple[float, float]:
    """Of what was delivered, and of what the plunger did, between two rows: % of what is prescribed."""
    prescribed_ul = ml_per_h * 1000 * (later.t_s - row.t_s) / HOUR_S
    moved_ul = (later.delivered_ul - row.delivered_ul, later.pumped_ul - row.pumped_ul)
    return tuple((ul / prescribed_ul - 1) * 100 for ul in moved_ul)


def _where_lost(delivered: float, pumped: float) -> str:
    part = "the plunger: its steps or its mechanics" if abs(pumped) >= abs(delivered) / 2 else "the line behind it"
    return f"of {delivered:+.3f} % the plunger made {pumped:+.3f} %, so what is to be mended is {part}"
