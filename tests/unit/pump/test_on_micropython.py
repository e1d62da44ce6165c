"""The tests of this folder once more, in MicroPython with a bounded heap."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
TESTS = HERE.parents[1]
FIRMWARE = TESTS.parent / "firmware"
RUNNER = TESTS / "support" / "micropython_scripts" / "run_tests.py"
HEAP = "512k"  # 64-bit words: about what 256 kB are on the RP2040
HEAP_OF_A_PUMP = "1500k"
FILES = sorted(path for path in HERE.rglob("test_*.py") if path.name != pathlib.Path(__file__).name)


def micropython():
    """The Unix port beside this Python, or on the path."""
    beside = pathlib.Path(sys.executable).parent / "micropython"
    return str(beside) if beside.exists() else shutil.which("micropython")


def test_every_folder_beside_this_file_has_tests_that_run_here():
    """An empty list of files would run nothing and pass."""
    folders = {path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders and folders == {path.parent for path in FILES} - {HERE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_on_micropython(path):
    binary = micropython()
    assert binary, "the MicroPython Unix port is not installed; `make test` does"
    heap = HEAP_OF_A_PUMP if "pump_rig import" in path.read_text(encoding="utf-8") else HEAP
    done = subprocess.run(
        [binary, "-X", f"heapsize={heap}", str(RUNNER), str(path)],
        env={**os.environ, "MICROPYPATH": f"{TESTS}:{FIRMWARE}:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed, 0 failed" in done.stdout
