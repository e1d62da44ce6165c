"""The tests of this folder once more, on MicroPython with a bounded heap."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
FIRMWARE = HERE.parents[2] / "firmware"
HEAP = "512k"  # 64-bit words: about what 256 kB are on the RP2040
HEAP_OF_A_PUMP = "1m"  # with all of the firmware in it, 270 kB of code that an image has in flash
FILES = sorted(path for path in HERE.glob("test_*.py") if path.name != pathlib.Path(__file__).name)


def micropython():
    """The Unix port beside this Python, or on the path."""
    beside = pathlib.Path(sys.executable).parent / "micropython"
    return str(beside) if beside.exists() else shutil.which("micropython")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_on_micropython(path):
    binary = micropython()
    assert binary, "the MicroPython Unix port is not installed; `make test` does"
    heap = HEAP_OF_A_PUMP if "_rig import" in path.read_text(encoding="utf-8") else HEAP
    done = subprocess.run(
        [binary, "-X", f"heapsize={heap}", str(HERE / "_run.py"), str(path)],
        env={**os.environ, "MICROPYPATH": f"{HERE}:{FIRMWARE}:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed, 0 failed" in done.stdout
