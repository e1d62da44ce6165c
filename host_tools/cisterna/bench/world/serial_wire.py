"""The wire between host and pump: bytes take their time at the baud rate; a full receive buffer loses bytes."""

from .timeline import NEVER

_CHUNK = 16  # bytes per receive interrupt: half of the receive FIFO
_TX_FIFO = 32


class SerialWire:
    """An alarm of the timeline.

    to_pump    bytes that the host has sent and the pump's UART has not received
    received   bytes that the firmware has not read
    lost       bytes lost because the receive buffer was full
    lines      lines from the pump that the host has not taken: (arrival of the line's end, us; line)
    on_rx      called when bytes were received, with True if the wire is idle now
    on_tx      called when the transmit buffer has run empty
    on_line    called when the pump begins to send a line's end, with its arrival, us
    """

    def __init__(self, timeline):
        self.timeline = timeline
        self.to_pump = bytearray()
        self.partial_line = bytearray()  # of the line that the pump is sending
        self.lines = []
        self.on_line = None
        self.rx_due_us = NEVER
        self.close()

    def open(self, baudrate, rx_size, tx_size):
        """The pump's UART is set up."""
        self.byte_ns = 10_000_000_000 // baudrate  # 8 data bits, start and stop
        self.rx_size = rx_size
        self.tx_size = tx_size
        self.opened = True
        if self.to_pump:
            self._schedule_rx()

    def close(self):
        """The CPU is in reset: bytes in its buffers and lines in transit are lost."""
        self.opened = False
        self.byte_ns = 86_805
        self.rx_size = self.tx_size = 0
        self.received = bytearray()
        self.lost = 0
        self.sent_us = 0  # time at which the last byte has left
        self.on_rx = self.on_tx = None
        self.tx_due_us = NEVER
        self.partial_line = bytearray()
        now_us = self.timeline.now_us
        self.lines = [line for line in self.lines if line[0] <= now_us]
        self._schedule()

    def send(self, data):
        """The host begins to send `data` now."""
        self.to_pump.extend(data)
        if self.rx_due_us == NEVER:
            self._schedule_rx()

    def take(self, n):
        """The firmware reads up to `n` of the received bytes."""
        data = self.received[:n]
        self.received = self.received[n:]
        return data

    def room(self):
        """Free bytes in the transmit buffer and FIFO."""
        return max(0, self.tx_size + _TX_FIFO - self._unsent())  # times are rounded up, so one more may seem unsent

    def transmit(self, data):
        """The pump sends `data`, at most `room()` bytes."""
        start_us = max(self.sent_us, self.timeline.now_us)
        byte_ns = self.byte_ns
        begin = 0
        data = bytes(data)
        while True:
            end = data.find(b"\n", begin)
            if end < 0:
                break
            arrives_us = start_us + ((end + 1) * byte_ns + 999) // 1000
            self.lines.append((arrives_us, bytes(self.partial_line + data[begin : end + 1])))
            self.partial_line = bytearray()
            begin = end + 1
            if self.on_line:
                self.on_line(arrives_us)
        self.partial_line.extend(data[begin:])
        self.sent_us = start_us + (len(data) * byte_ns + 999) // 1000
        if self.on_tx:
            self.tx_due_us = self.sent_us
            self._schedule()

    def fire(self):
        now_us = self.timeline.now_us
        if self.rx_due_us <= now_us:
            self._receive()
        if self.tx_due_us <= now_us:
            self.tx_due_us = NEVER
            if self.on_tx:
                self.on_tx()
        self._schedule()

    def _receive(self):
        chunk = self.to_pump[:_CHUNK]
        self.to_pump = self.to_pump[_CHUNK:]
        idle = not self.to_pump
        if idle:
            self.rx_due_us = NEVER
        else:
            self._schedule_rx()
        if not self.opened:
            return
        room = self.rx_size - len(self.received)
        self.lost += max(0, len(chunk) - room)
        self.received.extend(chunk[:room])
        if self.on_rx:
            self.on_rx(idle)

    def _unsent(self):
        left_us = self.sent_us - self.timeline.now_us
        return left_us * 1000 // self.byte_ns if left_us > 0 else 0

    def _schedule_rx(self):
        n = min(_CHUNK, len(self.to_pump))
        self.rx_due_us = self.timeline.now_us + (n * self.byte_ns + 999) // 1000
        self._schedule()

    def _schedule(self):
        self.due_us = min(self.rx_due_us, self.tx_due_us)
