"""Builds the summary: one object, with the same keys for every target; figures in ug, uL and s to 3 decimals."""

from typing import Any

from cisterna.sim.history import Alarms, Boluses, ul
from cisterna.sim.scenario_host import ScenarioHost

WINDOWS = ("1h", "4h", "24h")


def build(host: ScenarioHost, truth: dict[str, Any], state: str) -> dict[str, Any]:
    """The summary of a run. truth: `Target.truth` at the end; state: the pump's state at the end."""
    scenario = host.scenario
    boluses, alarms = Boluses(host.scenario_ms), Alarms(host.scenario_ms)
    count = 0
    for record in host.records_until(scenario.duration_ms):
        boluses.take(record)
        alarms.take(record)
        count += 1
    for record in host.chain.records[count:]:  # of a power cut before the end, written when the pump is up again
        if record.name == "bolus_cut":
            boluses.take(record)
    _fill_running(boluses, host)
    _add_lost_orders(host)
    return {
        "title": scenario.title,
        "target": host.target.name,
        "sim_s": scenario.duration_ms / 1000,
        "wall_s": 0.0,
        "state": state,
        "pumped_ul": _figure(truth["pumped_ul"]),
        "delivered_ul": _figure(truth["delivered_ul"]),
        "booked_ul": _figure(host.booked_ul()),
        "booked_ug": _figure(host.booked_ug()),
        "boluses": boluses.entries(),
        "alarms": alarms.entries(),
        "peak_window_ug": {window: _figure(truth["peak_window_ug"][window]) for window in WINDOWS},
        "peak_tip_ug": {window: _figure(truth["peak_tip_ug"][window]) for window in WINDOWS},
        "primed_ul": _figure(truth["primed_ul"]),
        "released_ul": _figure(truth["released_ul"]),
        "lost_ul": _figure(truth["lost_ul"]),
        "reboots": truth["reboots"],
        "refusals": sorted(host.refusals, key=lambda entry: entry["t"]),
        "log": {"records": count, "verified": host.chain.verified},
    }


def _fill_running(boluses: Boluses, host: ScenarioHost) -> None:
    """A running bolus has no end record: its volume is the ledger's for its kind less that of ended boluses."""
    for kind, entry in boluses.running().items():
        before_nl = host.booked_base["booked"][f"{kind}_nl"] if host.booked_base else 0
        since_nl = host.state["booked"][f"{kind}_nl"] - before_nl
        entry["ul"] = round(max(0.0, ul(since_nl) - boluses.ended_nl(kind)), 3)


def _add_lost_orders(host: ScenarioHost) -> None:
    """An order that waited for START when power failed has no record of a decision: it is a refusal `off`."""
    decisions = [record for record in host.chain.records if record.name == "clinician_decision"]
    ends = [first for _, _, first in host.orders] + [host.chain.next_sequence]  # the next order ends one's records
    for place, (t_ms, boot, first) in enumerate(host.orders):
        end = ends[place + 1]
        is_decided = any(record.boot == boot and first <= record.sequence < end for record in decisions)
        if not is_decided and host.state["boot"] != boot:
            host.add_refusal(t_ms, "clinician_bolus", "off")


def _figure(value: float) -> float:
    """`value` to 3 decimals, without negative zero."""
    return round(float(value), 3) + 0.0
