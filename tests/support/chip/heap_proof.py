"""The heap proof: the delivery tick allocates nothing on the RP2040, and is in time.

An int that reaches 2^30 is an object on this chip's heap, and so is what mpy-tool freezes as one; on a 64-bit Unix port
and on CPython neither is, so only the image shows it. `heap_cases.py` runs in the frozen firmware of a development
image, each case in a locked heap (`heap_meter.py` says how).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.chip.repl import Repl

HERE = Path(__file__).resolve().parent
ON_CHIP = ("heap_meter.py", "heap_cases.py")
TICK_US = 5_300  # most of a delivery tick; 5000 are wanted, and 950 are the check of the dose variables
CASE_S = 600  # most seconds of the chip that a case may take


def reports(image: Path, turns: int, cases_of: str = "CASES") -> Iterator[tuple[str, dict[str, Any]]]:
    """The report of each case of a list in `heap_cases.py`, after at most `turns` turns."""
    prompt = Repl(image)
    for name in ON_CHIP:
        prompt.run((HERE / name).read_text())
    cases = json.loads(prompt.run(f"print(json.dumps([case[:2] for case in {cases_of}]))"))
    for number, (name, most) in enumerate(cases):
        yield name, json.loads(prompt.run(f"measure({cases_of}[{number}][2], {min(turns, most)})", CASE_S))
    prompt.close()


def faults(report: dict[str, Any]) -> list[str]:
    """Faults in the report of one case, a text each."""
    late = f"the worst turn took {report['worst_us']} us; {TICK_US} are allowed"
    return allocations(report) + ([late] if report["worst_us"] > TICK_US else [])


def allocations(report: dict[str, Any]) -> list[str]:
    """Heap faults in the report of one case, errors included."""
    found = []
    if report["error"]:
        found.append(f"turn {report['turns']}: {report['error'].rstrip()}")
    if report["left"]:
        found.append(f"{report['left']} bytes left behind by turn {report['left_at']}")
    if report["error"] is None and report["used_after"] > report["used_before"]:
        found.append(f"heap grew by {report['used_after'] - report['used_before']} bytes")
    return found


def mean_us(report: dict[str, Any]) -> int:
    return report["total_us"] // max(1, report["turns"])
