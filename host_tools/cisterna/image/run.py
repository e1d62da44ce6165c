"""Runs a program of the tool chain; what it says is kept in a file and shown only when it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cisterna.errors import CisternaError

TAIL_LINES = 12
# What tools begin or mark an error with; a line that begins with [ only tells of progress.
_TELLING = ("error", "undefined reference", "overflowed", "E:", "W:")


class BuildFailed(CisternaError):
    """A tool ended with an error."""

    exit_status = 1


def run(step: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Runs `command`, its output to `log`. BuildFailed with the lines that tell why, and where the rest is."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(list(map(str, command)), stdout=out, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd)
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if line[:1] != "[" and any(word in line for word in _TELLING)] or lines
        raise BuildFailed("\n".join([f"{step}: failed; all of it is in {log}", *telling[-TAIL_LINES:]]))
