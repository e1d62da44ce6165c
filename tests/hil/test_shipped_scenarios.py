"""The shipped scenarios meet their expectations, and `cisterna sim` keeps its contract with its caller."""

import json
import os
import subprocess
import sys

import pytest
from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.sim import expect, runner, scenario_file
from support.simulated.scenario_play import text

LONG = {"ninety-days"}  # `.ci/run` plays it by `make soak`
WHY = "takes minutes: make soak"
SHIPPED = [
    pytest.param(
        file, marks=[pytest.mark.skipif(file.stem in LONG and not os.environ.get("CISTERNA_SOAK"), reason=WHY)]
    )
    for file in sorted(paths.SCENARIOS.glob("*.toml"))
]
QUICK = paths.SCENARIOS / "counter-example-4h.toml"


def cisterna(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cisterna", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_scenario_meets_its_expectations(file):
    """cisternal-morphine-day: DEL-01. counter-example-4h: LIM-07. morphine-pca-day: LIM-04, LIM-11, ALM-08.
    pressed-all-day: LIM-05, LIM-08, H31. occlusion-*, hydromorphone-pca-day: ALM-03, OCC-01, OCC-04, H14, H15.
    ninety-days: TIM-02, TIM-03.
    """
    scenario = scenario_file.load(file)
    summary = runner.run(scenario, UnixTarget(paths.firmware())).summary
    assert expect.failures(summary, scenario.expect) == []


def without_wall(ran: subprocess.CompletedProcess) -> dict:
    return {key: value for key, value in json.loads(ran.stdout).items() if key != "wall_s"}


def test_json_is_only_the_object_and_the_same_twice():
    first, second = cisterna("sim", str(QUICK), "--json"), cisterna("sim", str(QUICK), "--json")
    assert first.returncode == second.returncode == 0 and first.stderr == second.stderr == ""
    walls = [str(json.loads(ran.stdout)["wall_s"]) for ran in (first, second)]
    assert first.stdout.replace(walls[0], "") == second.stdout.replace(walls[1], "")


def test_trace_and_log_are_written_and_change_nothing(tmp_path):
    trace, log = tmp_path / "t.csv", tmp_path / "l.jsonl"
    plain = without_wall(cisterna("sim", str(QUICK), "--json"))
    looked = without_wall(cisterna("sim", str(QUICK), "--json", "--trace", str(trace), "--log", str(log)))
    for key in plain:
        figures = key.endswith("_ul") or key == "peak_window_ug"
        assert looked[key] == (pytest.approx(plain[key], abs=0.02) if figures else plain[key])
    rows = trace.read_text().splitlines()
    assert len(rows) == 1 + 8 * 3600 // 30 + 1
    assert rows[1].startswith("0.0,") and rows[-1].startswith("28800.0,")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) == plain["log"]["records"] and plain["log"]["verified"] is True
    assert [record["seq"] for record in records] == list(range(len(records)))


def test_the_summary_has_the_keys_of_the_contract_and_no_others():
    summary = json.loads(cisterna("sim", str(QUICK), "--json").stdout)
    assert list(summary) == [
        "title", "target", "sim_s", "wall_s", "state", "pumped_ul", "delivered_ul", "booked_ul", "booked_ug", "boluses",
        "alarms", "peak_window_ug", "peak_tip_ug", "primed_ul", "released_ul", "lost_ul", "reboots", "refusals", "log",
    ]  # fmt: skip
    assert list(summary["boluses"][0]) == [
        "kind", "t_request", "t_start", "t_end", "result", "reason", "ul", "next_possible_s",
    ]  # fmt: skip


def test_a_failed_expectation_is_printed_and_exit_1(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text(
        text("5min") + '\n[[expect]]\nkey = "state"\nequals = "off"\n[[expect]]\nkey = "reboots"\nmax = 0\n'
    )
    for more, where in (([], "stdout"), (["--json"], "stderr")):
        ran = cisterna("sim", str(file), *more)
        assert ran.returncode == 1
        assert "expected state = 'off', found 'infusing'" in getattr(ran, where)
        assert "reboots =" not in ran.stdout + ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"drug": "morphine", "basal_ug_per_day": 700}, "rx_limit_missing"),
        ({"basal_ug_per_day": 2_400_000, "concentration_ug_per_ml": 10_000}, "rx_bolus_needs_flow"),
        ({"limit_1h_ug": 0}, "rx_limit_zero"),
        ({"max_boluses_per_h": 0}, "rx_count_zero"),
        ({"limit_1h_ug": 599}, "rx_basal_over_limit_1h"),
        ({"lockout_s": 59}, "rx_lockout_range"),
        ({"bolus_ug": -1}, "rx_"),
    ],
)
def test_a_first_prescription_that_is_refused_is_exit_2_with_the_pump_s_code(tmp_path, changes, code):
    file = tmp_path / "f.toml"
    file.write_text(text("5min", **changes))
    ran = cisterna("sim", str(file), "--json")
    assert ran.returncode == 2 and ran.stdout == ""
    assert code in ran.stderr and len(ran.stderr.splitlines()) == 1
