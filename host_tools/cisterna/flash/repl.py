"""A board's raw REPL. The only place that knows mpremote, whose own header says that its API will change."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterator

from cisterna.errors import BoardSilent, DeployRefused, InstallError

try:
    import serial
    from mpremote.transport import TransportError
    from mpremote.transport_serial import SerialTransport
except ImportError as error:
    raise InstallError(f"{error.name} is not installed; deploying needs `pip install -e '.[target]'`") from None

ANSWER_S = 2.0  # a board that is told to stop has stopped by then
DO_S = 30.0  # and has done the longest single thing: erasing much flash
WRITE_S = 5.0
_TRIES = 3
_PROMPT = b">>> "
_INTERRUPT, _FRIENDLY = b"\x03", b"\x02"
_END = b"\x04"


class Gone(Exception):
    """The port vanished under our hands: the board was reset or pulled out."""


class Repl:
    """The board at `port`, whatever it is doing. Nothing is sent before `is_idle` or `take_over`.

    DeployRefused if the port cannot be opened.
    """

    def __init__(self, port: str):
        self.port = port
        try:
            self._transport = SerialTransport(port, timeout=1.0)
        except TransportError:
            raise DeployRefused(_why_closed(port)) from None
        self._serial = self._transport.serial
        self._serial.write_timeout = WRITE_S

    def is_idle(self) -> bool:
        """True if a prompt answers: nothing runs that an interruption would end."""
        with _told(self.port):
            self._serial.write(b"\r")
            return self._hear(_PROMPT, ANSWER_S / 4).endswith(_PROMPT)

    def take_over(self) -> bool:
        """Ends what runs, and has the board begin anew with nothing but its REPL. True if something did run.

        BoardSilent if no prompt comes.
        """
        heard = b""
        with _told(self.port):
            for _ in range(_TRIES):
                self._serial.write(b"\r" + _INTERRUPT)
                heard += self._hear(_PROMPT, ANSWER_S / 4)
                if not heard.endswith(_PROMPT):  # it may stand in the raw REPL, where another tool has left it
                    self._serial.write(_FRIENDLY)
                    heard += self._hear(_PROMPT, ANSWER_S)
                if heard.endswith(_PROMPT):
                    self._begin_anew()
                    return b"KeyboardInterrupt" in heard
        raise BoardSilent(_why_silent(self.port, heard))

    def run(self, source: str) -> str:
        """What `source` printed. BoardSilent with the board's own last line if it raised."""
        with _told(self.port):
            self._transport.exec_raw_no_follow(source)
            return self._finish()

    @contextlib.contextmanager
    def running(self, source: str) -> Iterator[None]:
        """While `source` runs, the block speaks with it by `tell` and `answer`; it ends when `source` has ended."""
        with _told(self.port):
            self._transport.exec_raw_no_follow(source)
            yield
            self._finish()

    def tell(self, data: bytes) -> None:
        self._serial.write(data)

    def answer(self) -> str:
        """The next line of what runs. BoardSilent if it has ended instead."""
        line = self._hear((b"\n", _END), DO_S)
        if line.endswith(_END):
            self._raised(self._hear((_END,), ANSWER_S)[:-1])
        if not line.endswith(b"\n"):
            raise BoardSilent(f"{self.port}: the board says nothing any more")
        return line.decode(errors="replace").strip()

    def reset(self) -> None:
        """As the board's own reset would; it leaves the USB for a moment."""
        with contextlib.suppress(BoardSilent, Gone), _told(self.port):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._transport.close()

    # -- below

    def _begin_anew(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it did not expect
            self._transport.enter_raw_repl(soft_reset=True, timeout_overall=ANSWER_S * 2)

    def _finish(self) -> str:
        printed, raised = self._transport.follow(DO_S)
        if raised:
            self._raised(raised)
        return printed.decode(errors="replace")

    def _raised(self, traceback: bytes) -> None:
        lines = traceback.decode(errors="replace").strip().splitlines()
        raise BoardSilent(f"{self.port}: the board could not do it: {lines[-1] if lines else 'no reason given'}")

    def _hear(self, ends: bytes | tuple[bytes, ...], seconds: float) -> bytes:
        """What comes, up to one of `ends` or for so long."""
        heard = b""
        before_s, self._serial.timeout = self._serial.timeout, 0.05
        last_s = time.monotonic() + seconds
        while not heard.endswith(ends) and time.monotonic() < last_s:
            heard += self._serial.read(1)
        self._serial.timeout = before_s
        return heard


@contextlib.contextmanager
def _told(port: str) -> Iterator[None]:
    """The errors below in our words."""
    try:
        yield
    except serial.SerialTimeoutException:
        raise BoardSilent(f"{port}: the board takes no bytes any more") from None
    except OSError as error:  # pyserial's are such
        raise Gone(str(error)) from None
    except TransportError as error:
        raise BoardSilent(f"{port}: the board's REPL does not answer as it should ({error})") from None


def _why_closed(port: str) -> str:
    if not os.path.exists(port):
        return f"--port held {port}; there is no such port (a board with a therapy image has none at all)"
    if not os.access(port, os.R_OK | os.W_OK):
        return f"{port}: you may not open it; on Linux, join the group that owns it"
    return f"{port}: cannot be opened; another program has it, or it is no serial port"


def _why_silent(port: str, heard: bytes) -> str:
    lines = heard.decode(errors="replace").strip().splitlines()
    if not lines:
        return f"{port}: no answer to Ctrl-C; something else than a board is there, or a program that hears nothing"
    return f"{port}: no prompt came after Ctrl-C; the last that was heard is '{lines[-1][:80]}'"
