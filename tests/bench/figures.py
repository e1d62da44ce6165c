"""Prints the figures of speed, size and accuracy, each beside its goal and what others reach.

Not a test: times depend on the machine, which must be idle. Behaviour is asserted in the tests.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import figures_of_accuracy
import figures_of_fluids
import figures_of_memory
import figures_of_occlusion
import figures_of_relief
import figures_of_speed
from cisterna.bench.target import TargetError
from cisterna.errors import CisternaError
from figure_table import Figure, show
from rich.console import Console

WIDTH = 150  # in a pipe
FAILURES = (CisternaError, TargetError, subprocess.SubprocessError, OSError)

Group = Callable[[], Iterable[Figure]]


def _chip() -> Iterable[Figure]:
    import figures_of_chip  # needs the emulator and the image, which the other groups do not

    return figures_of_chip.figures()


GROUPS: dict[str, tuple[str, Group]] = {
    "speed": ("Speed of simulated therapy", figures_of_speed.figures),
    "accuracy": ("Accuracy", figures_of_accuracy.figures),
    "occlusion": ("Occlusion", figures_of_occlusion.figures),
    "relief": ("Relief of a closed line", figures_of_relief.figures),
    "fluids": ("Another strength in the line", figures_of_fluids.figures),
    "quiet": ("Quiet when the line is open", figures_of_occlusion.false_alarms),
    "memory": ("Ninety days", figures_of_memory.figures),
    "chip": ("The image on the RP2040", _chip),
}
USUAL = [name for name in GROUPS if name != "chip"]  # the chip needs the image: `make bench-target`


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="also what takes many minutes: a month of false alarms")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=USUAL, help="some groups of figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    wanted = parser.parse_args()
    if wanted.json and not wanted.json.parent.is_dir():
        parser.error(f"--json held {wanted.json}; allowed: a file in a folder that exists")
    return wanted


def main() -> int:
    wanted = options()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    machine = _machine()
    console.print(
        "{system}, {python}, {cores} cores, load {load}; times are right on a quiet machine".format(**machine)
    )
    found = {}
    for name in wanted.only:
        title, group = GROUPS[name]
        if name == "quiet" and not wanted.long:
            group = figures_of_occlusion.false_alarms_left_out
        with console.status(title):
            found[name] = list(_measured(title, group))
        show(title, found[name], console)
    if wanted.json:
        groups = {name: [asdict(figure) for figure in figures] for name, figures in found.items()}
        wanted.json.write_text(json.dumps({"machine": machine, "figures": groups}, indent=2, ensure_ascii=False) + "\n")
    return 0


def _measured(title: str, group: Group) -> Iterable[Figure]:
    """The figures of a group; when the bench breaks, those before it and why there are no more."""
    try:
        yield from group()
    except FAILURES as error:
        yield Figure(title, "no figure", held=False, needs=str(error))


def _machine() -> dict[str, object]:
    return {
        "system": platform.system(),
        "python": f"Python {platform.python_version()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
