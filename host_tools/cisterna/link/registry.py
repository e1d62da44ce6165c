"""The simulated pumps that run on this computer: each has a small file with its ports.

The process of a pump holds a lock on its file. A file without a lock is left from a killed process and is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

try:
    import fcntl
except ImportError:  # Windows: no pseudo-terminals, so no simulated pump either
    fcntl = cast("Any", None)


@dataclass(frozen=True)
class RunningPump:
    """A simulated pump. kind: unix or rp2040; serial: None while it is not provisioned.

    link, console: ports; drive: the folder that serves as the boot loader's drive. Each may be None.
    """

    kind: str
    serial: str | None
    link: str | None
    console: str | None
    pid: int
    drive: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.serial or '(not provisioned)'} at {self.link or self.console}"


def folder() -> Path:
    """Folder of the files, for this user only."""
    import platformdirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where the system names no such folder
        return Path(platformdirs.user_runtime_dir("cisterna"))


class RegistryEntry:
    """The file of this process. `publish` writes it atomically, `close` removes it."""

    def __init__(self) -> None:
        self._folder = folder()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = self._folder / f"{os.getpid()}.json"
        self._lock: int | None = None

    def publish(self, running: RunningPump) -> None:
        """Write or replace the file."""
        draft = self._path.with_suffix(".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file, json.dumps(asdict(running)).encode())
        os.replace(draft, self._path)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = file

    def close(self) -> None:
        if self._lock is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


def running() -> list[RunningPump]:
    """The running pumps, sorted by kind and serial number."""
    where = folder()
    if fcntl is None or not where.is_dir() or where.stat().st_uid != os.getuid():
        return []
    found = [pump for path in sorted(where.glob("*.json")) for pump in _read(path)]
    return sorted(found, key=lambda pump: (pump.kind, pump.serial or "", pump.pid))


def _read(path: Path) -> Iterator[RunningPump]:
    """The pump of this file, or nothing if its process has ended."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(ValueError, TypeError):
                yield RunningPump(**json.load(file))
        else:
            path.unlink(missing_ok=True)
