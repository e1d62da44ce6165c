"""The link transport of a bench target: lines to and from its pump, in the time of its simulated world."""

from __future__ import annotations

from collections import deque

from cisterna.bench.target import Target
from cisterna.errors import LinkSilent
from cisterna.link.transport import Transport


class TargetTransport(Transport):
    """The pump of a started bench target. Time is that of its world and moves only during `receive` and `pause`."""

    def __init__(self, target: Target):
        self.name = target.name
        self.target = target
        self._lines: deque[bytes] = deque()

    def send(self, line: bytes) -> None:
        self.target.send(line)

    def receive(self, timeout_s: float) -> bytes:
        return self._next(b"", timeout_s)

    def exchange(self, line: bytes, timeout_s: float) -> bytes:
        return self._next(line, timeout_s)

    def _next(self, line: bytes, timeout_s: float) -> bytes:
        """Send `line` (may be empty) and return the next line received."""
        self._lines += self.target.lines()
        if self._lines:
            if line:
                self.target.send(line)
            return self._lines.popleft()
        try:
            return self.target.exchange(line, timeout_ms=max(1, round(timeout_s * 1000)))
        except TimeoutError:
            raise LinkSilent(f"{self.name}: no answer within {timeout_s:g} s of its own time") from None

    def now_s(self) -> float:
        return self.target.now_ms / 1000

    def pause(self, seconds: float) -> None:
        self.target.run_until(self.target.now_ms + round(seconds * 1000))

    def release(self, seconds: float) -> None:
        self.pause(seconds)

    def close(self) -> None:
        """Nothing to do: the target is closed by its owner."""
