"""Reads scenario files and checks their form: keys, types and ranges, with one error line for each fault.

The pump itself checks what a prescription means and whether its numbers are allowed; it answers with its own codes.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cisterna import paths, toml_files
from cisterna.errors import NotYet, ScenarioError
from cisterna.sim import scenario_errors
from cisterna.sim.scenario_model import Scenario


def shipped() -> dict[str, str]:
    """Title of each scenario in the package, by name."""
    files = sorted(paths.SCENARIOS.glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text(encoding="utf-8")).get("title", "") for file in files}


def find(path: Path) -> Path:
    """`path`, or the shipped scenario of that bare name where no such file exists.

    Raises ScenarioError, with the shipped names, for a bare name that is neither.
    """
    if os.path.exists(path) or path.suffix == ".toml" or len(path.parts) != 1:
        return path
    named = paths.SCENARIOS / f"{path}.toml"
    if not named.is_file():
        raise ScenarioError(f"{path}: neither a file nor a shipped scenario; allowed: a path, {', '.join(shipped())}")
    return named


def load(path: Path) -> Scenario:
    """Read and check the file at `path`. ScenarioError: a line per fault; NotYet: what this version lacks."""
    return check(toml_files.read(path, ScenarioError), str(path))


def check(raw: dict[str, Any], name: str) -> Scenario:
    """Check a parsed file, called `name` in messages. Errors as `load`."""
    raw = {"title": Path(name).stem, **raw}
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError("\n".join(scenario_errors.validation_lines(error, name))) from None
    faults = list(scenario_errors.faults(scenario, name))
    if faults:
        raise ScenarioError("\n".join(faults))
    missing = list(scenario_errors.not_yet(scenario, name))
    if missing:
        raise NotYet("\n".join(missing))
    return scenario
