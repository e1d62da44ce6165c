"""A file that stores the non-volatile state of a simulated pump. Killing its process is a power cut.

SQLite writes a change whole or not at all, and gives access to one process only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisterna.errors import CisternaError

Page = tuple[str, int, str]  # region, number, hex

_TABLES = """
CREATE TABLE IF NOT EXISTS page (region TEXT, number INTEGER, data TEXT, PRIMARY KEY (region, number));
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT);
"""


class StateFile:
    """The file `path`, created if needed, for a pump of `kind` (unix, rp2040). CisternaError if it cannot be used."""

    def __init__(self, path: Path, kind: str):
        try:
            self._file = sqlite3.connect(path, timeout=0, isolation_level=None)
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = OFF")  # survives a killed process, which is all that is needed
            self._file.executescript(_TABLES)
            self._file.execute("INSERT OR IGNORE INTO about VALUES ('kind', ?)", (kind,))
        except sqlite3.Error as error:
            why = "another simulated pump has it open" if "locked" in str(error) else str(error)
            raise CisternaError(f"--state held {path}; it cannot be used: {why}") from None
        held = self._about("kind")
        if held != kind:
            self._file.close()
            allowed = f"one of kind {kind}, or a new file"
            raise CisternaError(f"--state held {path}, of a pump of kind {held}; allowed: {allowed}")

    @property
    def is_new(self) -> bool:
        """True until the first `keep`."""
        return self._about("body") is None

    def pages(self) -> list[Page]:
        """The stored memory pages, for `NonvolatileState.restore`."""
        return list(self._file.execute("SELECT region, number, data FROM page ORDER BY region, number"))

    def mechanics(self) -> dict[str, Any] | None:
        """The state of the mechanics, for `NonvolatileState.restore`; None in a new file."""
        held = self._about("body")
        return None if held is None else json.loads(held)

    def keep(self, pages: Sequence[Sequence[Any]], body: dict[str, Any]) -> None:
        """Store changed pages and the mechanics in one transaction."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO page VALUES (?, ?, ?)", pages)
        self._file.execute("INSERT OR REPLACE INTO about VALUES ('body', ?)", (json.dumps(body),))
        self._file.execute("COMMIT")

    def close(self) -> None:
        self._file.close()

    def _about(self, name: str) -> str | None:
        row = self._file.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None
