"""The wire between host and pump: bytes take the time that the baud rate says, and a full buffer loses
them.
"""

from .timeline import NEVER

_CHUNK = 16  # bytes that arrive between two interrupts: half of the receive FIFO
_TX_FIFO = 32


class SerialWire:
    """An alarm of the timeline.

    to_pump    what the host has sent and the pump's UART has not received
    lines      (time in us at which the end of it arrived, line) that the host has not taken
    on_rx      called when bytes were received: (line is idle now)
    on_tx      called when the transmit buffer has run empty
    on_line    called with the time at which a line that the pump is sending will have arrived
    """

    def __init__(self, timeline):
        self.timeline = timeline
        self.to_pump = bytearray()
        self.part = bytearray()  # of a line that the pump has begun
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
            self._aim_rx()

    def close(self):
        """The CPU is in reset: what is in its buffers, or half sent, is gone."""
        self.opened = False
        self.byte_ns = 86_805
        self.rx_size = self.tx_size = 0
        self.received = bytearray()
        self.lost = 0
        self.sent_us = 0  # when the last byte will have left
        self.on_rx = self.on_tx = None
        self.tx_due_us = NEVER
        self.part = bytearray()
        now_us = self.timeline.now_us
        self.lines = [line for line in self.lines if line[0] <= now_us]
        self._aim()

    def send(self, data):
        """The host sends `data`, from now on."""
        self.to_pump.extend(data)
        if self.rx_due_us == NEVER:
            self._aim_rx()

    def take(self, n):
        """The pump takes up to `n` of the bytes it has received."""
        data = self.received[:n]
        self.received = self.received[n:]
        return data

    def room(self):
        """Bytes that the transmit buffer takes now."""
        return self.tx_size + _TX_FIFO - self._unsent()

    def transmit(self, data):
        """The pump sends `data`; there must be room."""
        start_us = max(self.sent_us, self.timeline.now_us)
        byte_ns = self.byte_ns
        begin = 0
        data = bytes(data)
        while True:
            end = data.find(b"\n", begin)
            if end < 0:
                break
            arrives_us = start_us + ((end + 1) * byte_ns + 999) // 1000
            self.lines.append((arrives_us, bytes(self.part + data[begin : end + 1])))
            self.part = bytearray()
            begin = end + 1
            if self.on_line:
                self.on_line(arrives_us)
        self.part.extend(data[begin:])
        self.sent_us = start_us + (len(data) * byte_ns + 999) // 1000
        if self.on_tx:
            self.tx_due_us = self.sent_us
            self._aim()

    def fire(self):
        now_us = self.timeline.now_us
        if self.rx_due_us <= now_us:
            self._receive()
        if self.tx_due_us <= now_us:
            self.tx_due_us = NEVER
            if self.on_tx:
                self.on_tx()
        self._aim()

    def _receive(self):
        chunk = self.to_pump[:_CHUNK]
        self.to_pump = self.to_pump[_CHUNK:]
        idle = not self.to_pump
        if idle:
            self.rx_due_us = NEVER
        else:
            self._aim_rx()
        if not self.opened:
            return  # nobody listens
        room = self.rx_size - len(self.received)
        self.lost += max(0, len(chunk) - room)
        self.received.extend(chunk[:room])
        if self.on_rx:
            self.on_rx(idle)

    def _unsent(self):
        left_us = self.sent_us - self.timeline.now_us
        return left_us * 1000 // self.byte_ns if left_us > 0 else 0

    def _aim_rx(self):
        n = min(_CHUNK, len(self.to_pump))
        self.rx_due_us = self.timeline.now_us + (n * self.byte_ns + 999) // 1000
        self._aim()

    def _aim(self):
        self.due_us = min(self.rx_due_us, self.tx_due_us)
