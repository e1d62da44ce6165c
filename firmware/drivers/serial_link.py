"""Lines over a UART, without ever waiting.

What is not whole yet is kept; what does not fit is dropped as a whole line and counted. A host that does not
read costs nothing: the UART has no hand-shake, and sends into the void.
"""

from machine import UART
from micropython import const

MAX_LINE = const(6000)  # the end of line included
_BUFFER = const(8192)  # of the UART, each way


class SerialLink:
    """`uart_id`, `tx`, `rx`, `baudrate` as for machine.UART. `wake`: its `woken` is set when a burst has come,
    or is there still.

    `overlong` counts lines longer than MAX_LINE that were dropped, `dropped` lines that could not be sent.
    """

    def __init__(self, uart_id, tx, rx, baudrate, wake):
        self._wake = wake
        self._uart = UART(uart_id, baudrate=baudrate, tx=tx, rx=rx, rxbuf=_BUFFER, txbuf=_BUFFER, timeout=0)
        self._line = bytearray(MAX_LINE)
        self._line_view = memoryview(self._line)
        self._start = 0  # where in _line the next line begins
        self._searched = 0  # up to here there is no end of it
        self._filled = 0  # up to here _line holds something
        self._skipping = False  # inside a line that is too long
        self._unsent = 0  # at most so many bytes are in the UART's buffer
        self.overlong = 0
        self.dropped = 0
        self._on_burst = self._burst  # stored once: a bound method is an allocation
        self._uart.irq(handler=self._on_burst, trigger=UART.IRQ_RXIDLE)

    def read_line(self, buffer):
        """Next whole line into `buffer` (MAX_LINE bytes or more), without its end. Its length; 0 if none yet.

        Empty lines are passed over. Call until it gives 0. One call takes from the UART only what there is room for,
        however fast and long the other side sends; what it leaves there wakes the caller again after its other work.
        """
        length = self._whole_line(buffer)
        if not length and self._receive():
            length = self._whole_line(buffer)
        return length

    def write(self, line):
        """Send `line`, its end included. False if it was dropped whole because there is no room for it.

        The UART cannot be asked how much room it has, only whether all is sent; so what was written since
        then counts as unsent. A write that fits does not wait.
        """
        if self._uart.txdone():
            self._unsent = 0
        if self._unsent + len(line) > _BUFFER:
            self.dropped += 1
            return False
        self._unsent += len(line)
        self._uart.write(line)
        return True

    def has_heard(self):
        """True when there is something that has not been read."""
        return self._start < self._filled or self._uart.any() > 0

    def is_sent(self):
        """True when nothing is left to be sent."""
        return self._uart.txdone()

    def _receive(self):
        """Move what the UART holds behind the line that is not whole yet. False if there was nothing."""
        waiting = self._uart.any()
        if not waiting:
            return False
        self._make_room()
        got = self._uart.readinto(self._line_view[self._filled : min(MAX_LINE, self._filled + waiting)])
        if not got:
            return False
        self._filled += got
        if got < waiting:
            self._wake.woken = True
        return True

    def _make_room(self):
        """Move the beginning of a line to the front; drop what fills all of the room without an end."""
        if self._start:
            rest = self._filled - self._start
            self._line[:rest] = self._line[self._start : self._filled]
            self._start, self._searched, self._filled = 0, rest, rest
        if self._filled == MAX_LINE:
            if not self._skipping:
                self._skipping = True
                self.overlong += 1
            self._searched = self._filled = 0

    def _whole_line(self, buffer):
        """Take one line out of what was received; 0 if there is no whole one."""
        if self._skipping:
            if not self._find_end():
                return 0
            self._skipping = False
            self._start = self._searched + 1
        self._pass_ends()
        if not self._find_end():
            return 0
        start, end = self._start, self._searched
        self._start = self._searched = end + 1
        if self._line[end - 1] == 13:  # a host that ends lines with CR LF
            end -= 1
        buffer[: end - start] = self._line_view[start:end]
        return end - start

    def _find_end(self):
        """Whether the line that begins at `_start` has its end, which is then at `_searched`."""
        end = self._line.find(b"\n", self._searched, self._filled)
        self._searched = self._filled if end < 0 else end
        return end >= 0

    def _pass_ends(self):
        """Go on to the first byte that ends no line, over thousands that do at once."""
        if self._start < self._filled and self._line[self._start] in b"\r\n":
            rest = bytes(self._line_view[self._start : self._filled]).lstrip(b"\r\n")
            self._start = self._filled - len(rest)
        self._searched = max(self._searched, self._start)

    def _burst(self, _uart):
        self._wake.woken = True
