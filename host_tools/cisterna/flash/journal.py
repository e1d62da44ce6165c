"""The journal of a flash run on disk: a run that was interrupted can be continued by the next one.

<user data>/cisterna/flash/<serial>/journal.json        of a run that has not ended
<user data>/cisterna/flash/<serial>/<time>.json         the record of a run that has ended
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
NEW_BOARD = "new-board"  # folder of boards without a serial number


@dataclass
class FlashRun:
    """One flash run; the names of the fields are the keys of the journal.

    began    UTC, as `utc_now` writes it
    who      name of the person who flashes
    address  of the pump on the link; None: a board without one
    serial   of the pump; None: not provisioned
    image    build, commit, variant and uf2_sha256 of the new image
    before   the pump's status before, see `pump_checks.read_status`
    stage    the stage that began last
    checks   what was found afterwards, each with `check`, `held`, `wanted`, `passed`
    """

    began: str
    who: str | None
    address: str | None
    serial: str | None
    image: dict[str, str]
    before: dict[str, Any] = field(default_factory=dict[str, Any])
    stage: str = ""
    checks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check["passed"] for check in self.checks)

    def record(self) -> dict[str, Any]:
        """The record of a run that ends now."""
        return {
            "began": self.began,
            "ended": utc_now(),
            "who": self.who,
            "address": self.address,
            "serial": self.serial,
            "from": {key: self.before.get(key) for key in ("build", "commit")},
            "to": {key: self.image[key] for key in ("build", "commit", "variant")},
            "uf2_sha256": self.image["uf2_sha256"],
            "checks": self.checks,
            "passed": self.passed,
        }


def utc_now() -> str:
    """The time in UTC, to the second, in ISO format with Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def default_folder() -> Path:
    return Path(platformdirs.user_data_dir("cisterna")) / "flash"


class Journal:
    """The folder of journals and records. Methods that write raise OutputError; then nothing is flashed."""

    def __init__(self, folder: Path | None = None):
        self._folder = folder or default_folder()

    def unfinished(self) -> list[FlashRun]:
        """The runs that have not ended. Raises CisternaError for a journal that cannot be read."""
        return [_read(path) for path in sorted(self._folder.glob(f"*/{JOURNAL}"))]

    def save(self, run: FlashRun) -> None:
        """Write the run's journal; call it before the stage that `run.stage` names."""
        _write(self._folder_of(run) / JOURNAL, asdict(run))

    def finish(self, run: FlashRun) -> Path:
        """Replace the run's journal by its record. Returns the record's path."""
        record = run.record()
        path = self._folder_of(run) / f"{record['ended'].replace(':', '')}.json"
        _write(path, record)
        self.discard(run)
        return path

    def discard(self, run: FlashRun) -> None:
        """Delete the run's journal."""
        (self._folder_of(run) / JOURNAL).unlink(missing_ok=True)

    def _folder_of(self, run: FlashRun) -> Path:
        """A direct sub-folder; the serial number is escaped, so it cannot form another path."""
        return self._folder / quote(run.serial or NEW_BOARD, safe="").replace(".", "%2E")


def _read(path: Path) -> FlashRun:
    try:
        return FlashRun(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise CisternaError(f"{path}: is no journal of a flashing; look at the pump's build, then delete it") from None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write the file whole or not at all; it is on the disk on return."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); nothing is flashed without it") from None
