"""The scenario file: what may stand in it, and one clear line for each thing that may not.

Shape and types are judged here. What a prescription means, and whether its numbers are allowed, is the pump's
to say: it answers with its own code.
"""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from cisterna.errors import NotYet, ScenarioError
from cisterna.sim import durations

SYRINGE_UL = {"bd-5": 5_000, "bd-10": 10_000, "bd-20": 20_000, "bd-30": 30_000, "bd-50": 50_000}
EARLIEST_MS = -600_000  # before it the pump is not yet up

# In the contract, but not in this version. Actions, and values of an action's key.
NOT_YET_ACTIONS = frozenset(
    ["disconnect", "connect", "air", "battery", "mains", "cut_at_write", "hang", "flip", "hold"]
)
NOT_YET_VALUES = {
    "occlude": ("where", frozenset({"upstream"})),
    "clear": ("where", frozenset({"upstream"})),
    "sensor": ("name", frozenset({"air", "battery", "temperature"})),
}


def _refuse(allowed: str) -> PydanticCustomError:
    return PydanticCustomError("cisterna", "{allowed}", {"allowed": allowed})


def _duration(value: object) -> int:
    try:
        return durations.parse_ms(value)
    except ValueError as error:
        raise _refuse(str(error)) from None


def _positive_duration(value: object) -> int:
    ms = _duration(value)
    if ms <= 0:
        raise _refuse("more than 0: " + durations.ALLOWED)
    return ms


