"""What carries lines to a pump and back: a serial port in real time, or a bench target in the time of its world."""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from cisterna.errors import CisternaError, LinkSilent
from cisterna.link.client import BAUD

if TYPE_CHECKING:
    from cisterna.bench.target import Target

LONGEST_LINE = 16_384  # bytes; what goes on longer without an end is no line of a pump
BUSY_S = 3.0  # how long a port that another program has open is waited for: who only looks lets it go soon
BACK_S = 30.0  # the same for who has let it go himself: the other one may read a whole log
_LOOK_S = 0.1  # how often a read that waits looks at the clock
_WRITE_S = 5.0


class PortRefused(CisternaError):
    """A serial port that cannot be opened. Nothing was sent."""


class LinkLost(LinkSilent):
    """The port itself is gone: the cable was pulled, or the simulated pump has ended."""


class Transport(ABC):
    """Sends a line and receives lines, each with its end. Times are in s, in the transport's own time.

    name  what a person knows it by
    """

    name: str

    @abstractmethod
    def send(self, line: bytes) -> None:
        """Send `line`, its end included. LinkLost when the port is gone, LinkSilent when it takes no bytes."""

    @abstractmethod
    def receive(self, timeout_s: float) -> bytes:
        """The next whole line. LinkSilent after `timeout_s`; LinkLost when the port is gone."""

    @abstractmethod
    def now_s(self) -> float:
        """The time, from any beginning; it never goes back."""

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Let so much time pass."""

    @abstractmethod
    def leave(self, seconds: float) -> None:
        """Let others have the line for so long, and take it again. LinkLost when it cannot be had."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it. May be called twice."""

    def exchange(self, line: bytes, timeout_s: float) -> bytes:
        """Send `line`; the next line that comes, which may be a late answer to an earlier one. LinkSilent as above."""
        self.send(line)
        return self.receive(timeout_s)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SerialTransport(Transport):
    """A serial port, or a pseudo-terminal that stands for one. PortRefused if it cannot be opened.

    It is open to this program alone: two that talk at once would end each other's log-on. One that another program has
    open is waited for, BUSY_S.
    """

    def __init__(self, port: str):
        import serial

        self.name = port
        self._heard = bytearray()
        self._lines: deque[bytes] = deque()
        self._gone = serial.SerialException
        self._full = serial.SerialTimeoutException
        self._port = serial.Serial(baudrate=BAUD, timeout=_LOOK_S, write_timeout=_WRITE_S, exclusive=True)
        self._port.port = port
        self._port.dtr = self._port.rts = False  # these lines reset some boards
        self._open(BUSY_S)

    def _open(self, wait_s: float) -> None:
        until_s = self.now_s() + wait_s
        while True:
            try:
                self._port.open()
                break
            except (OSError, ValueError) as error:
                if not is_taken(error) or self.now_s() >= until_s:
                    raise PortRefused(why_closed(self.name, error)) from None
            time.sleep(_LOOK_S)
        self._port.reset_input_buffer()

    def send(self, line: bytes) -> None:
        try:
            self._port.write(line)
        except self._full:
            raise LinkSilent(f"{self.name}: takes no bytes any more; look at the pump and its cable") from None
        except (self._gone, OSError) as error:
            raise self._lost(error) from None

    def receive(self, timeout_s: float) -> bytes:
        until_s = self.now_s() + timeout_s
        while not self._lines:
            left_s = until_s - self.now_s()
            if left_s <= 0:
                raise LinkSilent(f"{self.name}: no answer within {timeout_s:g} s; look at the pump and its cable")
            self._port.timeout = min(left_s, _LOOK_S)
            try:
                self._hear(self._port.read(1) + self._port.read(self._port.in_waiting))
            except (self._gone, OSError, TypeError) as error:  # TypeError: pyserial's, when it was closed meanwhile
                raise self._lost(error) from None
        return self._lines.popleft()

    def _hear(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(b"\n")) >= 0:
            self._lines.append(bytes(self._heard[: end + 1]))
            del self._heard[: end + 1]
        if len(self._heard) > LONGEST_LINE:
            self._heard.clear()

    def _lost(self, error: Exception) -> LinkLost:
        return LinkLost(f"{self.name}: the port is gone ({error}); plug it in again, or start the pump")

    def now_s(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def leave(self, seconds: float) -> None:
        self.close()
        self._heard.clear()
        self._lines.clear()
        time.sleep(seconds)
        try:
            self._open(BACK_S)
        except PortRefused as refused:
            raise LinkLost(str(refused)) from None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()


class TargetTransport(Transport):
    """The pump of a bench target that was started: time is its world's, and moves only while somebody waits."""

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
        """Sends `line`, which may be empty: then it is only waited."""
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

    def leave(self, seconds: float) -> None:
        self.pause(seconds)

    def close(self) -> None:
        """The target belongs to whoever started it."""


def is_taken(error: Exception) -> bool:
    """Whether that is why a port could not be opened: another program has it."""
    text = str(error)
    return "exclusively" in text or "Resource temporarily unavailable" in text or "Access is denied" in text


def why_closed(port: str, error: Exception) -> str:
    """One line for a port that could not be opened."""
    if os.name == "posix":
        if not os.path.exists(port):
            return f"port held {port}; there is no such port (`cisterna status` alone finds the only one, or lists all)"
        if not os.access(port, os.R_OK | os.W_OK):
            return f"port held {port}; you may not open it; on Linux, join the group that owns it (often dialout)"
    if is_taken(error):
        return (
            f"port held {port}; another program has it open; wait until that is done, or end it (`fuser {port}` says "
            "which it is); what cannot wait is done at the pump: STOP there stops it"
        )
    return f"port held {port}; it cannot be opened as a serial port ({error})"
