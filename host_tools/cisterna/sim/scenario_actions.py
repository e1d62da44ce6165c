"""The actions of a scenario file (`[[at]]`): one model per action, with its keys, their ranges and defaults."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PlainValidator

from cisterna.pharmacy.prescription_model import Concentration, Syringe
from cisterna.sim.scenario_fields import DurationMs, MomentMs, PowerOffMs, UnixS, duration_ms
from cisterna.strict_model import NotNegative, Number, Positive, StrictModel

# In the contract, but not in this version: actions, and values of an action's key.
NOT_YET_ACTIONS = frozenset(["air", "battery", "mains"])
NOT_YET_VALUES = {
    "occlude": ("where", frozenset({"upstream"})),
    "clear": ("where", frozenset({"upstream"})),
    "sensor": ("name", frozenset({"air", "battery", "temperature"})),
}


class Action(StrictModel):
    """An action `do` at `t`, ms since the first start of delivery."""

    t: MomentMs
    do: str

    def keys(self) -> dict[str, Any]:
        """The action's own keys, without `t` and `do`."""
        return self.model_dump(by_alias=False, exclude={"t", "do"})


class Press(Action):
    do: Literal["press"]
    button: Literal["pca", "start", "stop", "ack"] = "pca"
    hold_ms: Annotated[int, Field(ge=1)] = 200
    count: Annotated[int, Field(ge=1)] = 1
    gap_ms: Annotated[int, Field(ge=1)] = 300


class Pendant(Action):
    do: Literal["pendant"]
    fault: Literal["short", "open", "chatter", "stuck", "ok"]
    for_ms: DurationMs | None = Field(None, alias="for")


class Occlude(Action):
    do: Literal["occlude"]
    where: Literal["downstream", "upstream"] = "downstream"
    fraction: Annotated[float, Field(ge=0, le=1)] = 1.0


class Clear(Action):
    do: Literal["clear"]
    where: Literal["downstream", "upstream"] = "downstream"
    fraction: Annotated[float, Field(ge=0, le=1)] = 1.0


class BackPressure(Action):
    do: Literal["back_pressure"]
    kpa: Number
    over_ms: Annotated[int, PlainValidator(duration_ms)] = Field(20_000, alias="over")


class Disconnect(Action):
    do: Literal["disconnect"]


class Connect(Action):
    do: Literal["connect"]


class Prime(Action):
    """connected: somebody forgets to take the line off."""

    do: Literal["prime"]
    connected: bool = False


class Air(Action):
    do: Literal["air"]
    ul: Positive


class Door(Action):
    do: Literal["door"]
    open: bool


class Stall(Action):
    do: Literal["stall"]
    for_ms: DurationMs = Field(alias="for")


class Creep(Action):
    do: Literal["creep"]
    percent: Number
    for_ms: DurationMs = Field(alias="for")


class Sensor(Action):
    do: Literal["sensor"]
    name: Literal["pressure", "encoder", "air", "battery", "temperature"]
    fault: Literal["stuck", "open", "noise", "offset", "ok"]
    value: Number | None = None


class Battery(Action):
    do: Literal["battery"]
    percent: Annotated[float, Field(ge=0, le=100)]


class Mains(Action):
    do: Literal["mains"]
    on: bool


class Power(Action):
    do: Literal["power"]
    off_for_ms: PowerOffMs = Field(alias="off_for")


class CutAtWrite(Action):
    do: Literal["cut_at_write"]
    n: Annotated[int, Field(ge=1)]
    byte: Annotated[int, Field(ge=0)]
    off_for_ms: PowerOffMs = Field(alias="off_for")


class Hang(Action):
    do: Literal["hang"]
    for_ms: DurationMs = Field(alias="for")


class Flip(Action):
    do: Literal["flip"]
    name: str
    bit: Annotated[int, Field(ge=0)]


class Gripper(Action):
    do: Literal["gripper"]
    open: bool


class Rtc(Action):
    do: Literal["rtc"]
    fault: Literal["jump", "lose", "silent", "ok"]
    value_ms: MomentMs | None = Field(None, alias="value")


class Display(Action):
    do: Literal["display"]
    fault: Literal["dead", "ok"]


class Clock(Action):
    do: Literal["clock"]
    set_unix_s: UnixS = Field(alias="set")


class Cancel(Action):
    do: Literal["cancel"]


class Restart(Action):
    do: Literal["restart"]


class Prescribe(Action):
    """Any keys of the prescription; they change the last accepted one. `exchange` false: the old syringe stays in."""

    do: Literal["prescribe"]
    drug: Literal["morphine", "hydromorphone", "test-fluid"] | None = None
    concentration_ug_per_ml: Concentration | None = None
    route: Literal["intrathecal", "epidural"] | None = None
    site: Literal["lumbar", "cisternal", "epidural"] | None = None
    basal_ug_per_day: int | None = None
    bolus_ug: int | None = None
    bolus_duration_s: int | None = None
    lockout_s: int | None = None
    max_boluses_per_h: int | None = None
    max_boluses_per_24h: int | None = None
    limit_1h_ug: int | None = None
    limit_4h_ug: int | None = None
    limit_24h_ug: int | None = None
    equiv_prev_ug_per_day: int | None = None
    syringe: Syringe | None = None
    fill_ml: Positive | None = None
    exchange: bool = True

    def changes(self) -> dict[str, Any]:
        """The keys of the prescription that were given."""
        return self.model_dump(exclude={"t", "do", "fill_ml", "exchange"}, exclude_none=True)


class ClinicianBolus(Action):
    do: Literal["clinician_bolus"]
    ug: int
    over_s: int


class Refill(Action):
    do: Literal["refill"]
    ml: Positive
    returned_ml: NotNegative | None = None
    drug: Literal["morphine", "hydromorphone", "test-fluid"] | None = None
    concentration_ug_per_ml: Concentration | None = None
    syringe: Syringe | None = None

    def label(self) -> dict[str, Any]:
        """The fluid and the syringe that were named; what is left out is as prescribed."""
        return self.model_dump(include={"drug", "concentration_ug_per_ml", "syringe"}, exclude_none=True)


class Hold(Action):
    do: Literal["hold"]
    on: bool


AnyAction = Annotated[
    Press | Pendant | Occlude | Clear | BackPressure | Disconnect | Connect | Prime | Air | Door | Stall | Creep
    | Sensor | Battery | Mains | Power | CutAtWrite | Hang | Flip | Clock | Cancel | Restart | Prescribe
    | ClinicianBolus | Refill | Hold | Gripper | Rtc | Display,
    Field(discriminator="do"),
]  # fmt: skip

ACTIONS: dict[str, type[Action]] = {
    get_args(model.model_fields["do"].annotation)[0]: model for model in Action.__subclasses__()
}