def _moment(value: object) -> int:
    """ISO time to whole seconds since 1970; TOML's own date-times too. Without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        when = None
    if not isinstance(when, datetime):
        raise _refuse('an ISO time, as "2026-01-05T08:00:00Z"')
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    unix_s = int(when.timestamp())
    if not 0 <= unix_s < 2**32:
        raise _refuse("an ISO time from 1970 to 2106")
    return unix_s


DurationMs = Annotated[int, PlainValidator(_positive_duration)]
MomentMs = Annotated[int, PlainValidator(_duration)]
UnixS = Annotated[int, PlainValidator(_moment)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Concentration = Annotated[int, Field(ge=1)]  # below it no flow could be stated, so no document be written


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Pump(Strict):
    """The machine and its world. Volumes uL, pressures kPa."""

    syringe: Literal["bd-5", "bd-10", "bd-20", "bd-30", "bd-50"]
    fill_ml: Positive
    compliance_ul_per_kpa: Positive = 9.0
    compliance_known_as: Positive = 9.0
    deadspace_ul: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 300
    resistance_kpa_per_ml_h: Positive = 0.65
    tip_kpa: Number = 1.3
    movement_kpa: NotNegative = 0
    bore_error_percent: Annotated[float, Field(ge=-50, le=50, allow_inf_nan=False)] = 0
    pitch_error_um: NotNegative = 1.5
    backlash_um: NotNegative = 20
    stick_slip_um: NotNegative = 2
    pressure_noise_kpa: NotNegative = 0.02
    encoder_inl_deg: NotNegative = 1.0

    @model_validator(mode="after")
    def _fits(self) -> "Pump":
        room_ml = SYRINGE_UL[self.syringe] / 1000
        if self.fill_ml > room_ml:
            raise PydanticCustomError(
                "cisterna",
                "{allowed}",
                {
                    "key": "fill_ml",
                    "held": self.fill_ml,
                    "allowed": f"at most {room_ml:g}, the {self.syringe} syringe",
                },
            )
        return self


class Prescription(Strict):
    """What is prescribed. Masses ug, times s; None is stated as "none" in the signed prescription."""

    drug: Literal["morphine", "hydromorphone", "test-fluid"]
    concentration_ug_per_ml: Concentration
    route: Literal["intrathecal", "epidural"]
    site: Literal["lumbar", "cisternal", "epidural"]
    basal_ug_per_day: int
    bolus_ug: int
    bolus_duration_s: int
    lockout_s: int
    max_boluses_per_h: int | None = None
    max_boluses_per_24h: int | None = None
    limit_1h_ug: int | None = None
    limit_4h_ug: int | None = None
    limit_24h_ug: int | None = None
    equiv_prev_ug_per_day: int | None = None


class Action(Strict):
    """One thing that is done; `t` in ms since the first start of delivery."""

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
    over_ms: Annotated[int, PlainValidator(_duration)] = Field(20_000, alias="over")


class Disconnect(Action):
    do: Literal["disconnect"]


class Connect(Action):
    do: Literal["connect"]


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
    off_for_ms: DurationMs = Field(alias="off_for")


class CutAtWrite(Action):
    do: Literal["cut_at_write"]
    n: Annotated[int, Field(ge=1)]
    byte: Annotated[int, Field(ge=0)]
    off_for_ms: DurationMs = Field(alias="off_for")


class Hang(Action):
    do: Literal["hang"]
    for_ms: DurationMs = Field(alias="for")


class Flip(Action):
    do: Literal["flip"]
    name: str
    bit: Annotated[int, Field(ge=0)]


class Clock(Action):
    do: Literal["clock"]
    set_unix_s: UnixS = Field(alias="set")


class Cancel(Action):
    do: Literal["cancel"]


class Restart(Action):
    do: Literal["restart"]


class Prescribe(Action):
    """Any keys of the prescription: they change the last accepted one."""

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

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude={"t", "do"}, exclude_none=True)


class ClinicianBolus(Action):
    do: Literal["clinician_bolus"]
    ug: int
    over_s: int


class Refill(Action):
    do: Literal["refill"]
    ml: Positive
    returned_ml: NotNegative | None = None


class Hold(Action):
    do: Literal["hold"]
    on: bool


AnyAction = Annotated[
    Press | Pendant | Occlude | Clear | BackPressure | Disconnect | Connect | Air | Door | Stall | Creep
    | Sensor | Battery | Mains | Power | CutAtWrite | Hang | Flip | Clock | Cancel | Restart | Prescribe
    | ClinicianBolus | Refill | Hold,
    Field(discriminator="do"),
]  # fmt: skip


SUMMARY_KEYS = (
    "title", "target", "sim_s", "wall_s", "state", "pumped_ul", "delivered_ul", "booked_ul", "booked_ug", "boluses",
    "alarms", "peak_window_ug", "primed_ul", "released_ul", "reboots", "refusals", "log",
)  # fmt: skip


def _summary_key(key: str) -> str:
    """A dotted path into the summary; what lies deeper is known only once it is there."""
    if key.split(".")[0] not in SUMMARY_KEYS:
        allowed = "one of " + ", ".join(SUMMARY_KEYS)
        raise PydanticCustomError("cisterna", "{allowed}", {"held": key, "allowed": allowed})
    return key


def _pair(value: object) -> tuple[float, float]:
    numbers = value if isinstance(value, list) else []
    good = len(numbers) == 2 and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not good or not numbers[0] <= numbers[1]:
        raise _refuse("[low, high], two numbers, low first")
    return float(numbers[0]), float(numbers[1])


class Expect(Strict):
    """One thing the summary must show. `key` is dotted; list places count from 0."""

    key: Annotated[str, AfterValidator(_summary_key)]
    equals: Any = None
    min: Number | None = None
    max: Number | None = None
    within: Annotated[tuple[float, float], PlainValidator(_pair)] | None = None

    @property
    def test(self) -> str:
        """Which of the four was given."""
        return next(iter(self.model_fields_set - {"key"}))

    @model_validator(mode="after")
    def _exactly_one(self) -> "Expect":
        given = sorted(self.model_fields_set - {"key"})
        if len(given) != 1:
            raise PydanticCustomError(
                "cisterna", "{allowed}", {"held": given, "allowed": "exactly one of equals, min, max, within"}
            )
        return self


class Scenario(Strict):
    """One file: one pump, its prescription, what is done to it, what must come of it."""

    title: str
    duration_ms: DurationMs = Field(alias="duration")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    ticks_at_power_up_ms: Annotated[int, Field(ge=0, lt=2**30)] = 0
    clock_unix_s: UnixS = Field(1_767_600_000, alias="clock")  # 2026-01-05T08:00:00Z
    pump: Pump
    prescription: Prescription
    at: list[AnyAction] = []
    expect: list[Expect] = []


def load(path: Path) -> Scenario:
    """Read and judge the file at `path`. ScenarioError names every fault; NotYet what this version lacks."""
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: byte {error.start} is not UTF-8; allowed: a UTF-8 text file") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from None
    return check(raw, str(path))


def check(raw: dict[str, Any], name: str) -> Scenario:
    """Judge a parsed file called `name` in messages."""
    raw = {"title": Path(name).stem, **raw}
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        lines = dict.fromkeys(_line(name, detail, raw) for detail in error.errors())
        raise ScenarioError("\n".join(lines)) from None
    faults = list(_faults(scenario, name))
    if faults:
        raise ScenarioError("\n".join(faults))
    missing = list(_not_yet(scenario, name))
    if missing:
        raise NotYet("\n".join(missing))
    return scenario


def _faults(scenario: Scenario, name: str) -> Iterator[str]:
    """What no single key can tell."""
    for index, action in enumerate(scenario.at):
        for key, held, allowed in _faults_of(action, scenario):
            yield f"{name}: at.{index}{key} {held}; allowed: {allowed}"


def _faults_of(action: Action, scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Key, what it held, what is allowed, of each fault of one action."""
    if action.t < EARLIEST_MS:
        yield ".t", f'held "{action.t / 1000:g}s"', 'not before "-600s", when the pump is up'
    if action.t > scenario.duration_ms:
        end = f'"{scenario.duration_ms / 1000:g}s"'
        yield ".t", f'held "{action.t / 1000:g}s"', f"up to the duration, {end}"
    room_ml = SYRINGE_UL[scenario.pump.syringe] / 1000
    if isinstance(action, Refill) and action.ml > room_ml:
        yield ".ml", f"held {action.ml:g}", f"at most {room_ml:g}, the {scenario.pump.syringe} syringe"
    if isinstance(action, BackPressure) and action.over_ms < 0:
        yield ".over", f'held "{action.over_ms / 1000:g}s"', "0 or more"
    if isinstance(action, Prescribe) and not action.changes():
        yield "", "prescribes no change", 'a key of [prescription], or do = "restart"'


