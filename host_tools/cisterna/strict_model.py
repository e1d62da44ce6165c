"""Strict pydantic models for files that people write: unknown keys and wrong types are errors, one line each."""

import json
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from cisterna.errors import DocumentError

LARGEST, SMALLEST = 1e6, 1e-6  # magnitudes beyond which the simulated world would overflow


def _not_tiny(value: float) -> float:
    if 0 < abs(value) < SMALLEST:
        raise PydanticCustomError("cisterna", "{allowed}", {"allowed": f"0 or at least {SMALLEST:g}"})
    return value


_Sized = AfterValidator(_not_tiny)
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False), _Sized]
Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False), _Sized]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False), _Sized]

_ALLOWED_BY_TYPE = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "missing": "this key has to be there",
}


class StrictModel(BaseModel):
    """A frozen model: no unknown keys, no conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], raw: object, name: str) -> Model:
    """`raw` as the model. Raises DocumentError with one line for each error; each begins with `name`."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = dict.fromkeys(f"{name}: {_error_line(detail)}" for detail in error.errors())
        raise DocumentError("\n".join(lines)) from None


def _error_line(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    keys = [*map(str, detail["loc"]), *([context["key"]] if "key" in context else [])]
    path = ".".join(keys) or "the file"
    if kind == "extra_forbidden":
        return f"{path} is an unknown key"
    allowed = context.get("allowed") or _ALLOWED_BY_TYPE.get(kind) or detail["msg"].removeprefix("Input should be ")
    if kind == "missing":
        return f"{path} is missing; allowed: {allowed}"
    return f"{path} held {shortened(context.get('held', detail['input']))}; allowed: {allowed}"


def shortened(value: object) -> str:
    """`value` as JSON, at most 80 characters."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except RecursionError:
        text = "what is nested too deep"
    except ValueError:  # Python converts no integer of more than 4300 digits
        text = "a number of too many digits"
    return text if len(text) <= 80 else text[:77] + "..."
