"""Reads the display's picture as eight rows of text, by the glyphs of MicroPython's own font."""

from __future__ import annotations

from functools import cache
from typing import Any

from cisterna.bench.engines import glyphs

_GLYPH = 8  # columns, a byte each
_ROW = 128


@cache
def _characters() -> dict[bytes, str]:
    """Character of each glyph that is drawn."""
    return {bytes.fromhex(pixels): chr(32 + i) for i, pixels in enumerate(glyphs()[:-1])}


def text_rows(observed: dict[str, Any]) -> list[str]:
    """The display's text in the result of `Target.look`. "?": no known character. Empty rows: the display is off."""
    display = observed["display"]
    picture = bytes.fromhex(display["ram"])
    return [_text(picture[start : start + _ROW]) if display["on"] else "" for start in range(0, len(picture), _ROW)]


def has_next_page(rows: list[str]) -> bool:
    """True if START, pressed shortly, shows a further page: no page but the last one says what START confirms."""
    return rows[-1].startswith("START: ")


def wants_start(rows: list[str]) -> bool:
    """True if START does something beyond starting the infusion; of a dark display a hand cannot tell."""
    return rows[-1] in ("hold START", "press START") or not any(rows)


def shows_order(rows: list[str]) -> bool:
    """True if START gives a clinician's bolus."""
    return rows[-1] == "press START" and rows[1] == "CLINICIAN BOLUS"


def _text(row: bytes) -> str:
    return "".join(_characters().get(row[at : at + _GLYPH], "?") for at in range(0, _ROW, _GLYPH)).rstrip()
