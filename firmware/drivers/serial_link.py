"""Lines over a UART, without ever waiting.

What is not whole yet is kept; what does not fit is dropped as a whole line and counted. A host that does not
read costs nothing: the UART has no hand-shake, and sends into the void.
"""

from machine import UART
from micropython import const

MAX_LINE = const(6000)  # the end of line included
_BUFFER = const(8192)  # of the UART, each way


class SerialLink:
    """`uart_id`, `tx`, `rx`, `baudrate` as for machine.UART. `wake`: its `woken` is set when a burst has come.

    `overlong` counts lines longer than MAX_LINE that were dropped, `dropped` lines that could not be sent.
    """

    def __init__(self, uart_id, tx, rx, baudrate, wake):
        self._wake = wake
        self._uart = UART(uart_id, baudrate=baudrate, tx=tx, rx=rx, rxbuf=_BUFFER, txbuf=_BUFFER, timeout=0)
        self._line = bytearray(MAX_LINE)
        self._line_view = memoryview(self._line)
        self._filled = 0  # bytes of _line that hold something
        self._searched = 0  # of these, known to hold no end of line
        self._skipping = False  # inside a line that is too long
        self._unsent = 0  # at most so many bytes are in the UART's buffer
        self.overlong = 0
        self.dropped = 0
        self._on_burst = self._burst  # stored once: a bound method is an allocation
        self._uart.irq(handler=self._on_burst, trigger=UART.IRQ_RXIDLE)

    def read_line(self, buffer):
        """Next whole line into `buffer` (MAX_LINE bytes or more), without its end. Its length; 0 if none yet.

        An empty line is passed over. Call until it gives 0.
        """
        while True:
            length = self._whole_line(buffer)
            if length:
                return length
            if not self._receive():
                return 0

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

    def is_sent(self):
        """True when nothing is left to be sent."""
        return self._uart.txdone()

    def _receive(self):
        """Move what the UART holds into the line. False if there was nothing."""
        waiting = self._uart.any()
        if not waiting:
            return False
        if self._filled == MAX_LINE:  # no end of line in all of it
            self._drop()
        end = min(MAX_LINE, self._filled + waiting)
        got = self._uart.readinto(self._line_view[self._filled : end])
        if not got:
            return False
        self._filled += got
        return True

    def _drop(self):
        if not self._skipping:
            self._skipping = True
            self.overlong += 1
        self._filled = self._searched = 0

    def _whole_line(self, buffer):
        """Take one line out of what was received; 0 if there is no whole one."""
        while True:
            end = self._line.find(b"\n", self._searched, self._filled)
            if end < 0:
                self._searched = self._filled
                return 0
            length = 0
            if self._skipping:
                self._skipping = False
            else:
                length = end
                if length and self._line[length - 1] == 13:  # a host that ends lines with CR LF
                    length -= 1
                buffer[:length] = self._line_view[:length]
            rest = self._filled - end - 1
            if rest:
                self._line[:rest] = self._line[end + 1 : self._filled]
            self._filled = rest
            self._searched = 0
            if length:
                return length

    def _burst(self, _uart):
        self._wake.woken = True
