"""Pseudo-terminals that stand for the serial ports of a simulated board."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty

_CHUNK = 4096
POLL_S = 0.02  # poll interval for a program that opens a port


class Terminal:
    """path  the device that programs open as a serial port"""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)  # so that the system reports when the last program closes it
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
        """Up to `most` bytes that programs have written; empty if there are none, or no program."""
        try:
            return os.read(self._master, most)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> int:
        """Write to the programs. Returns the number of bytes taken; the rest must wait until a program has read."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def make_raw(self) -> None:
        """Set raw mode again: the system resets a closed port to line mode with echo, unlike a serial port.

        TCSANOW, because the other modes wait until written data was read, which only this process does.
        """
        with contextlib.suppress(termios.error):
            tty.setraw(self._master, termios.TCSANOW)

    def close(self) -> None:
        os.close(self._master)


def wait(seconds: float, listening: list[Terminal], all_open: bool) -> None:
    """Wait for `seconds`, or until a program writes to one of `listening`, which are open.

    all_open: False limits the wait to `POLL_S`, because opening a port causes no event.
    """
    if not all_open:
        seconds = min(seconds, POLL_S)
    if listening:
        select.select(listening, [], [], seconds)
    else:
        time.sleep(seconds)
