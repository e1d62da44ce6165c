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

    def show(self, rows, most=ROWS):
        """Show the 8 strings `rows`, the first 16 characters of each; `most` of them now, 3 ms each.

        True if all are shown; otherwise the rest goes out with the next call. Nothing is sent, or allocated, if none
        changed. OSError if the chip does not answer.
        """
        shown = self._shown
        if rows == shown:  # one comparison in C, the usual case
            return True
        if not self._started:
            self._chip.start()
            self._started = True
        for i in range(ROWS):
            if rows[i] != shown[i]:
                if most == 0:
                    return False
                most -= 1
                shown[i] = None
                page = self._chip.pages[i]
                page.fill(0)
                page.text(rows[i], 0, 0)
                self._chip.send(i)
                shown[i] = rows[i]
        return True

    def invalidate(self):
        """Forget what the glass shows: the next call starts the chip and sends everything anew."""
        self._started = False
        for i in range(ROWS):
            self._shown[i] = None
