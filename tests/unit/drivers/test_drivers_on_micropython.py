"""The drivers on the simulated board, under the real MicroPython: the cases of _on_unix_board.py, in one process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
SCRIPT = HERE / "_on_unix_board.py"
CASES = re.findall(r"^def (case_\w+)", SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def results():
    folders = [
        REPOSITORY / "firmware" / "unix",
        REPOSITORY / "firmware",
        REPOSITORY / "host_tools/cisterna/bench",
    ]
    run = subprocess.run(
        [Path(sys.executable).with_name("micropython"), "-X", "heapsize=8m", SCRIPT],
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, folders), ".frozen"])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr + run.stdout
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_case(results, case):
    assert results[case] is None, results[case]