def _not_yet(scenario: Scenario, name: str) -> Iterator[str]:
    for index, action in enumerate(scenario.at):
        if action.do in NOT_YET_ACTIONS:
            yield f'{name}: at.{index}.do held "{action.do}": in the contract, but not yet in this version'
        key, values = NOT_YET_VALUES.get(action.do, ("", frozenset()))
        if key and getattr(action, key) in values:
            yield (
                f'{name}: at.{index}.{key} held "{getattr(action, key)}" ({action.do}): '
                "in the contract, but not yet in this version"
            )


# --- one line for one fault

_ALLOWED_BY_TYPE = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "list_type": "a list of tables",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "string_too_short": "a text that is not empty",
}
_TABLES: dict[str, type[Strict]] = {"pump": Pump, "prescription": Prescription, "expect": Expect}
ACTIONS: dict[str, type[Action]] = {
    model.model_fields["do"].annotation.__args__[0]: model for model in Action.__subclasses__()
}


def _names(model: type[Strict]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _known_keys(path: list) -> str:
    table = path[0] if len(path) > 1 else ""
    if table == "at":
        return ", ".join(_names(ACTIONS[path[2]]))
    return ", ".join(_names(_TABLES.get(table, Scenario)))


def _line(name: str, detail: ErrorDetails, raw: dict[str, Any]) -> str:
    path = list(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    shown = ".".join(str(part) for place, part in enumerate(path) if not (place == 2 and path[0] == "at"))
    if "key" in context:
        shown += "." + context["key"]
    if kind == "missing":
        return f"{name}: {shown} is missing; allowed: {_expected(path)}"
    if kind == "extra_forbidden":
        return f"{name}: {shown} is an unknown key (held {_held(detail['input'])}); allowed: {_known_keys(path)}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        held = detail["input"].get("do") if isinstance(detail["input"], dict) else detail["input"]
        what = f"held {_held(held)}" if held is not None else "is missing"
        return f"{name}: {shown}.do {what}; allowed: {', '.join(ACTIONS)}"
    held = context.get("held", detail["input"])
    return f"{name}: {shown} held {_held(held)}; allowed: {_allowed(kind, context, detail['msg'])}"


def _held(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _allowed(kind: str, context: dict, message: str) -> str:
    if "allowed" in context:
        return context["allowed"]
    if kind == "literal_error":
        return context["expected"].replace("'", '"')
    if kind in _ALLOWED_BY_TYPE:
        return _ALLOWED_BY_TYPE[kind]
    return message.removeprefix("Input should be ")


def _expected(path: list) -> str:
    """What a missing key wants, from its type."""
    if path[0] == "at":
        model: type[Strict] = ACTIONS[path[2]]
    else:
        model = _TABLES.get(path[0], Scenario) if len(path) > 1 else Scenario
    field = next(f for n, f in model.model_fields.items() if (f.alias or n) == path[-1])
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return " or ".join(f'"{choice}"' for choice in choices)
    if any(isinstance(extra, PlainValidator | BeforeValidator) for extra in field.metadata):
        return durations.ALLOWED if path[-1] != "set" else 'an ISO time, as "2026-01-05T08:00:00Z"'
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(
        field.annotation, "a table [" + str(path[-1]) + "]"
    )
