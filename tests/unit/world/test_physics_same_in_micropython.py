"""The same physics in CPython and in MicroPython, bit for bit."""

import os
import subprocess
from pathlib import Path

from cisterna.bench import unix_target
from cisterna.bench.engines import find_micropython
from support.micropython_scripts import world_physics


def test_both_pythons_agree_to_the_last_bit():
    path = f"{Path(unix_target.__file__).parent}:.frozen"
    for emit in ("bytecode", "native"):
        done = subprocess.run(
            [find_micropython(), "-X", f"emit={emit}", "-X", "heapsize=4M", world_physics.__file__],
            capture_output=True,
            text=True,
            env={**os.environ, "MICROPYPATH": path},
            check=True,
        )
        assert done.stdout.splitlines() == [str(line) for line in world_physics.numbers()]
