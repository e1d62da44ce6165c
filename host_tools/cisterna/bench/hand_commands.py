"""Commands that operate a simulated pump: one per line on standard input.

press start 2.5      hold a key (start, stop, ack, pca) for 2.5 s; without a number for 0.2 s
door open | close    and  syringe in | out
look                 print the display's text and the lights that are on
occlude fraction=0.8 any action of a scenario file that acts on the world, with its keys
quit                 end the simulated pump
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
from collections.abc import Callable
from typing import Any, Protocol

from cisterna.bench import display_text

_TAP_S = 0.2
_CHUNK = 4096
_LONGEST = 1000  # characters of a command
_RESERVED = frozenset({"do", "self"})  # parameters of `act`, not keys of an action
KNOWN = "press, door, syringe, look, quit, or a word of a scenario file with key=value"


class OperatedPump(Protocol):
    """A simulated pump, as the commands use it; see `Target`."""

    def act(self, do: str, **keys: Any) -> None: ...
    def look(self) -> dict[str, Any]: ...


class HandCommands:
    """Reads standard input without waiting. `output` prints results, `error` prints commands that failed."""

    def __init__(self, board: OperatedPump, as_json: bool, output: Callable[[str], None], error: Callable[[str], None]):
        self._board = board
        self._as_json = as_json
        self._print = output
        self._print_error = error
        self._input: int | None = sys.stdin.fileno() if sys.stdin else None
        self._partial_line = b""

    def execute_pending(self) -> bool:
        """Execute the lines that have arrived. False after `quit`."""
        for line in self._lines():
            words = line.split()
            if words == ["quit"]:
                return False
            if words:
                try:
                    self._execute(*words)
                except ValueError as error:
                    self._print_error(f"{line}: {error}")
        return True

    def _execute(self, command: str, *arguments: str) -> None:
        if command == "look" and not arguments:
            self._print_panel()
        else:
            do, keys = parse(command, *arguments)
            self._board.act(do, **keys)

    def _print_panel(self) -> None:
        observed = self._board.look()
        if not observed:
            raise ValueError("this board has no display (`--bare`)")
        rows, lights = display_text.text_rows(observed), [name for name, on in observed["lights"].items() if on]
        if self._as_json:
            self._print(json.dumps({"display": rows, "lights": lights}))
        else:
            self._print("\n".join([*(f"| {row:<16} |" for row in rows), f"lights: {', '.join(lights) or 'none'}"]))

    def _lines(self) -> list[str]:
        if self._input is None or not _may_read(self._input) or not select.select([self._input], [], [], 0)[0]:
            return []
        data = os.read(self._input, _CHUNK)
        if not data:  # end of input; the pump continues to run
            self._input = None
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        return [line.decode(errors="replace").strip() for line in lines]


def parse(word: str, *rest: str) -> tuple[str, dict[str, Any]]:
    """A command as arguments of `Target.act`: the action and its keys. ValueError with the allowed commands."""
    try:
        if sum(map(len, rest)) > _LONGEST:
            raise ValueError
        if word == "press":
            button, *hold_s = rest
            (held_s,) = hold_s or (_TAP_S,)
            return "press", {"button": button, "hold_ms": round(float(held_s) * 1000), "count": 1, "gap_ms": 300}
        if word == "door":
            return "door", {"open": {"open": True, "close": False}[rest[0]]}
        if word == "syringe":
            return "syringe", {"gripped": {"in": True, "out": False}[rest[0]]}
        keys = {key: _value(text) for key, text in (part.split("=", 1) for part in rest)}
        if not all(map(str.isidentifier, keys)) or _RESERVED & keys.keys():
            raise ValueError
        return word, keys
    except (ValueError, KeyError, IndexError, OverflowError):
        raise ValueError(f"not understood; allowed: {KNOWN}") from None


def _value(text: str) -> Any:
    """A number, true, false, null or a text. ValueError for a number that is not finite, and for lists and objects."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested") from None
    except ValueError:
        value = text
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(text)
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    return value


def _may_read(file: int) -> bool:
    """False if `file` is a terminal and this is a background job, which a read would stop."""
    return not os.isatty(file) or os.tcgetpgrp(file) == os.getpgrp()
