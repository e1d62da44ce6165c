"""Hands at a simulated pump, in words: one a line on standard input.

    press start 2.5      hold a key for so many seconds (0.2 without a figure): start, stop, ack, pca
    door open | close    and  syringe in | out
    look                 what the display shows, and which lights are on
    occlude fraction=0.8 any word of a scenario file that is done to the pump, with its keys
    quit                 end the pump
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable
from typing import Any, Protocol

from cisterna.bench import glass

_TAP_S = 0.2
_CHUNK = 4096
KNOWN = "press, door, syringe, look, quit, or a word of a scenario file with key=value"


class Handled(Protocol):
    """A simulated pump that hands can reach."""

    def act(self, do: str, **keys: Any) -> None: ...
    def look(self) -> dict[str, Any]: ...


class Words:
    """Reads standard input without waiting. `say` prints what was asked for, `complain` what could not be done."""

    def __init__(self, board: Handled, as_json: bool, say: Callable[[str], None], complain: Callable[[str], None]):
        self._board = board
        self._as_json = as_json
        self._say = say
        self._complain = complain
        self._input: int | None = sys.stdin.fileno() if sys.stdin else None
        self._part = b""

    def obey(self) -> bool:
        """Does what has been said by now. False once it was `quit`."""
        for line in self._lines():
            words = line.split()
            if words == ["quit"]:
                return False
            if words:
                try:
                    self._do(*words)
                except ValueError as error:
                    self._complain(f"{line}: {error}")
        return True

    def _do(self, word: str, *rest: str) -> None:
        if word == "look" and not rest:
            self._look()
        else:
            do, keys = deed(word, *rest)
            self._board.act(do, **keys)

    def _look(self) -> None:
        seen = self._board.look()
        if not seen:
            raise ValueError("nobody sees this board")
        rows, lights = glass.rows(seen), [name for name, on in seen["lights"].items() if on]
        if self._as_json:
            self._say(json.dumps({"display": rows, "lights": lights}))
        else:
            self._say("\n".join([*(f"| {row:<16} |" for row in rows), f"lights: {', '.join(lights) or 'none'}"]))

    def _lines(self) -> list[str]:
        if self._input is None or not _is_ours(self._input) or not select.select([self._input], [], [], 0)[0]:
            return []
        data = os.read(self._input, _CHUNK)
        if not data:  # whoever spoke has gone; the pump goes on
            self._input = None
        *lines, self._part = (self._part + data).split(b"\n")
        return [line.decode(errors="replace").strip() for line in lines]


def deed(word: str, *rest: str) -> tuple[str, dict[str, Any]]:
    """A word as `Target.act` has it: what to do, and its keys. ValueError names what is wrong."""
    try:
        if word == "press":
            button, *hold_s = rest
            (held_s,) = hold_s or (_TAP_S,)
            return "press", {"button": button, "hold_ms": round(float(held_s) * 1000), "count": 1, "gap_ms": 300}
        if word == "door":
            return "door", {"open": {"open": True, "close": False}[rest[0]]}
        if word == "syringe":
            return "syringe", {"gripped": {"in": True, "out": False}[rest[0]]}
        return word, {key: _value(text) for key, text in (part.split("=", 1) for part in rest)}
    except (ValueError, KeyError, IndexError):
        raise ValueError(f"not understood; allowed: {KNOWN}") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_ours(file: int) -> bool:
    """Whether a read would be let through: of a terminal only the job in the foreground reads."""
    return not os.isatty(file) or os.tcgetpgrp(file) == os.getpgrp()
