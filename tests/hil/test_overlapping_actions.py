"""Two people at one pump: actions of clinicians that overlap, with stop keys, doors and power cuts between them."""

import itertools
import os
from typing import Any

import pytest
from support.simulated.scenario_play import play

SOAK = os.environ.get("CISTERNA_SOAK") == "1"  # else a fifth of the pairs
SHORT = {"lockout_s": 300}


def results(summary: dict[str, Any]) -> list[tuple[str, str]]:
    return [(bolus["kind"], bolus["reason"] or bolus["result"]) for bolus in summary["boluses"]]


def refused(summary: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["do"], entry["code"]) for entry in summary["refusals"]]


# --- what was tried and failed


def test_an_order_after_a_prescription_that_was_never_confirmed():
    """RX-01, DEL-14: the first prescription is still in force, so the order under it is given."""
    actions = ["10min prescribe bolus_ug=50", "601.5s door open=true", "700s door open=false"]
    summary = play("20min", *actions, "720s press button='start'", "800s clinician_bolus ug=60 over_s=300", **SHORT)
    assert refused(summary) == [("prescribe", "door")] and results(summary) == [("clinician", "delivered")]


def test_a_refusal_at_the_confirmation_is_an_entry():
    """RX-01, LIM-07: 2400 ug of basal in 4 h fit 2450 when it is loaded; not with the 100 ug of the press at 601 s."""
    summary = play("25min", "10min prescribe limit_4h_ug=2450", "601s press", "20min press", **SHORT)
    assert summary["refusals"] == [{"t": 600.0, "do": "prescribe", "code": "limit_4h"}]
    assert results(summary) == [("pca", "delivered")] * 2


def test_a_prescription_that_was_never_confirmed_is_not_the_last_accepted():
    """RX-01: `restart` signs the one before, with boluses of 100 ug."""
    actions = ["10min prescribe bolus_ug=50", "601.5s door open=true", "700s door open=false", "800s restart"]
    summary = play("20min", *actions, "1000s press", **SHORT)
    assert refused(summary) == [("prescribe", "door")] and results(summary) == [("pca", "delivered")]
    assert summary["boluses"][0]["ul"] == pytest.approx(100, abs=1)


def test_a_stop_key_is_not_undone_by_the_hand_that_gives_an_order():
    """DEL-24, LIM-12, H22: no script presses START by itself, and the order has its entry."""
    summary = play("17min", "10min clinician_bolus ug=60 over_s=300", "600.3s press button='stop'", **SHORT)
    assert summary["state"] == "stopped" and summary["pumped_ul"] == pytest.approx(100, abs=2)
    assert results(summary) == [("clinician", "not_infusing")]


