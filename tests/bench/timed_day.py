"""Runs `cisterna` with the given arguments on a target that measures time. A process of `figures_of_speed`.

    python timed_day.py PARTS.json sim FILE ...

The seconds of each part are in PARTS.json at the end.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_at_s = time.perf_counter()
parts_s: dict[str, float] = {}

from cisterna import cli  # noqa: E402  (imports are what is timed first)
from cisterna.bench import unix_target  # noqa: E402
from cisterna.link.protocol import unframe  # noqa: E402

DAY = "the day itself"
BEGINS = {"rx.load": "prescription loaded, checked, confirmed", "prime": "priming and connecting"}
WITHIN_DAY = {"records.read": "reading the records", "state": "asking for state and trace"}


def lap(part: str) -> None:
    """What has passed since the last lap was `part`."""
    global _at_s
    now_s = time.perf_counter()
    parts_s[part] = parts_s.get(part, 0.0) + now_s - _at_s
    _at_s = now_s


class Timed(unix_target.UnixTarget):
    """Laps where the runner turns to something else."""

    part = "imports, keys, reading the file"

    def start(self, config: Mapping[str, Any]) -> None:
        lap(self.part)
        super().start(config)
        lap("start of MicroPython and world")
        self.part = "boot and self-test"

    def act(self, do: str, **keys: Any) -> None:
        if do == "mark_start":
            self._turn_to(DAY)
        super().act(do, **keys)

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        method = unframe(line)[1]["method"]
        if self.part != DAY:
            if method in BEGINS:
                self._turn_to(BEGINS[method])
            return super().exchange(line, timeout_ms)
        lap(DAY)
        try:
            return super().exchange(line, timeout_ms)
        finally:
            lap(WITHIN_DAY.get(method, DAY))

    def close(self) -> None:
        lap(self.part)
        self.part = "end of MicroPython"
        super().close()
        lap(self.part)

    def _turn_to(self, part: str) -> None:
        lap(self.part)
        self.part = part


unix_target.UnixTarget = Timed
out = Path(sys.argv.pop(1))
try:
    cli.main()
finally:
    lap("account, plot and files")
    out.write_text(json.dumps(parts_s))
