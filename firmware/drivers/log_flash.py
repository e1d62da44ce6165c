"""The log's own region of the flash, in pieces smaller than the page that the chip programs.

The flash is programmed 256 bytes at a time (RP2040 data sheet 2.8.3.1.3: `flash_range_program` takes whole pages, and
reads on behind a shorter buffer). Programming only clears bits, so a piece goes out in a page of ones.
"""

from micropython import const

PAGE = const(256)
_BLANK = b"\xff" * PAGE


class LogFlash:
    """Block device over `flash` (rp2.Flash), for pieces that lie within one page."""

    def __init__(self, flash):
        self._flash = flash
        self._page = bytearray(PAGE)

    def ioctl(self, op, arg):
        """4 number of blocks, 5 their size, 6 erases block `arg`: interrupts are off for 45 to 400 ms meanwhile."""
        return self._flash.ioctl(op, arg)

    def readblocks(self, block, buf, off):
        self._flash.readblocks(block, buf, off)

    def writeblocks(self, block, buf, off):
        """Clears the bits of `buf` at byte `off` of `block`. ValueError for a piece that crosses a page."""
        at = off % PAGE
        if at + len(buf) > PAGE:
            raise ValueError(f"log flash: {len(buf)} bytes at {off} cross a page of {PAGE}")
        page = self._page
        page[:] = _BLANK
        page[at : at + len(buf)] = buf
        self._flash.writeblocks(block, page, off - at)
