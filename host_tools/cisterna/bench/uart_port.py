"""The pump's UART as a pseudo-terminal: bytes in both directions at its baud rate, without handshake."""

from __future__ import annotations

import time
from collections.abc import Iterable

from cisterna.bench.terminal import Terminal
from cisterna.link.protocol import BAUD

_BYTES_PER_S = BAUD / 10
_BURST = 4096  # most bytes passed on at once
_BACKLOG = 65_536  # most bytes that wait for a slow reader; lines beyond are lost


class UartPort:
    """path  the port that programs open
    is_open  True while a program has it open, as of the last `update`
    """

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.path = self.terminal.path
        self.is_open = False
        self._unsent = bytearray()
        self._may_read = 0.0  # bytes that the wire could have carried since the last read
        self._read_s = time.monotonic()

    def update(self) -> None:
        """Detect that a program opened or closed the port. Called once per pass of the board's loop."""
        is_open = self.terminal.is_open()
        if is_open and not self.is_open:
            self.terminal.make_raw()
        if is_open != self.is_open:
            self._unsent.clear()
        self.is_open = is_open

    def can_read(self) -> bool:
        """True if the port is open and the baud rate allows a byte."""
        return self.is_open and self._may_read >= 1

    def read(self) -> bytes:
        """Bytes for the pump since the last call, as many as the baud rate allows; the others wait."""
        now_s = time.monotonic()
        self._may_read = min(_BURST, self._may_read + (now_s - self._read_s) * _BYTES_PER_S)
        self._read_s = now_s
        if not self.can_read():
            return b""
        data = self.terminal.read(int(self._may_read))
        self._may_read -= len(data)
        return data

    def write(self, lines: Iterable[bytes]) -> None:
        """Pass on lines from the pump. Whole lines are lost while the port is closed, or its reader is too slow."""
        for line in lines:
            if self.is_open and len(self._unsent) + len(line) <= _BACKLOG:
                self._unsent += line
        if self._unsent:
            del self._unsent[: self.terminal.write(self._unsent)]

    @property
    def is_behind(self) -> bool:
        """True while bytes wait for a program to read them."""
        return bool(self._unsent)

    def close(self) -> None:
        self.terminal.close()
