"""SSD1306 display, 128 x 64, I2C 0x3C (data sheet rev 1.1, 8.1.5 for the bus, 9 and 10 for the commands).

Eight pages of 8 lines. A page has a frame buffer and takes one I2C transfer (135 bytes, 3 ms at 400 kHz).
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
    b"\xa1\xc8\xda\x12"  # column 127 is SEG0, scan downwards, alternative COM pins: this panel, upright
    b"\x81\xcf\xd9\xf1\xdb\x40"  # contrast, pre-charge, VCOMH
    b"\xa4\xa6"  # show the memory, not inverted
    b"\xaf"  # display on
)
_IS_OFF = const(0x40)  # status byte (8.1.1, table "read status")
_NOP = b"\x00\xe3"


class SSD1306:
    """`pages[i]` is the frame buffer of page i (0: top); `send(i)` shows it. `i2c`: machine.I2C."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._status = bytearray(1)
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
        """Configure and switch on the display; its content is random until `send`. OSError if it does not answer."""
        self._i2c.writeto(_ADDRESS, _START)

    def send(self, page):
        """Send the frame buffer of `page`. OSError if the chip does not answer. No allocation."""
        self._i2c.writeto(_ADDRESS, self._transfers[page])

    def is_on(self):
        """True while the display is on: one that lost its supply is off. OSError as `send`. No allocation."""
        self._i2c.readfrom_into(_ADDRESS, self._status)
        return not self._status[0] & _IS_OFF

    def probe(self):
        """True if the chip answers; else OSError."""
        self._i2c.writeto(_ADDRESS, _NOP)
        return True
