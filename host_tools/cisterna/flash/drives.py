"""Finds the drives of boards in their boot loader, and writes an image to one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.flash import uf2
from cisterna.flash.uf2 import Uf2

INFO = "INFO_UF2.TXT"
BOARD = "Board-ID: RPI-RP2"
LABEL = Path("/dev/disk/by-label/RPI-RP2")
_CHUNK = 32 * 1024  # bytes between two reports of progress

Progress = Callable[[float], None]


class DriveGone(CisternaError):
    """The drive vanished during the copy. The board starts nothing until it has a whole image."""

    exit_status = 70


def is_boot_drive(path: Path) -> bool:
    """True if `path` is the drive of an RP2040's boot loader."""
    try:
        return BOARD in (path / INFO).read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def find() -> list[Path]:
    """The mounted drives of boards in their boot loader, sorted."""
    import psutil

    return sorted({Path(part.mountpoint) for part in psutil.disk_partitions() if is_boot_drive(Path(part.mountpoint))})


def hint() -> str:
    """Advice about a boot loader's drive that is not mounted; empty if there is none."""
    return f"; {LABEL} is there but not mounted: mount it" if LABEL.exists() and not find() else ""


def write_image(image: Uf2, drive: Path, progress: Progress) -> None:
    """Write the image in an order in which no interruption leaves half an image that starts.

    The board leaves its boot loader by itself after the last block. progress: called with the share written, 0 to 1.
    Raises DriveGone if the drive vanishes before that.
    """
    parts = uf2.in_write_order(image)
    total = sum(map(len, parts))
    written = 0
    try:
        with _file(drive / "BEGIN.UF2") as file:
            _write(file, uf2.reset_block())
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
def _file(path: Path) -> Generator[int, None, None]:
    path.unlink(missing_ok=True)  # of an interrupted copy
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # the board may have left already; the next stage checks what it runs
            os.close(file)


def _write(file: int, data: bytes, may_be_gone: bool = False) -> None:
    """Write through to the board. may_be_gone: the last block, after which the board may leave at any moment."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    with contextlib.suppress(OSError) if may_be_gone else contextlib.nullcontext():
        os.fsync(file)
