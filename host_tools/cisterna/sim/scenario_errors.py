"""Error lines for a scenario file: one line per fault, with the key, its value and what is allowed."""

from collections.abc import Iterator

from pydantic import BeforeValidator, PlainValidator, ValidationError
from pydantic_core import ErrorDetails

from cisterna import durations
from cisterna.pharmacy.prescription_model import SYRINGE_UL, Prescription, PumpTable
from cisterna.sim import flips
from cisterna.sim.scenario_actions import (
    ACTIONS,
    NOT_YET_ACTIONS,
    NOT_YET_VALUES,
    Action,
    BackPressure,
    Flip,
    Prescribe,
    Refill,
)
from cisterna.sim.scenario_model import Expect, Scenario
from cisterna.strict_model import StrictModel, shortened

EARLIEST_MS = -600_000  # earliest time of an action; before it the pump may not have started up

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
_TABLES: dict[str, type[StrictModel]] = {"pump": PumpTable, "prescription": Prescription, "expect": Expect}


def validation_lines(error: ValidationError, name: str) -> Iterator[str]:
    """One line for each fault that the model found, without repetitions."""
    yield from dict.fromkeys(_line(name, detail) for detail in error.errors())


def _names(model: type[StrictModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _known_keys(path: list) -> str:
    table = path[0] if len(path) > 1 else ""
    if table == "at":
        return ", ".join(_names(ACTIONS[path[2]]))
    return ", ".join(_names(_TABLES.get(table, Scenario)))


def _line(name: str, detail: ErrorDetails) -> str:
    path = list(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    shown = ".".join(str(part) for place, part in enumerate(path) if not (place == 2 and path[0] == "at"))
    if "key" in context:
        shown += "." + context["key"]
    if kind == "missing":
        return f"{name}: {shown} is missing; allowed: {_expected(path)}"
    if kind == "extra_forbidden":
        return f"{name}: {shown} is an unknown key (held {shortened(detail['input'])}); allowed: {_known_keys(path)}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        held = detail["input"].get("do") if isinstance(detail["input"], dict) else detail["input"]
        what = f"held {shortened(held)}" if held is not None else "is missing"
        return f"{name}: {shown}.do {what}; allowed: {', '.join(ACTIONS)}"
    held = context.get("held", detail["input"])
    return f"{name}: {shown} held {shortened(held)}; allowed: {_allowed(kind, context, detail['msg'])}"


def _allowed(kind: str, context: dict, message: str) -> str:
    if "allowed" in context:
        return context["allowed"]
    if kind == "literal_error":
        return context["expected"].replace("'", '"')
    if kind in _ALLOWED_BY_TYPE:
        return _ALLOWED_BY_TYPE[kind]
    return message.removeprefix("Input should be ")


def _expected(path: list) -> str:
    """What is allowed for a missing key, from its type."""
    if path[0] == "at":
        model: type[StrictModel] = ACTIONS[path[2]]
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


def faults(scenario: Scenario, name: str) -> Iterator[str]:
    """One line for each fault that depends on more than one key."""
    for index, action in enumerate(scenario.at):
        for key, held, allowed in _faults_of(action, scenario):
            yield f"{name}: at.{index}{key} {held}; allowed: {allowed}"


def _faults_of(action: Action, scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """(key, value, what is allowed) of each fault of one action."""
    if action.t < EARLIEST_MS:
        yield ".t", f'held "{action.t / 1000:g}s"', 'not before "-600s", when the pump is up'
    if action.t > scenario.duration_ms:
        end = f'"{scenario.duration_ms / 1000:g}s"'
        yield ".t", f'held "{action.t / 1000:g}s"', f"up to the duration, {end}"
    if isinstance(action, Refill | Prescribe):
        key, ml = (".ml", action.ml) if isinstance(action, Refill) else (".fill_ml", action.fill_ml)
        syringe = action.syringe or _prescribed_syringe(scenario, action.t)
        if ml is not None and ml > SYRINGE_UL[syringe] / 1000:
            yield key, f"held {ml:g}", f"at most {SYRINGE_UL[syringe] / 1000:g}, the {syringe} syringe"
    if isinstance(action, BackPressure) and action.over_ms < 0:
        yield ".over", f'held "{action.over_ms / 1000:g}s"', "0 or more"
    if isinstance(action, Flip):
        bits = flips.widths().get(action.name)
        if bits is None:
            yield ".name", f'held "{action.name}"', "a name of `cisterna sim --list-flips`"
        elif action.bit >= bits:
            yield ".bit", f"held {action.bit}", f"0 to {bits - 1}, the bits of {action.name}"
    if isinstance(action, Prescribe) and not action.changes():
        yield "", "prescribes no change", 'a key of [prescription], or do = "restart"'


def _prescribed_syringe(scenario: Scenario, t: int) -> str:
    """The syringe that the file prescribes at time `t`, ms."""
    syringe = scenario.pump.syringe
    for action in sorted(scenario.at, key=lambda action: action.t):
        if isinstance(action, Prescribe) and action.t <= t:
            syringe = action.syringe or syringe
    return syringe


def not_yet(scenario: Scenario, name: str) -> Iterator[str]:
    """One line for each action, or value of one, that this version does not have."""
    for index, action in enumerate(scenario.at):
        if action.do in NOT_YET_ACTIONS:
            yield f'{name}: at.{index}.do held "{action.do}": in the contract, but not yet in this version'
        key, values = NOT_YET_VALUES.get(action.do, ("", frozenset()))
        if key and getattr(action, key) in values:
            yield (
                f'{name}: at.{index}.{key} held "{getattr(action, key)}" ({action.do}): '
                "in the contract, but not yet in this version"
            )
