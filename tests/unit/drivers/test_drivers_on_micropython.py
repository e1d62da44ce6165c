"""The drivers on the simulated board, under the real MicroPython: the cases of `driver_cases.py`, in one process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "tests" / "support" / "micropython_scripts" / "driver_cases.py"
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
