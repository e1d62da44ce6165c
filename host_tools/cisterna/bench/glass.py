"""Reads the display: eight rows of text, by the glyphs that MicroPython itself draws."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import Any

from cisterna.bench.unix_target import find_micropython

_GLYPH = 8  # columns, a byte each
_ROW = 128
_DRAW = """
import framebuf, json
glyphs = {}
for code in range(32, 127):
    pixels = bytearray(8)
    framebuf.FrameBuffer(pixels, 8, 8, framebuf.MONO_VLSB).text(chr(code), 0, 0)
    glyphs["".join("%02x" % byte for byte in pixels)] = chr(code)
print(json.dumps(glyphs))
"""


@cache
def _glyphs() -> dict[bytes, str]:
    drawn = subprocess.run([find_micropython(), "-c", _DRAW], capture_output=True, text=True, check=True).stdout
    return {bytes.fromhex(pixels): character for pixels, character in json.loads(drawn).items()}


def rows(look: dict[str, Any]) -> list[str]:
    """What the glass shows of `Target.look`; a place that holds no character is a "?". Empty rows when it is dark."""
    display = look["display"]
    picture = bytes.fromhex(display["ram"])
    return [_text(picture[start : start + _ROW]) if display["on"] else "" for start in range(0, len(picture), _ROW)]


def _text(row: bytes) -> str:
    return "".join(_glyphs().get(row[at : at + _GLYPH], "?") for at in range(0, _ROW, _GLYPH)).rstrip()
