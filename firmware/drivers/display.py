"""Eight rows of text on the display. Only changed rows are drawn and sent, one transfer each."""

from micropython import const

ROWS = const(8)
COLUMNS = const(16)


class Display:
    """Text on `chip`, which needs `start()`, `pages` (a frame buffer per row of text), `send(page)` and `is_on()`."""

    def __init__(self, chip):
        self._chip = chip
        self._shown = [None] * ROWS
        self._started = False

    def show(self, rows, most=ROWS):
        """Show the 8 strings `rows`, 16 characters each. At most `most` changed rows are sent, 3 ms each.

        False if changed rows are left, for the next call. If no row changed, nothing is sent and nothing allocated.
        OSError if the chip does not answer.
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

    def check(self):
        """OSError if the chip does not answer, or is off though it was started: its picture is gone. No allocation."""
        if self._started and not self._chip.is_on():
            raise OSError("display: it has switched itself off")

    def invalidate(self):
        """Make the next `show` start the chip again and send all rows, as after an error."""
        self._started = False
        for i in range(ROWS):
            self._shown[i] = None
