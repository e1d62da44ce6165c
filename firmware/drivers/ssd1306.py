"""SSD1306 display, 128 x 64, I2C 0x3C (data sheet rev 1.1, 8.1.5 for the bus, 9 and 10 for the commands).

Eight pages of 8 lines. A page is a frame buffer to draw into and one I2C transfer (135 bytes, 3 ms at 400
kHz).
"""

import framebuf
from micropython import const

_ADDRESS = const(0x3C)
PAGES = const(8)
WIDTH = const(128)

# A control byte before each byte: 0x80 one command follows, 0x40 only data follow (8.1.5.2).
_HEADER = const(7)

_START = (
    b"\x00"  # only commands follow
    b"\xae"  # display off
    b"\xd5\x80"  # clock: divide by 1, default frequency
    b"\xa8\x3f"  # 64 lines
    b"\xd3\x00\x40"  # no offset, start line 0
    b"\x8d\x14"  # charge pump on
    b"\x20\x02"  # page addressing
    b"\xa1\xc8\xda\x12"  # column 127 is SEG0, scan downwards, alternative COM pins: this glass, upright
    b"\x81\xcf\xd9\xf1\xdb\x40"  # contrast, pre-charge, VCOMH
    b"\xa4\xa6"  # show the memory, not inverted
    b"\xaf"  # display on
)
_NOP = b"\x00\xe3"


class SSD1306:
    """`pages[i]` is the frame buffer of page i (0 = top); `send(i)` shows it."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._transfers = []
        self.pages = []
        for page in range(PAGES):
            transfer = bytearray(_HEADER + WIDTH)
            # page, column 0 in two halves, data
            transfer[:_HEADER] = bytes((0x80, 0xB0 | page, 0x80, 0x00, 0x80, 0x10, 0x40))
            self._transfers.append(transfer)
            pixels = memoryview(transfer)[_HEADER:]
            self.pages.append(framebuf.FrameBuffer(pixels, WIDTH, 8, framebuf.MONO_VLSB))

    def start(self):
        """Switch it on, set for this glass. OSError if it does not answer. It shows anything until sent."""
        self._i2c.writeto(_ADDRESS, _START)

    def send(self, page):
        """Show page `page` as drawn. OSError if the chip does not answer. No allocation."""
        self._i2c.writeto(_ADDRESS, self._transfers[page])

    def prove(self):
        """True if the chip answers."""
        self._i2c.writeto(_ADDRESS, _NOP)
        return True
