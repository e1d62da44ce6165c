"""The summary: one object, the same for every target; figures to 3 decimals, ug, uL, s."""

from typing import Any

from cisterna.sim.history import Alarms, Boluses, ul
from cisterna.sim.session import Session

WINDOWS = ("1h", "4h", "24h")


def build(session: Session, truth: dict[str, Any], state: str) -> dict[str, Any]:
    """The summary of a run. `truth`: the world at the end; `state`: the pump's at the end."""
    scenario = session.scenario
    boluses, alarms = Boluses(session.scenario_ms), Alarms(session.scenario_ms)
    count = 0
    for record in session.records_until(scenario.duration_ms):
        boluses.take(record)
        alarms.take(record)
        count += 1
    _fill_running(boluses, session)
    return {
        "title": scenario.title,
        "target": session.target.name,
        "sim_s": scenario.duration_ms / 1000,
        "wall_s": 0.0,
        "state": state,
        "pumped_ul": _figure(truth["pumped_ul"]),
        "delivered_ul": _figure(truth["delivered_ul"]),
        "booked_ul": _figure(session.booked_ul()),
        "booked_ug": _figure(session.booked_ug()),
        "boluses": boluses.entries(),
        "alarms": alarms.entries(),
        "peak_window_ug": {window: _figure(truth["peak_window_ug"][window]) for window in WINDOWS},
        "primed_ul": _figure(truth["primed_ul"]),
        "released_ul": _figure(truth["released_ul"]),
        "reboots": truth["reboots"],
        "refusals": sorted(session.refusals, key=lambda entry: entry["t"]),
        "log": {"records": count, "verified": session.chain.verified},
    }


def _fill_running(boluses: Boluses, session: Session) -> None:
    """What runs has no end record: the ledger's account of its kind, less what has ended, is its own."""
    for kind, entry in boluses.running().items():
        since_nl = session.state["booked"][f"{kind}_nl"] - session.booked_base["booked"][f"{kind}_nl"]
        entry["ul"] = round(max(0.0, ul(since_nl) - boluses.ended_nl(kind)), 3)


def _figure(value: float) -> float:
    """To 3 decimals; no negative zero."""
    return round(float(value), 3) + 0.0
