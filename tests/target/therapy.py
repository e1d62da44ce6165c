"""A therapy on the emulated chip, from power-up on, as a scenario file would have it."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisterna.sim import runner, schema
from cisterna.sim.session import planned_t0_ms
from hil.play import text
from target.witness import MS, WatchedTarget, Witness

SHORT_LINE_UL = 10  # filled in seconds; a test that does not need a long one saves minutes
PL_USTEP = 41_282  # a microstep of the bd-10 syringe: pi / 4 * (14.5 mm)^2 * 0.25 um


@dataclass(frozen=True)
class Run:
    outcome: runner.Outcome
    witness: Witness
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


def scenario(duration: str, *actions: str, also: Iterable[schema.Action] = (), **changes: Any) -> schema.Scenario:
    """As in `hil.play`. `also`: what a scenario file may not say yet."""
    changes.setdefault("deadspace_ul", SHORT_LINE_UL)
    said = schema.check(tomllib.loads(text(duration, *actions, **changes)), "test")
    return said.model_copy(update={"at": [*said.at, *also]})


def play(image: Path, what: schema.Scenario, target: WatchedTarget | None = None) -> Run:
    target = target or WatchedTarget(image)
    outcome = runner.run(what, target)
    return Run(outcome, target.witness, planned_t0_ms(what.pump.deadspace_ul) * MS, target.truths)
