"""`framebuf` in Python: rows of text, 8 pixels high, in MicroPython's own font.

The glyphs come from MicroPython itself, by the environment: 8 bytes of each character from 32 to 127, in hex.
"""

import os

MONO_VLSB = 0
_GLYPH = 8
_FIRST, _LAST = 32, 127  # the last stands for any character that the font lacks
_GLYPHS = bytes.fromhex(os.environ["CISTERNA_GLYPHS"])


class FrameBuffer:
    """Of MONO_VLSB only: a byte is a column of eight pixels."""

    def __init__(self, buffer, width, height, form):
        if form != MONO_VLSB or height != _GLYPH:
            raise ValueError("%d pixels high in form %r: this display is MONO_VLSB, 8 pixels high" % (height, form))
        self._buffer = buffer
        self._width = width

    def fill(self, colour):
        self._buffer[:] = (b"\xff" if colour else b"\0") * len(self._buffer)

    def text(self, text, x, y, colour=1):
        if y or colour != 1:
            raise ValueError("text at y=%d, colour %d: this display has lit text in row 0" % (y, colour))
        for character in text:
            code = ord(character) if _FIRST <= ord(character) <= _LAST else _LAST
            glyph = _GLYPHS[(code - _FIRST) * _GLYPH : (code - _FIRST + 1) * _GLYPH]
            for column in range(max(0, x), min(x + _GLYPH, self._width)):
                self._buffer[column] |= glyph[column - x]
            x += _GLYPH
