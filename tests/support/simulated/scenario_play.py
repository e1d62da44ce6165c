"""Scenarios written in a test, played on the simulated board."""

import tomllib
from typing import Any

from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.pharmacy import prescription_model
from cisterna.sim import runner, scenario_file

from support.simulated.scenario_text import THERAPY

HEAD = '\ntitle = "test"\nduration = "{duration}"\nseed = 1\n' + THERAPY


def text(duration: str, *actions: str, **changes: Any) -> str:
    """A scenario: 0.6 mL/h of test fluid with 100 uL boluses. `changes` replace or add keys of pump or prescription.

    An action is `"1h press hold_ms=300 button='stop'"`.
    """
    out = HEAD.format(duration=duration)
    for key, value in changes.items():
        out = _with(out, key, _toml(value))
    return out + "".join(map(_action, actions))


def _with(out: str, key: str, value: str) -> str:
    lines = out.splitlines()
    for place, line in enumerate(lines):
        if line.startswith(f"{key} ="):
            lines[place] = f"{key} = {value}"
            return "\n".join(lines) + "\n"
    table = "[pump]" if key in prescription_model.PumpTable.model_fields else "[prescription]"
    place = (
        lines.index(table)
        if key in {**prescription_model.PumpTable.model_fields, **prescription_model.Prescription.model_fields}
        else 0
    )
    lines.insert(place + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _action(said: str) -> str:
    t, do, *keys = said.split()
    return "\n".join([f'\n[[at]]\nt = "{t}"\ndo = "{do}"', *(key.replace("=", " = ", 1) for key in keys), ""])


def outcome(duration: str, *actions: str, trace_every_ms: int | None = None, **changes: Any) -> runner.Outcome:
    scenario = scenario_file.check(tomllib.loads(text(duration, *actions, **changes)), "test")
    return runner.run(scenario, UnixTarget(paths.firmware()), trace_every_ms)


def play(duration: str, *actions: str, **changes: Any) -> dict[str, Any]:
    """The summary of a scenario."""
    return outcome(duration, *actions, **changes).summary
