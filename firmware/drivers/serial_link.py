"""Lines over a UART. No call waits.

An incomplete line is kept; a line that does not fit is dropped as a whole and counted. A host that does not read has no
effect: the UART has no handshake, and its bytes are lost.
"""

from machine import UART
from micropython import const

MAX_LINE = const(6000)  # the end of line included
_RX_BUFFER = const(8192)  # of the UART: a whole line arrives while flash is erased
_TX_BUFFER = const(1024)  # of the UART: 11 ms at 921,600 baud; the rest of an answer waits in its own bytes
_MOST_UNSENT = const(8192)  # bytes of the lines that wait to be sent


class SerialLink:
    """`uart_id`, `tx`, `rx`, `baudrate` as for machine.UART. `wake`: its `woken` is set when a burst of bytes has
    ended, and when bytes are left in the UART.

    `overlong` counts lines longer than MAX_LINE that were dropped, each when its end was read and at most one in a call
    of `read_line`; `dropped` counts lines that were not sent for lack of room. `unsent`: bytes that the UART has not
    taken yet; while there are any, `send` must be called every SEND_MS.
    """

    def __init__(self, uart_id, tx, rx, baudrate, wake):
        self._wake = wake
        self._uart = UART(uart_id, baudrate=baudrate, tx=tx, rx=rx, rxbuf=_RX_BUFFER, txbuf=_TX_BUFFER, timeout=0)
        self._line = bytearray(MAX_LINE)
        self._line_view = memoryview(self._line)
        self._start = 0  # begin of the next line in _line
        self._searched = 0  # up to here the next line has no end
        self._filled = 0  # up to here _line holds received bytes
        self._skipping = False  # inside a line that is too long
        self._lines = []  # lines to send, memoryviews; of the first one the rest
        self.unsent = 0
        self.overlong = 0
        self.dropped = 0
        self._handler = self._on_rx_idle  # kept, because each access to a bound method allocates
        self._uart.irq(handler=self._handler, trigger=UART.IRQ_RXIDLE)  # pyright: ignore[reportCallIssue]

    def read_line(self):
        """The next complete line without its end, a memoryview that is valid until the next call; None if none yet.

        Empty lines are skipped. Call until the result is None. One call takes at most MAX_LINE bytes from the UART,
        however much the host sends; bytes left there set `woken`, so that the caller comes back after its other work.
        """
        line = self._take_line()
        if line is None and self._receive():
            line = self._take_line()
        return line

    def write(self, line):
        """Sends `line`, which includes its end. False if there was no room and the whole line was dropped.

        Does not wait: the UART takes what its buffer holds, `send` hands over the rest.
        """
        if self.unsent + len(line) > _MOST_UNSENT:
            self.dropped += 1
            return False
        self._lines.append(memoryview(line))
        self.unsent += len(line)
        self.send()
        return True

    def send(self):
        """Hands unsent bytes to the UART until its transmit buffer is full."""
        while self._lines:
            line = self._lines[0]
            taken = self._uart.write(line) or 0  # without a timeout it takes what there is room for; None: nothing
            self.unsent -= taken
            if taken < len(line):
                self._lines[0] = line[taken:]
                return
            self._lines.pop(0)

    def has_unread(self):
        """True if received bytes have not been read."""
        return self._start < self._filled or self._uart.any() > 0

    def is_sent(self):
        """True if all bytes are sent."""
        return not self.unsent and self._uart.txdone()

    def _receive(self):
        """Append the bytes of the UART to the incomplete line. False if there were none."""
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
        """Move an incomplete line to the front of `_line`; drop it if it fills all of `_line`."""
        if self._start:
            rest = self._filled - self._start
            self._line[:rest] = self._line[self._start : self._filled]
            self._start, self._searched, self._filled = 0, rest, rest
        if self._filled == MAX_LINE:
            self._skipping = True
            self._searched = self._filled = 0

    def _take_line(self):
        """One complete line as a memoryview; None if there is none."""
        if self._skipping:
            if not self._find_end():
                return None
            self._skipping = False
            self.overlong += 1
            self._start = self._searched + 1
        self._skip_ends()
        if not self._find_end():
            return None
        start, end = self._start, self._searched
        self._start = self._searched = end + 1
        if self._line[end - 1] == 13:  # a host that ends lines with CR LF
            end -= 1
        return self._line_view[start:end]

    def _find_end(self):
        """True if the line at `_start` is complete; its end is then at `_searched`."""
        end = self._line.find(b"\n", self._searched, self._filled)
        self._searched = self._filled if end < 0 else end
        return end >= 0

    def _skip_ends(self):
        """Skip line ends at `_start`, thousands in one step."""
        if self._start < self._filled and self._line[self._start] in b"\r\n":
            rest = bytes(self._line_view[self._start : self._filled]).lstrip(b"\r\n")
            self._start = self._filled - len(rest)
        self._searched = max(self._searched, self._start)

    def _on_rx_idle(self, _uart):
        self._wake.woken = True
