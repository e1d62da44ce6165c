"""Reads the TOML files that people write. Text, nesting and numbers are checked here; keys and types by the models."""

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from cisterna.errors import CisternaError
from cisterna.strict_model import shortened

MAX_BYTES = 1_000_000
MAX_DEPTH = 16  # tables and lists within one another; the documented files need 4
MAX_INT = 2**63 - 1  # of TOML 1.0
_SHOWN_PARTS = 8  # of a dotted key in a message


def read(path: Path, kind: type[CisternaError]) -> dict[str, Any]:
    """The contents of the TOML file at `path`, with or without a byte-order mark.

    Raises `kind`, each line beginning with `path`: not readable, not UTF-8, not TOML, nested too deep, or numbers that
    are not finite or need more than 64 bits.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise kind(f"{path}: is longer than {MAX_BYTES} bytes; allowed: a TOML file of the documented form")
        contents = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise kind(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise kind(f"{path}: byte {error.start} is not UTF-8; allowed: a UTF-8 text file") from None
    except ValueError as error:  # TOMLDecodeError, or a number with more digits than Python converts
        raise kind(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise kind(f"{path}: nested too deep; allowed: a TOML file of the documented form") from None
    faults = [f"{path}: {fault}" for fault in _faults(contents, ())]
    if faults:
        raise kind("\n".join(dict.fromkeys(faults)))
    return contents


def _faults(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """One line for each value that is nested too deep or is a number that no model takes."""
    if isinstance(value, dict | list):
        if len(keys) > MAX_DEPTH:
            yield f"{'.'.join(keys[:_SHOWN_PARTS])}... is nested too deep; allowed: {MAX_DEPTH} levels"
            return
        items = _items(cast("dict[Any, Any] | list[Any]", value))
        wrong = [allowed for item in items.values() if (allowed := _number_allowed(item))]
        if isinstance(value, list) and wrong:  # a list of numbers is named as a whole
            yield _fault(keys, value, wrong[0])
            return
        for key, item in items.items():
            yield from _faults(item, (*keys, str(key)))
    elif allowed := _number_allowed(value):
        yield _fault(keys, value, allowed)


def _items(value: dict[Any, Any] | list[Any]) -> dict[Any, Any]:
    """The contents of a table or list, by key or index."""
    return dict(enumerate(value)) if isinstance(value, list) else value


def _fault(keys: tuple[str, ...], value: Any, allowed: str) -> str:
    return f"{'.'.join(keys)} held {shortened(value)}; allowed: {allowed}"


def _number_allowed(value: Any) -> str:
    """What is allowed in place of the number `value`; empty if it is allowed, or no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if isinstance(value, int) and abs(value) > MAX_INT:
        return "a whole number of at most 64 bits"
    return ""
