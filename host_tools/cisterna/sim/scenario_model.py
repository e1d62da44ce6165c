"""The model of a scenario file: the scenario and its expectations."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from cisterna.pharmacy.prescription_model import Prescription, PumpTable
from cisterna.sim.scenario_actions import AnyAction
from cisterna.sim.scenario_fields import DurationMs, UnixS, not_allowed
from cisterna.strict_model import Finite, StrictModel

SUMMARY_KEYS = (
    "title", "target", "sim_s", "wall_s", "state", "pumped_ul", "delivered_ul", "booked_ul", "booked_ug", "boluses",
    "alarms", "peak_window_ug", "peak_tip_ug", "primed_ul", "released_ul", "lost_ul", "reboots", "refusals", "log",
)  # fmt: skip


def _summary_key(key: str) -> str:
    """Check the first part of a dotted path into the summary; the rest is checked against the summary itself."""
    if key.split(".")[0] not in SUMMARY_KEYS:
        allowed = "one of " + ", ".join(SUMMARY_KEYS)
        raise PydanticCustomError("cisterna", "{allowed}", {"held": key, "allowed": allowed})
    return key


def _pair(value: object) -> tuple[float, float]:
    numbers = value if isinstance(value, list) else []
    good = len(numbers) == 2 and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not good or not numbers[0] <= numbers[1]:
        raise not_allowed("[low, high], two numbers, low first")
    return float(numbers[0]), float(numbers[1])


class Expect(StrictModel):
    """One expectation: `key` is a dotted path into the summary (list indexes from 0), and one test of its value."""

    key: Annotated[str, AfterValidator(_summary_key)]
    equals: Any = None
    min: Finite | None = None
    max: Finite | None = None
    within: Annotated[tuple[float, float], PlainValidator(_pair)] | None = None

    @property
    def test(self) -> str:
        """The test that was given: equals, min, max or within."""
        return next(iter(self.model_fields_set - {"key"}))

    @model_validator(mode="after")
    def _exactly_one(self) -> "Expect":
        given = sorted(self.model_fields_set - {"key"})
        if len(given) != 1:
            raise PydanticCustomError(
                "cisterna", "{allowed}", {"held": given, "allowed": "exactly one of equals, min, max, within"}
            )
        return self


class Scenario(StrictModel):
    """A scenario file: one pump, its prescription, the actions (`at`) and the expectations."""

    title: str
    duration_ms: DurationMs = Field(alias="duration")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    ticks_at_power_up_ms: Annotated[int, Field(ge=0, lt=2**30)] = 0
    clock_unix_s: UnixS = Field(1_767_600_000, alias="clock")  # 2026-01-05T08:00:00Z
    pump: PumpTable
    prescription: Prescription
    at: list[AnyAction] = []
    expect: list[Expect] = []
