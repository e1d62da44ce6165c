"""Transports carry lines to a pump and back. Here: the interface, and the serial port in real time."""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections import deque

from cisterna.errors import CisternaError, LinkSilent
from cisterna.link.protocol import BAUD

MAX_PARTIAL_LINE = 16_384  # bytes received without a line feed, after which they are dropped
BUSY_S = 3.0  # wait for a port that another program has open; `cisterna watch` closes it soon
REOPEN_S = 30.0  # the same after `release`: the other program may read a whole log
_POLL_S = 0.1  # longest single read, so that timeouts are checked
_WRITE_S = 5.0  # timeout of a write


class PortRefused(CisternaError):
    """The serial port cannot be opened. Nothing was sent."""


class LinkLost(LinkSilent):
    """The port is gone: the cable was unplugged, or the simulated pump has ended."""


class Transport(ABC):
    """Sends and receives lines, line feed included. Times are in s of the transport's own clock.

    name  the port, or the name of the bench target, for messages
    """

    name: str

    @abstractmethod
    def send(self, line: bytes) -> None:
        """Send `line`, line feed included. Raises LinkLost if the port is gone, LinkSilent if it accepts no bytes."""

    @abstractmethod
    def receive(self, timeout_s: float) -> bytes:
        """The next complete line. Raises LinkSilent after `timeout_s`, LinkLost if the port is gone."""

    @abstractmethod
    def now_s(self) -> float:
        """Monotonic time."""

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Wait."""

    @abstractmethod
    def release(self, seconds: float) -> None:
        """Close the port for `seconds`, so that other programs can use it, and reopen it. Raises LinkLost."""

    @abstractmethod
    def close(self) -> None:
        """Close the port. May be called twice."""

    def exchange(self, line: bytes, timeout_s: float) -> bytes:
        """Send `line` and return the next line received, which may answer an earlier one. Raises as `receive`."""
        self.send(line)
        return self.receive(timeout_s)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SerialTransport(Transport):
    """A serial port or pseudo-terminal. Raises PortRefused if it cannot be opened.

    The port is opened exclusively, because two programs at once would end each other's session. If another program
    has it open, opening is retried for BUSY_S.
    """

    def __init__(self, port: str):
        import serial

        self.name = port
        self._received = bytearray()
        self._lines: deque[bytes] = deque()
        self._serial_error = serial.SerialException
        self._write_timeout = serial.SerialTimeoutException
        self._port = serial.Serial(baudrate=BAUD, timeout=_POLL_S, write_timeout=_WRITE_S, exclusive=True)
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
            time.sleep(_POLL_S)
        self._port.reset_input_buffer()

    def send(self, line: bytes) -> None:
        try:
            self._port.write(line)
        except self._write_timeout:
            raise LinkSilent(f"{self.name}: accepts no more bytes; check the pump and its cable") from None
        except (self._serial_error, OSError) as error:
            raise self._lost(error) from None

    def receive(self, timeout_s: float) -> bytes:
        until_s = self.now_s() + timeout_s
        while not self._lines:
            left_s = until_s - self.now_s()
            if left_s <= 0:
                raise LinkSilent(f"{self.name}: no answer within {timeout_s:g} s; check the pump and its cable")
            self._port.timeout = min(left_s, _POLL_S)
            try:
                self._add_received(self._port.read(1) + self._port.read(self._port.in_waiting))
            except (
                self._serial_error,
                OSError,
                TypeError,
            ) as error:  # TypeError: the port was closed
                raise self._lost(error) from None
        return self._lines.popleft()

    def _add_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\n")) >= 0:
            self._lines.append(bytes(self._received[: end + 1]))
            del self._received[: end + 1]
        if len(self._received) > MAX_PARTIAL_LINE:
            self._received.clear()

    def _lost(self, error: Exception) -> LinkLost:
        return LinkLost(f"{self.name}: the port is gone ({error}); plug it in again, or start the pump")

    def now_s(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def release(self, seconds: float) -> None:
        self.close()
        self._received.clear()
        self._lines.clear()
        time.sleep(seconds)
        try:
            self._open(REOPEN_S)
        except PortRefused as refused:
            raise LinkLost(str(refused)) from None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()


def is_taken(error: Exception) -> bool:
    """Whether a port could not be opened because another program has it open."""
    text = str(error)
    return "exclusively" in text or "Resource temporarily unavailable" in text or "Access is denied" in text


def why_closed(port: str, error: Exception) -> str:
    """Why a port could not be opened, in one line."""
    if os.name == "posix":
        if not os.path.exists(port):
            hint = "`cisterna status` without an address uses the only port, or lists all"
            return f"port held {port}; there is no such port ({hint})"
        if not os.access(port, os.R_OK | os.W_OK):
            return f"port held {port}; no permission to open it; on Linux, join the group that owns it (often dialout)"
    if is_taken(error):
        return (
            f"port held {port}; another program has it open; wait for that program, or end it (`fuser {port}` prints "
            "its process); in an emergency, press STOP at the pump"
        )
    return f"port held {port}; it cannot be opened as a serial port ({error})"
