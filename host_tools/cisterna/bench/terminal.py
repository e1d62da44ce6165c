"""A pseudo-terminal of this computer that stands for a serial port of a simulated board."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty

_CHUNK = 4096
LOOK_S = 0.02  # how often to look whether somebody has opened a port that nobody has open


class Terminal:
    """path  the name under which programs open it, as they would a serial port"""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)  # so that the system tells when the last program closes it
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)

    def is_open(self) -> bool:
        """True while a program has it open."""
        return not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def fileno(self) -> int:
        """For `select`."""
        return self._master

    def read(self, most: int = _CHUNK) -> bytes:
        """What programs have written; empty when there is nothing, or nobody."""
        try:
            return os.read(self._master, most)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> int:
        """How many bytes the port took; the rest must wait until a program has read some."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def make_raw(self) -> None:
        """The system sets a port that was closed back to line by line with echo, which no serial port does.

        At once: the other ways wait until what the program has written was read, which only this process does.
        """
        with contextlib.suppress(termios.error):
            tty.setraw(self._master, termios.TCSANOW)

    def close(self) -> None:
        os.close(self._master)


def wait(seconds: float, listening: list[Terminal], all_open: bool) -> None:
    """For so long, or until a program writes to one of `listening`, which programs have open.

    all_open: nobody needs to be looked for. A program that opens a port makes no sign.
    """
    if not all_open:
        seconds = min(seconds, LOOK_S)
    if listening:
        select.select(listening, [], [], seconds)
    else:
        time.sleep(seconds)
