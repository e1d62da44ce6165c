"""Runs a program of the tool chain. Its output goes to a log file; the error lines are shown if it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cisterna.errors import CisternaError

TAIL_LINES = 12
# Marks of an error in the output of the tools; a line that begins with [ only reports progress.
_ERROR_MARKS = ("error", "undefined reference", "overflowed", "E:", "W:")


class BuildFailed(CisternaError):
    """A tool ended with an error, or a build cannot be completed."""

    exit_status = 1


def run(step: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Run `command` with its output to `log`. Raises BuildFailed with the error lines and the path of the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd)
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line[:1] != "[" and any(mark in line for mark in _ERROR_MARKS)] or lines
        raise BuildFailed("\n".join([f"{step}: failed; all of it is in {log}", *errors[-TAIL_LINES:]]))
