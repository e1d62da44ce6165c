"""A scenario on the emulated chip, from power-up on, with its trace."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisterna.sim import runner, scenario_actions, scenario_file, scenario_model
from cisterna.sim.scenario_host import planned_t0_ms

from support.chip.trace import MS, ChipTrace, TracedTarget
from support.simulated.scenario_play import text

SHORT_LINE_UL = 10  # filled in seconds; a longer line takes minutes
PL_USTEP = 41_282  # a microstep of the bd-10 syringe: pi / 4 * (14.5 mm)^2 * 0.25 um


@dataclass(frozen=True)
class ChipRun:
    outcome: runner.Outcome
    trace: ChipTrace
    t0_ns: int  # the first start of delivery
    truths: list[tuple[int, dict[str, Any]]]

    @property
    def summary(self) -> dict[str, Any]:
        return self.outcome.summary

    def records(self, name: str) -> list[dict[str, int]]:
        return [record.payload for record in self.outcome.records if record.name == name]

    def ns(self, t_s: float) -> float:
        """The chip's time at a moment of the scenario."""
        return self.t0_ns + t_s * 1000 * MS


def scenario(
    duration: str, *actions: str, also: Iterable[scenario_actions.Action] = (), **changes: Any
) -> scenario_model.Scenario:
    """As in `scenario_play`. `also`: actions that a scenario file does not support yet."""
    changes.setdefault("deadspace_ul", SHORT_LINE_UL)
    said = scenario_file.check(tomllib.loads(text(duration, *actions, **changes)), "test")
    return said.model_copy(update={"at": [*said.at, *also]})


def play(image: Path, what: scenario_model.Scenario, target: TracedTarget | None = None) -> ChipRun:
    target = target or TracedTarget(image)
    outcome = runner.run(what, target)
    return ChipRun(outcome, target.trace, planned_t0_ms(what.pump.deadspace_ul) * MS, target.truths)