@pytest.mark.parametrize("after_ms", range(0, 1_000, 50 if SOAK else 250))
def test_a_stop_key_at_any_moment_of_an_order(after_ms):
    """DEL-24, H22: also one that is pressed and released while start is down."""
    hold_ms = (60, 200, 700)[after_ms // 50 % 3]
    stop = f"{600 + after_ms / 1000}s press button='stop' hold_ms={hold_ms}"
    summary = play("11min", "10min clinician_bolus ug=60 over_s=300", stop, **SHORT)
    assert summary["state"] == "stopped" and summary["pumped_ul"] <= 103
    assert len(results(summary)) == 1


def test_two_orders_at_once_are_both_decided():
    """DEL-14, LIM-12: one is given, the other refused, each within 2 s."""
    orders = [f"{t}s clinician_bolus ug={ug} over_s=300" for t, ug in [(600, 60), (600.2, 50)]]
    summary = play("20min", *orders, **SHORT)
    assert results(summary) == [("clinician", "delivered"), ("clinician", "running")] and summary["refusals"] == []
    assert summary["boluses"][0]["ul"] == pytest.approx(60, abs=0.1)
    assert all(bolus["t_request"] <= 602.2 for bolus in summary["boluses"])


def test_two_restarts_within_two_seconds_end_in_infusion():
    """RX-01: the second waits for its turn."""
    summary = play("20min", "10min press button='stop'", "700s restart", "701.7s restart", "900s press", **SHORT)
    assert summary["state"] == "infusing" and results(summary) == [("pca", "delivered")]
    assert summary["refusals"] == []


def test_a_bolus_that_a_power_cut_ended_is_never_running():
    """LOG-08: at whatever time the run ends: without power, starting up, or later."""
    for back_s in (600, 50.2, 49.5, 48.9, 40):
        summary = play("700s", "10min press", f"650s power off_for='{back_s}s'", **SHORT)
        assert results(summary) == [("pca", "interrupted")], back_s
        assert 650 <= summary["boluses"][0]["t_end"] <= 660.5


# --- every pair

ACTIONS = {
    "restart": "restart",
    "prescribe": "prescribe basal_ug_per_day=12000",
    "clinician_bolus": "clinician_bolus ug=60 over_s=300",
    "refill": "refill ml=10 returned_ml=9.6",
    "cancel": "cancel",
    "clock": "clock set='2026-02-01T00:00:00Z'",
}
BETWEEN = {
    "nothing": [],
    "stop": ["{t}s press button='stop'"],
    "door": ["{t}s door open=true", "{later}s door open=false"],
    "power": ["{t}s power off_for='20s'"],
}
GAPS_S = (0, 0.2, 1, 2, 5)
PAIRS = list(itertools.product(ACTIONS, ACTIONS))
CASES = [
    (*pair, GAPS_S[place % 5], (place * 7 % 13) * 0.45, event)
    for place, (pair, event) in enumerate(itertools.product(PAIRS, BETWEEN))
]


def check(summary: dict[str, Any], asked: list[str], event: str, resumed: bool) -> None:
    """What holds for any two actions of clinicians, whatever falls between them.

    resumed: the second action was asked for after the event, and begins therapy.
    """
    orders = [bolus for bolus in summary["boluses"] if bolus["kind"] == "clinician"]
    lost = [entry for entry in summary["refusals"] if entry["do"] == "clinician_bolus"]
    assert len(orders) + len(lost) == asked.count("clinician_bolus"), "every order has one entry"
    assert all(bolus["result"] != "running" for bolus in orders)
    codes = {entry["code"] for entry in summary["refusals"]}
    assert len(summary["refusals"]) <= 2 and not any(code.startswith(("session", "rpc", "id_")) for code in codes)
    assert summary["log"]["verified"]
    most_ul = 1020 / 6 + 60 * len(orders) + 2
    assert summary["pumped_ul"] <= most_ul and summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5
    if event == "stop" and not resumed:
        assert summary["state"] == "stopped", "a stop key was undone"
        assert summary["pumped_ul"] <= 100 + 7 / 6 * 10 + 2
    elif "cancel" in asked and asked[-1] in ("cancel", "clock", "refill", "clinician_bolus"):
        assert summary["state"] in ("stopped", "alarm")
    elif event == "nothing" or (event == "stop" and resumed):
        assert summary["state"] == "infusing", "two actions left the patient without therapy"
        assert codes <= ({"busy"} if event == "nothing" else {"busy", "stopped"})
    elif event == "power":
        assert codes <= {"off", "busy"}


@pytest.mark.parametrize(("first", "second", "gap_s", "event_s", "event"), CASES if SOAK else CASES[::5])
def test_every_pair_of_actions_with_something_between(first, second, gap_s, event_s, event):
    """DEL-14, DEL-24, RX-01, LIM-12, H22."""
    t = 600 + event_s
    between = [line.format(t=round(t, 3), later=round(t + 30, 3)) for line in BETWEEN[event]]
    actions = [f"600s {ACTIONS[first]}", f"{600 + gap_s}s {ACTIONS[second]}", *between]
    resumed = event_s < gap_s and second in ("restart", "prescribe")
    check(play("17min", *actions, **SHORT), [first, second], event, resumed)
