"""The REPL of a development image on an emulated chip: runs code there, in the chip's time."""

from pathlib import Path

from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.rp2040.usb import UsbHost

BOOT_S = 3  # until a board with an empty file system shows its prompt
_POLL_MS = 5
_RAW, _END = b"\x01", b"\x04"


class ChipError(Exception):
    """The chip answered with a traceback, or not at all."""


class Repl:
    """A board without a file system: its pump does not start, so the whole heap is free."""

    def __init__(self, image: Path):
        self.target = Rp2040Target(image)
        self.target.start({})
        self.host = UsbHost(self.target.chip)
        self._received = b""
        self.target.run_until(BOOT_S * 1000)
        self.host.send(b"\r" + _RAW)
        self._until(b"raw REPL; CTRL-B to exit\r\n>", BOOT_S)

    def run(self, source: str, most_s: float = 60) -> str:
        """Output of `source`. Raises ChipError if it raised or took more than `most_s` s of the chip."""
        self.host.send(source.encode() + _END)
        self._until(b"OK", most_s)
        printed = self._until(_END, most_s)
        error = self._until(_END + b">", most_s)
        if error:
            raise ChipError(error.decode(errors="replace"))
        return printed.decode()

    def close(self) -> None:
        self.target.close()

    def _until(self, mark: bytes, most_s: float) -> bytes:
        """Output up to `mark`, without it."""
        last_ms = self.target.now_ms + int(most_s * 1000)
        while mark not in self._received:
            if self.target.now_ms >= last_ms:
                raise ChipError(f"nothing ended with {mark!r} within {most_s} s; received {self._received[-200:]!r}")
            self.target.run_until(self.target.now_ms + _POLL_MS)
            self._received += self.host.take()
        before, self._received = self._received.split(mark, 1)
        return before
