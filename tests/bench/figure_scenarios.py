"""Scenarios of the figures, and how they are played."""

import json
import tempfile
from pathlib import Path
from typing import Any

from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.sim import runner, scenario_file, scenario_model


def shipped(name: str) -> scenario_model.Scenario:
    return scenario_file.load(paths.SCENARIOS / f"{name}.toml")


def written(
    duration: str, basal_ml_per_h: float, *actions: dict[str, Any], pump: dict[str, Any] | None = None, **rx: Any
) -> scenario_model.Scenario:
    """Test fluid of 1 mg/mL, so that 1 ug is 1 uL, from a full 10 mL syringe. `pump` and `rx` replace or add keys."""
    tables = [
        ("", {"title": "figure", "duration": duration}),
        ("[pump]", {"syringe": "bd-10", "fill_ml": 10.0, **(pump or {})}),
        ("[prescription]", _PRESCRIPTION | {"basal_ug_per_day": round(basal_ml_per_h * 24_000), **rx}),
        *(("[[at]]", action) for action in actions),
    ]
    lines = [line for head, keys in tables for line in (head, *(f"{k} = {json.dumps(v)}" for k, v in keys.items()))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figure.toml"
        file.write_text("\n".join(lines) + "\n")
        return scenario_file.load(file)


_PRESCRIPTION = {
    "drug": "test-fluid",
    "concentration_ug_per_ml": 1000,
    "route": "intrathecal",
    "site": "lumbar",
    "bolus_ug": 0,
    "bolus_duration_s": 60,
    "lockout_s": 60,
}


def play(
    scenario: scenario_model.Scenario, row_every_s: float | None = None, target: UnixTarget | None = None
) -> runner.Outcome:
    every_ms = None if row_every_s is None else round(row_every_s * 1000)
    return runner.run(scenario, target or UnixTarget(paths.firmware()), every_ms)
