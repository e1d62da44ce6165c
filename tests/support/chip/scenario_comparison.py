"""Plays one scenario on two targets and compares the results."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisterna.bench.target import Target
from cisterna.sim import runner, scenario_file
from cisterna.sim.scenario_host import planned_t0_ms
from pump.base.units import pl_per_ustep

SCENARIOS = Path(__file__).resolve().parents[2] / "target" / "scenarios"
USTEP_UL = pl_per_ustep("bd-10") / 1e6
TIME_S = 1  # tolerance of times [the contract]
_TIMES = ("t_request", "t_start", "t_end", "next_possible_s", "t_on", "t_ack", "t_off")


@dataclass
class Result:
    """The summary, the world's count of steps at the end, the types of the records."""

    summary: dict[str, Any]
    steps: int
    records: list[str]


def play(name: str, target: Target) -> Result:
    """Play scenario `name` on a target that is not started yet."""
    scenario = scenario_file.check(tomllib.loads((SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")), name)
    end_ms = planned_t0_ms(scenario.pump.deadspace_ul) + scenario.duration_ms
    counted: dict[int, int] = {}
    look = target.truth

    def truth() -> dict[str, Any]:
        found = look()
        counted.setdefault(target.now_ms, found["steps"])
        return found

    target.truth = truth  # type: ignore[method-assign]
    outcome = runner.run(scenario, target)
    return Result(outcome.summary, counted[end_ms], [record.name for record in outcome.records])


def assert_same(
    one: Result, other: Result, steps_apart: int = 0, booked_apart: int = 0, s_apart: float = TIME_S
) -> None:
    """Decisions are equal, at equal times to `s_apart`; motion is equal to `steps_apart` microsteps.

    booked_apart: microsteps that the ledgers may differ, if more than `steps_apart`.
    """
    a, b = one.summary, other.summary
    for key in ("title", "sim_s", "state", "reboots", "refusals", "log"):
        assert a[key] == b[key], key
    assert one.records == other.records
    for kind in ("boluses", "alarms"):
        assert [_decided(entry) for entry in a[kind]] == [_decided(entry) for entry in b[kind]]
        for mine, theirs in zip(a[kind], b[kind], strict=True):
            for key in _TIMES:
                _assert_near(mine.get(key), theirs.get(key), s_apart, f"{kind}: {key}")
    for mine, theirs in zip(a["boluses"], b["boluses"], strict=True):
        whole = mine["result"] in ("delivered", "refused")
        _assert_near(mine["ul"], theirs["ul"], 0 if whole else steps_apart * USTEP_UL, "boluses: ul")
    assert abs(one.steps - other.steps) <= steps_apart
    for key in ("pumped_ul", "primed_ul"):
        _assert_near(a[key], b[key], steps_apart * USTEP_UL, key)
    _assert_near(a["booked_ul"], b["booked_ul"], max(steps_apart, booked_apart) * USTEP_UL, "booked_ul")


def _decided(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without its volume; each time as whether it is present."""
    return {key: value is not None if key in _TIMES else value for key, value in entry.items() if key != "ul"}


def _assert_near(mine: float | None, theirs: float | None, most: float, what: str) -> None:
    if mine is not None and theirs is not None:
        assert abs(mine - theirs) <= most + 0.0015, f"{what}: {mine} and {theirs}"
