"""Eight rows of text on the display. Only rows whose text changed are drawn and sent, one transfer each."""

from micropython import const

ROWS = const(8)
COLUMNS = const(16)


class Display:
    """Needs a chip with `start()`, `pages` (frame buffers, a row of text each) and `send(page)`."""

    def __init__(self, chip):
        self._chip = chip
        self._shown = [None] * ROWS
        self._started = False

    def show(self, rows):
        """Show the 8 strings `rows`, the first 16 characters of each.

        Nothing is sent, or allocated, if none changed. OSError if the chip does not answer; the rows not sent
        go out with the next call.
        """
        shown = self._shown
        if rows == shown:  # one comparison in C, the usual case
            return
        if not self._started:
            self._chip.start()
            self._started = True
        for i in range(ROWS):
            if rows[i] != shown[i]:
                shown[i] = None
                page = self._chip.pages[i]
                page.fill(0)
                page.text(rows[i], 0, 0)
                self._chip.send(i)
                shown[i] = rows[i]

    def invalidate(self):
        """Forget what the glass shows: the next call starts the chip and sends everything anew."""
        self._started = False
        for i in range(ROWS):
            self._shown[i] = None
