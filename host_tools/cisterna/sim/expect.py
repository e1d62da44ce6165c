"""Compares the summary with the scenario's `[[expect]]` tables: one line for each failure."""

from typing import Any

from cisterna.sim.scenario_model import Expect

NULL = "null"  # TOML has no null: `equals = "null"` means it


class _Missing(Exception):
    """The key is not in the summary; the text lists the keys that are."""


def look_up(summary: Any, key: str) -> Any:
    """The value at a dotted key, as `boluses.2.result`; `length` of a list is its number of items."""
    value, walked = summary, ""
    for part in key.split("."):
        where = f"{walked or 'the summary'}"
        if isinstance(value, dict):
            if part not in value:
                raise _Missing(f"{where} has no {part!r}; there is: {', '.join(value) or 'nothing'}")
            value = value[part]
        elif isinstance(value, list):
            value = _place(value, part, where)
        else:
            raise _Missing(f"{where} is {value!r}, which has no {part!r}")
        walked = f"{walked}.{part}" if walked else part
    return value


def _place(items: list, part: str, where: str) -> Any:
    if part == "length":
        return len(items)
    if not part.isdecimal():
        raise _Missing(f"{where} is a list, where {part!r} is no place; there is: 0 to {len(items) - 1}, length")
    if int(part) >= len(items):
        there = f"0 to {len(items) - 1}" if items else "nothing"
        raise _Missing(f"{where} has no place {part}; there is: {there}")
    return items[int(part)]


def failure(summary: dict[str, Any], expect: Expect) -> str | None:
    """The line to print if `expect` does not hold, else None."""
    wanted = getattr(expect, expect.test)
    wish = f"expected {expect.key} {_SAID[expect.test]} {_shown(wanted)}"
    try:
        found = look_up(summary, expect.key)
    except _Missing as missing:
        return f"{wish}, but {missing}"
    return None if _HOLDS[expect.test](found, wanted) else f"{wish}, found {_shown(found)}"


def failures(summary: dict[str, Any], expects: list[Expect]) -> list[str]:
    """One line for each of `expects` that does not hold."""
    return [line for expect in expects if (line := failure(summary, expect)) is not None]


def _equal(found: Any, wanted: Any) -> bool:
    if found is None:
        return wanted == NULL
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_equal(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_HOLDS = {
    "equals": _equal,
    "min": lambda found, wanted: _is_number(found) and found >= wanted,
    "max": lambda found, wanted: _is_number(found) and found <= wanted,
    "within": lambda found, wanted: _is_number(found) and wanted[0] <= found <= wanted[1],
}
_SAID = {"equals": "=", "min": ">=", "max": "<=", "within": "within"}


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:g} to {value[1]:g}"
    return NULL if value is None else repr(value)
