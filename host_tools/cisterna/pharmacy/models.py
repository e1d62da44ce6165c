"""What somebody's file says, judged by its model: one clear line for each fault."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from cisterna.pharmacy.documents import DocumentError

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


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def judged(model: type[Model], raw: object, name: str) -> Model:
    """`raw` as the model; DocumentError with a line for each fault, which begins with `name`."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = dict.fromkeys(f"{name}: {_line(detail)}" for detail in error.errors())
        raise DocumentError("\n".join(lines)) from None


def _line(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    path = [*map(str, detail["loc"]), *([context["key"]] if "key" in context else [])]
    shown = ".".join(path) or "the file"
    if kind == "extra_forbidden":
        return f"{shown} is an unknown key"
    allowed = context.get("allowed") or _ALLOWED_BY_TYPE.get(kind) or detail["msg"].removeprefix("Input should be ")
    if kind == "missing":
        return f"{shown} is missing; allowed: {allowed}"
    return f"{shown} held {_held(context.get('held', detail['input']))}; allowed: {allowed}"


def _held(value: object) -> str:
    text = json.dumps(value, default=_shown, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _shown(value: Any) -> str:
    return str(value)
