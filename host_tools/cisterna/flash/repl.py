"""A board's raw REPL. The only module that imports mpremote, whose API is not stable (says its own header)."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Generator
from typing import Any

from cisterna.errors import BoardFailed, DeployRefused, InstallError

try:
    import serial
    from mpremote.transport import TransportError  # pyright: ignore[reportMissingTypeStubs]
    from mpremote.transport_serial import SerialTransport  # pyright: ignore[reportMissingTypeStubs]
except ImportError as error:
    raise InstallError(f"{error.name} is not installed; deploying needs `pip install -e '.[target]'`") from None

ANSWER_S = 2.0  # to stop a running program, and to answer
RUN_S = 30.0  # the longest single step: erasing much flash
WRITE_S = 5.0
_TRIES = 3
_PROMPT = b">>> "
_INTERRUPT, _FRIENDLY = b"\x03", b"\x02"
_END = b"\x04"


class PortGone(Exception):
    """The open port vanished: the board was reset or unplugged."""


class Repl:
    """An open connection to the board at `port`. Opening sends nothing.

    Raises DeployRefused if the port cannot be opened. All methods raise BoardFailed if the board does not answer as
    expected, and PortGone if the port vanishes, unless they say otherwise.
    """

    def __init__(self, port: str):
        self.port = port
        try:
            self._transport: Any = SerialTransport(port, timeout=1.0)  # mpremote states no types
        except TransportError:
            raise DeployRefused(_why_closed(port)) from None
        self._serial = self._transport.serial
        self._serial.write_timeout = WRITE_S

    def is_idle(self) -> bool:
        """True if the prompt answers: no program is running."""
        with _translated_errors(self.port):
            self._serial.write(b"\r")
            return self._read_until(_PROMPT, ANSWER_S / 4).endswith(_PROMPT)

    def take_over(self) -> bool:
        """End the running program and soft-reset the board into its raw REPL. True if a program was running.

        Raises BoardFailed if no prompt appears.
        """
        received = b""
        with _translated_errors(self.port):
            for _ in range(_TRIES):
                self._serial.write(b"\r" + _INTERRUPT)
                received += self._read_until(_PROMPT, ANSWER_S / 4)
                if not received.endswith(_PROMPT):  # another tool may have left the board in its raw REPL
                    self._serial.write(_FRIENDLY)
                    received += self._read_until(_PROMPT, ANSWER_S)
                if received.endswith(_PROMPT):
                    self._soft_reset()
                    return b"KeyboardInterrupt" in received
        raise BoardFailed(_why_silent(self.port, received))

    def run(self, source: str) -> str:
        """Run `source` on the board; returns its output. Raises BoardFailed with the last line of a traceback."""
        with _translated_errors(self.port):
            self._transport.exec_raw_no_follow(source)
            return self._finish()

    @contextlib.contextmanager
    def running(self, source: str) -> Generator[None, None, None]:
        """Run `source` while the block talks to it with `send` and `read_line`; then wait for its end."""
        with _translated_errors(self.port):
            self._transport.exec_raw_no_follow(source)
            yield
            self._finish()

    def send(self, data: bytes) -> None:
        """Write to the running program's standard input."""
        self._serial.write(data)

    def read_line(self) -> str:
        """The next line of the running program's output. Raises BoardFailed if the program has ended."""
        line = self._read_until((b"\n", _END), RUN_S)
        if line.endswith(_END):
            self._raise_traceback(self._read_until((_END,), ANSWER_S)[:-1])
        if not line.endswith(b"\n"):
            raise BoardFailed(f"{self.port}: the board does not answer any more")
        return line.decode(errors="replace").strip()

    def reset(self) -> None:
        """Reset the board, which leaves the USB for a moment. Raises nothing."""
        with contextlib.suppress(BoardFailed, PortGone), _translated_errors(self.port):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._transport.close()

    def _soft_reset(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints unexpected bytes
            self._transport.enter_raw_repl(soft_reset=True, timeout_overall=ANSWER_S * 2)

    def _finish(self) -> str:
        output, traceback = self._transport.follow(RUN_S)
        if traceback:
            self._raise_traceback(traceback)
        return output.decode(errors="replace")

    def _raise_traceback(self, traceback: bytes) -> None:
        lines = traceback.decode(errors="replace").strip().splitlines()
        raise BoardFailed(f"{self.port}: the program on the board failed: {lines[-1] if lines else 'no reason given'}")

    def _read_until(self, ends: bytes | tuple[bytes, ...], seconds: float) -> bytes:
        """The bytes received up to and including one of `ends`, or within `seconds`."""
        received = b""
        before_s, self._serial.timeout = self._serial.timeout, 0.05
        end_s = time.monotonic() + seconds
        while not received.endswith(ends) and time.monotonic() < end_s:
            received += self._serial.read(1)
        self._serial.timeout = before_s
        return received


@contextlib.contextmanager
def _translated_errors(port: str) -> Generator[None, None, None]:
    """Translate the errors of pyserial and mpremote to BoardFailed and PortGone."""
    try:
        yield
    except serial.SerialTimeoutException:
        raise BoardFailed(f"{port}: the board does not take bytes any more") from None
    except OSError as error:  # includes pyserial's errors
        raise PortGone(str(error)) from None
    except TransportError as error:
        raise BoardFailed(f"{port}: the board's REPL does not answer as expected ({error})") from None


def _why_closed(port: str) -> str:
    if not os.path.exists(port):
        return f"--port held {port}; there is no such port (a board with a therapy image has none at all)"
    if not os.access(port, os.R_OK | os.W_OK):
        return f"{port}: you may not open it; on Linux, join the group that owns it"
    return f"{port}: cannot be opened; another program has it, or it is not a serial port"


def _why_silent(port: str, received: bytes) -> str:
    lines = received.decode(errors="replace").strip().splitlines()
    if not lines:
        return f"{port}: no answer to Ctrl-C; the device is not a board, or its program does not read its input"
    return f"{port}: no prompt came after Ctrl-C; the last line received is '{lines[-1][:80]}'"
