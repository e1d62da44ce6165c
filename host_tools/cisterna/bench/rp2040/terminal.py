"""A pseudo-terminal of this computer that stands for the board's USB serial port."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty

_CHUNK = 4096
_LOOK_S = 0.02  # how often to look whether somebody has opened a port that nobody has open


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

    def wait(self, seconds: float, listen: bool) -> None:
        """For so long, or until a program writes. One that opens the port makes no sign: it is looked for."""
        if listen:
            select.select([self._master], [], [], seconds)
        else:
            time.sleep(min(seconds, _LOOK_S))

    def read(self) -> bytes:
        """What programs have written; empty when there is nothing, or nobody."""
        try:
            return os.read(self._master, _CHUNK)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> int:
        """How many bytes the port took; the rest must wait until a program has read some."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def make_raw(self) -> None:
        """The system sets a port that was closed back to line by line with echo, which no serial port does."""
        with contextlib.suppress(termios.error):
            tty.setraw(self._master)

    def close(self) -> None:
        os.close(self._master)
