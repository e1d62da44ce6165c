"""The drives of boards that wait in their boot loader, and how an image gets onto one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.flash import uf2
from cisterna.flash.uf2 import Uf2

INFO = "INFO_UF2.TXT"
BOARD = "Board-ID: RPI-RP2"
LABEL = Path("/dev/disk/by-label/RPI-RP2")
_CHUNK = 32 * 1024

Progress = Callable[[float], None]


class DriveGone(CisternaError):
    """The board left while it was written to. It starts nothing until it has a whole image."""

    exit_status = 70


def is_boot_drive(path: Path) -> bool:
    """True if an RP2040's boot loader shows itself there."""
    try:
        return BOARD in (path / INFO).read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def find() -> list[Path]:
    """Drives of boards in their boot loader that are mounted on this computer."""
    import psutil

    return sorted({Path(part.mountpoint) for part in psutil.disk_partitions() if is_boot_drive(Path(part.mountpoint))})


def hint() -> str:
    """What to do about a drive that is there and not mounted; else an empty text."""
    return f"; {LABEL} is there but not mounted: mount it" if LABEL.exists() and not find() else ""


def put(image: Uf2, drive: Path, progress: Progress) -> None:
    """Writes the image so that no interruption leaves one that starts and is not whole. DriveGone if it goes meanwhile.

    The board leaves by itself when it has everything.
    """
    parts = uf2.parts(image)
    total = sum(map(len, parts))
    written = 0
    try:
        with _file(drive / "BEGIN.UF2") as file:
            _write(file, uf2.forget())
        with _file(drive / "CISTERNA.UF2") as file:
            for part in parts:
                for start in range(0, len(part), _CHUNK):
                    chunk = part[start : start + _CHUNK]
                    _write(file, chunk, may_be_gone=written + len(chunk) == total)
                    written += len(chunk)
                    progress(written / total)
    except OSError as error:
        raise DriveGone(
            f"{drive}: the board's drive went away at {100 * written // total} % ({error.strerror or error}); "
            "plug the board in again (it comes up as a drive) and run the same command again"
        ) from None


@contextlib.contextmanager
def _file(path: Path) -> Iterator[int]:
    path.unlink(missing_ok=True)  # left by a copy that was interrupted
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # the board may have left; whether it has all is seen by how it comes back
            os.close(file)


def _write(file: int, data: bytes, may_be_gone: bool = False) -> None:
    """Onto the board, not only into this computer's memory. After the last block the board may leave at any moment."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    with contextlib.suppress(OSError) if may_be_gone else contextlib.nullcontext():
        os.fsync(file)
