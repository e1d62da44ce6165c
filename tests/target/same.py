"""One scenario on two targets, and whether it came to the same."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisterna.bench.target import Target
from cisterna.sim import runner, schema
from cisterna.sim.session import planned_t0_ms
from pump.units import pl_per_ustep

SCENARIOS = Path(__file__).with_name("scenarios")
USTEP_UL = pl_per_ustep("bd-10") / 1e6
TIME_S = 1  # the contract's
_TIMES = ("t_request", "t_start", "t_end", "next_possible_s", "t_on", "t_ack", "t_off")


@dataclass
class Seen:
    """What is compared: the summary, the steps that the world has counted at the end, the records of the log."""

    summary: dict[str, Any]
    steps: int
    records: list[str]


def seen(name: str, target: Target) -> Seen:
    """Plays scenario `name` on a target, which is not started yet."""
    scenario = schema.check(tomllib.loads((SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")), name)
    end_ms = planned_t0_ms(scenario.pump.deadspace_ul) + scenario.duration_ms
    counted: dict[int, int] = {}
    look = target.truth

    def truth() -> dict[str, Any]:
        found = look()
        counted.setdefault(target.now_ms, found["steps"])
        return found

    target.truth = truth  # type: ignore[method-assign]
    outcome = runner.run(scenario, target)
    return Seen(outcome.summary, counted[end_ms], [record.name for record in outcome.records])


def assert_same(one: Seen, other: Seen, steps_apart: int = 0, booked_apart: int = 0, s_apart: float = TIME_S) -> None:
    """What was decided is the same, at the same time to `s_apart`; what moved is the same to `steps_apart` microsteps.

    booked_apart: microsteps that the pumps' ledgers may differ, if more than those.
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
    """An entry without its volume, and of its times only whether they are there."""
    return {key: value is not None if key in _TIMES else value for key, value in entry.items() if key != "ul"}


def _assert_near(mine: float | None, theirs: float | None, most: float, what: str) -> None:
    if mine is not None and theirs is not None:
        assert abs(mine - theirs) <= most + 0.0015, f"{what}: {mine} and {theirs}"
