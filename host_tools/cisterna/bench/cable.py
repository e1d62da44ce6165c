"""The pump's UART as a pseudo-terminal: bytes both ways at its baud rate, with no hand-shake."""

from __future__ import annotations

import time
from collections.abc import Iterable

from cisterna.bench.terminal import Terminal
from cisterna.link.client import BAUD

_BYTES_PER_S = BAUD / 10
_BURST = 4096  # bytes that are let through at once
_BACKLOG = 65_536  # bytes that a slow reader may be behind; what comes then is lost, as on a wire nobody listens to


class Cable:
    """path  of the port that programs open"""

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.path = self.terminal.path
        self.is_open = False
        self._said = bytearray()
        self._may_read = 0.0
        self._read_s = time.monotonic()

    def look(self) -> None:
        """Once a turn of the board's loop: notices who opens the port and who closes it."""
        is_open = self.terminal.is_open()
        if is_open and not self.is_open:
            self.terminal.make_raw()
        if is_open != self.is_open:
            self._said.clear()
        self.is_open = is_open

    def can_read(self) -> bool:
        return self.is_open and self._may_read >= 1

    def read(self) -> bytes:
        """What has come to the pump since the last call; what comes faster than the wire carries it waits."""
        now_s = time.monotonic()
        self._may_read = min(_BURST, self._may_read + (now_s - self._read_s) * _BYTES_PER_S)
        self._read_s = now_s
        if not self.can_read():
            return b""
        data = self.terminal.read(int(self._may_read))
        self._may_read -= len(data)
        return data

    def write(self, lines: Iterable[bytes]) -> None:
        """What the pump has sent. Whole lines are lost where nobody has the port open, or reads it far too slowly."""
        for line in lines:
            if self.is_open and len(self._said) + len(line) <= _BACKLOG:
                self._said += line
        if self._said:
            del self._said[: self.terminal.write(self._said)]

    @property
    def is_behind(self) -> bool:
        """Something waits for a program to read it."""
        return bool(self._said)

    def close(self) -> None:
        self.terminal.close()
