"""The same physics in CPython and in MicroPython, bit for bit."""

import os
import subprocess
from pathlib import Path

import same_numbers
from cisterna.bench import unix_target
from cisterna.bench.unix_target import find_micropython


def test_both_pythons_agree_to_the_last_bit():
    path = f"{Path(unix_target.__file__).parent}:.frozen"
    for emit in ("bytecode", "native"):
        done = subprocess.run(
            [find_micropython(), "-X", f"emit={emit}", "-X", "heapsize=4M", same_numbers.__file__],
            capture_output=True,
            text=True,
            env={**os.environ, "MICROPYPATH": path},
            check=True,
        )
        assert done.stdout.splitlines() == [str(line) for line in same_numbers.numbers()]
