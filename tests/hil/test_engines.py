"""PyPy and CPython play the simulated board as MicroPython does: the same summary, trace and log, byte for byte."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from cisterna.bench import engines
from cisterna.bench.unix_target import UnixTarget
from cisterna.errors import CisternaError, InstallError
from cisterna.link import records
from cisterna.sim import runner, scenario_file, trace
from support.simulated.clinic_files import run as cisterna

SOAK = os.environ.get("CISTERNA_SOAK") == "1"
RANDOM_SCENARIOS = 60 if SOAK else 6
NOT_COMPARED = {"wall_s"}
LONGEST_H = 24  # of a shipped scenario in `make test`

needs_pypy = pytest.mark.skipif(
    shutil.which("pypy3") is None and os.environ.get("CI") != "true", reason="there is no pypy3 on PATH"
)


def _shipped() -> list[str]:
    hours = {
        name: scenario_file.load(scenario_file.find(Path(name))).duration_ms / 3_600_000
        for name in scenario_file.shipped()
    }
    return [name for name, long in hours.items() if SOAK or long <= LONGEST_H]


def _results(path: Path, engine: str, folder: Path) -> tuple[dict, bytes, bytes]:
    """Summary, trace and log of a scenario on an engine."""
    scenario = scenario_file.load(path)
    outcome = runner.run(scenario, UnixTarget(engine=engine), 30_000)
    trace_file, log_file = folder / f"{engine}.csv", folder / f"{engine}.jsonl"
    trace.write(trace_file, outcome.rows)
    records.write_jsonl(log_file, outcome.records, outcome.moment_s)
    summary = {key: value for key, value in outcome.summary.items() if key not in NOT_COMPARED}
    return summary, trace_file.read_bytes(), log_file.read_bytes()


def _compare(path: Path, engine: str, folder: Path) -> dict:
    """The summary, if it is that of MicroPython, and trace and log are, too."""
    mine, proof = _results(path, engine, folder), _results(path, "micropython", folder)
    assert json.dumps(mine[0], indent=1) == json.dumps(proof[0], indent=1)
    assert mine[1] == proof[1] and mine[2] == proof[2]
    assert len(proof[2]) > 1000  # an empty log would compare as well
    return proof[0]


@needs_pypy
@pytest.mark.parametrize("name", _shipped())
def test_shipped_scenarios_are_the_same(name, tmp_path):
    _compare(scenario_file.find(Path(name)), "pypy", tmp_path)


def test_the_python_of_the_tools_gives_the_same(tmp_path):
    _compare(scenario_file.find(Path("counter-example-4h")), "cpython", tmp_path)


def _random_scenario(seed: int) -> str:
    """A scenario of an hour or two in which everything may happen."""
    rng = random.Random(seed)
    hours = rng.choice([1, 2])
    lines = [
        f'title = "random {seed}"',
        f'duration = "{hours}h"',
        f"seed = {seed}",
        f"ticks_at_power_up_ms = {rng.choice([0, 2**30 - 700_000])}",
        "[pump]",
        f'syringe = "{rng.choice(["bd-5", "bd-10", "bd-20", "bd-30", "bd-50"])}"',
        "fill_ml = 5.0",
        f"compliance_ul_per_kpa = {rng.choice([2.0, 9.0, 21.0])}",
        f"movement_kpa = {rng.choice([0, 3])}",
        "[prescription]",
        'drug = "test-fluid"',
        "concentration_ug_per_ml = 1000",
        'route = "intrathecal"',
        'site = "lumbar"',
        f"basal_ug_per_day = {rng.choice([0, 2400, 14400, 48000])}",
        f"bolus_ug = {rng.choice([20, 50, 100])}",
        f"bolus_duration_s = {rng.choice([60, 300])}",
        f"lockout_s = {rng.choice([60, 600, 1800])}",
    ]
    actions = [
        'do = "press"',
        'do = "press"\nbutton = "stop"',
        'do = "press"\nbutton = "start"',
        'do = "press"\nbutton = "ack"',
        'do = "occlude"',
        'do = "clear"',
        f'do = "back_pressure"\nkpa = {rng.choice([3, 8, 12])}',
        'do = "door"\nopen = true',
        'do = "door"\nopen = false',
        'do = "power"\noff_for = "7s"',
        'do = "restart"',
        'do = "clinician_bolus"\nug = 30\nover_s = 120',
        'do = "sensor"\nname = "pressure"\nfault = "noise"',
        'do = "stall"\nfor = "30s"',
    ]
    times = sorted(rng.uniform(1, hours * 3600 - 1) for _ in range(rng.randint(3, 14)))
    for t_s in times:
        lines += ["[[at]]", f't = "{t_s:.3f}s"', rng.choice(actions)]
    return "\n".join(lines) + "\n"


@needs_pypy
def test_random_scenarios_are_the_same(tmp_path):
    states = set()
    for seed in range(RANDOM_SCENARIOS):
        path = tmp_path / f"random-{seed}.toml"
        path.write_text(_random_scenario(seed))
        states.add(_compare(path, "pypy", tmp_path)["state"])
    assert len(states) > 1  # they do not all end alike


def test_the_display_shows_the_same_pixels(tmp_path):
    """The font of the other engines is MicroPython's own."""
    pictures = []
    for engine in ("micropython", "cpython"):
        target = UnixTarget(engine=engine)
        target.start({})
        target.run_until(3_000)
        pictures.append(target.look()["display"]["ram"])
        target.close()
    assert pictures[0] == pictures[1] and len(set(pictures[0])) > 4


def test_a_program_error_is_shown_with_its_line(tmp_path):
    """What ends the firmware is told as by MicroPython."""
    (tmp_path / "main.py").write_text("def main():\n    raise ValueError('no such pump')\n")
    target = UnixTarget(firmware=tmp_path, board=UnixTarget().board, engine="cpython")
    target.start({})
    target.run_until(100)
    error = target.truth()["firmware_error"]
    target.close()
    assert "ValueError: no such pump" in error and "line 2" in error


def test_an_unknown_engine_is_refused(monkeypatch, tmp_path):
    scenario = "hydromorphone-pca-day"
    status, _, error = cisterna("sim", scenario, "--engine", "jython")
    assert status == 2 and '--engine held "jython"; allowed: micropython, pypy, cpython' in error
    status, _, error = cisterna("sim", scenario, "--target", "rp2040", "--engine", "pypy")
    assert status == 2 and '--engine held "pypy"; allowed: only with --target unix' in error
    monkeypatch.setenv("CISTERNA_ENGINE", "jython")
    with pytest.raises(CisternaError, match='CISTERNA_ENGINE held "jython"'):
        engines.default()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match="pypy3: not on PATH; install it with `sudo apt-get install pypy3`"):
        engines.check("pypy")
