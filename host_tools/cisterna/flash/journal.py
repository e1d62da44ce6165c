"""What is known of one flashing, kept on disk from stage to stage: the next run knows how far the last one came.

<user's data>/cisterna/flash/<serial>/journal.json        while it goes on; gone when it has ended
<user's data>/cisterna/flash/<serial>/<time>.json         the record of one that has ended
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs

from cisterna.errors import CisternaError, OutputError

JOURNAL = "journal.json"
NEW_BOARD = "new-board"  # the folder of boards that have no serial number yet


@dataclass
class Flashing:
    """One flashing. `stage`: the one that was begun last.

    address  where the pump is reached; None: a board without one
    serial   of the pump; None: not provisioned
    image    build, commit, variant and uf2_sha256 of what is put on it
    before   what the pump said of itself before, see `flashing.told`
    checks   what was seen after, each with `check`, `held`, `wanted`, `passed`
    """

    began: str
    who: str | None
    address: str | None
    serial: str | None
    image: dict[str, str]
    before: dict[str, Any] = field(default_factory=dict)
    stage: str = ""
    checks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check["passed"] for check in self.checks)

    def record(self) -> dict[str, Any]:
        """What stays of it."""
        return {
            "began": self.began,
            "ended": now(),
            "who": self.who,
            "address": self.address,
            "serial": self.serial,
            "from": {key: self.before.get(key) for key in ("build", "commit")},
            "to": {key: self.image[key] for key in ("build", "commit", "variant")},
            "uf2_sha256": self.image["uf2_sha256"],
            "checks": self.checks,
            "passed": self.passed,
        }


def now() -> str:
    """UTC, to the second, as it stands in a record."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def default_folder() -> Path:
    return Path(platformdirs.user_data_dir("cisterna")) / "flash"


class Journal:
    """The folder of journals and records. OutputError when it cannot be written: then nothing is flashed."""

    def __init__(self, folder: Path | None = None):
        self._folder = folder or default_folder()

    def unfinished(self) -> list[Flashing]:
        """Flashings that were begun and have not ended."""
        return [_read(path) for path in sorted(self._folder.glob(f"*/{JOURNAL}"))]

    def save(self, flashing: Flashing) -> None:
        """Before the stage that it names is begun."""
        _write(self._of(flashing) / JOURNAL, asdict(flashing))

    def end(self, flashing: Flashing) -> Path:
        """Leaves the record in the journal's place. Where it is."""
        record = flashing.record()
        path = self._of(flashing) / f"{record['ended'].replace(':', '')}.json"
        _write(path, record)
        self.forget(flashing)
        return path

    def forget(self, flashing: Flashing) -> None:
        (self._of(flashing) / JOURNAL).unlink(missing_ok=True)

    def _of(self, flashing: Flashing) -> Path:
        """A folder right below ours, whatever characters a serial number has."""
        return self._folder / quote(flashing.serial or NEW_BOARD, safe="").replace(".", "%2E")


def _read(path: Path) -> Flashing:
    try:
        return Flashing(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise CisternaError(f"{path}: is no journal of a flashing; look at the pump's build, then delete it") from None


def _write(path: Path, what: dict[str, Any]) -> None:
    """Whole or not at all, and on the disk when it returns."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(what, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); nothing is flashed without it") from None
