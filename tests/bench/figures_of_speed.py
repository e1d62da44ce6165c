"""Time to simulate a day of therapy, its parts, and the day of a peer (simglucose) for comparison."""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figure_scenarios
from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.errors import TargetFailed
from figure_table import Figure

HERE = Path(__file__).resolve().parent
DAY = "hydromorphone-pca-day"
GOALS_S = {"": 3.0, ", next mark": 1.0}
RUNS = 3
LIMIT_S = 600
SIDES = ("firmware", "world", "host")  # as `board_call_times` names them
PYTHON = "start and end of Python"
PEER = "simglucose (PyPI): adolescent#001, Dexcom, Insulet, BBController, five meals, 480 steps of 3 min, no plot"


@dataclass(frozen=True)
class Run:
    """One process from start to end. cpu_s: of it and its children. parts_s: what the wall time went to."""

    wall_s: float
    cpu_s: float
    parts_s: dict[str, float]


def figures() -> Iterator[Figure]:
    ours, peers = [], []
    for _ in range(RUNS):  # in turn, so that both meet the same machine
        ours.append(our_day())
        peers.append(peer_day())
    run = _median(ours)
    beside = [peer for peer in peers if peer]
    yield from _day(ours, run, _median(beside) if beside else None)
    for part, seconds in _by_size(run):
        yield Figure(f"  of it: {part}", f"{seconds:.2f} s ({seconds / run.wall_s:.0%})", values={"wall_s": seconds})
    yield sides()
    yield _peer(beside)


def _day(runs: list[Run], run: Run, peer: Run | None) -> Iterator[Figure]:
    beside = f"simglucose, one patient-day: {peer.wall_s:.1f} s, in this run" if peer else ""
    for what, goal_s in GOALS_S.items():
        yield Figure(
            f"hydromorphone PCA day as in `make run`, median of {RUNS}{what}",
            f"{run.wall_s:.2f} s ({run.cpu_s:.2f} s of processor)",
            f"<= {goal_s:.1f} s",
            run.wall_s <= goal_s,
            beside,
            _needs(run, goal_s),
            {"wall_s": [each.wall_s for each in runs], "cpu_s": [each.cpu_s for each in runs]},
        )


def _needs(run: Run, goal_s: float) -> str:
    largest = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in _by_size(run)[:3])
    return f"{run.wall_s - goal_s:.2f} s must go; the largest parts: {largest}"


def _by_size(run: Run) -> list[tuple[str, float]]:
    return sorted(run.parts_s.items(), key=lambda item: -item[1])


def _peer(runs: list[Run]) -> Figure:
    if not runs:
        return Figure("simglucose, one patient-day", "not measured: simglucose does not run here", reference=PEER)
    run = _median(runs)
    return Figure(
        f"simglucose, one patient-day, whole process, median of {len(runs)}",
        f"{run.wall_s:.2f} s ({run.cpu_s:.2f} s of processor)",
        reference=f"{PEER}; {run.parts_s['simulation']:.2f} s of it the simulation alone",
        values={"wall_s": [each.wall_s for each in runs], "cpu_s": [each.cpu_s for each in runs]},
    )


def sides() -> Figure:
    """Once more, with a clock at the border between firmware and world; slower, so only the shares count."""
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder) / "board"
        shutil.copytree(paths.firmware() / "unix", board)
        shutil.copy(HERE / "board_call_times.py", board)
        with (board / "machine.py").open("a") as machine:
            machine.write("\nimport board_call_times  # noqa\n")
        target = Sides(paths.firmware(), board)
        figure_scenarios.play(figure_scenarios.shipped(DAY), target=target)
    spent_s = {side: us / 1e6 for side, us in target.of_the_day_us().items()}
    total_s = sum(spent_s.values())
    return Figure(
        f"  of the day itself: {', '.join(SIDES)}",
        ", ".join(f"{seconds / total_s:.0%}" for seconds in spent_s.values()),
        reference="a run of its own, a clock at every call across the border; its cost taken off",
        values={"s": spent_s},
    )


class Sides(UnixTarget):
    """Reads the clocks of `board_call_times` when delivery starts and at the end."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self._looks: list[dict[str, float]] = []

    def act(self, do: str, **keys: Any) -> None:
        super().act(do, **keys)
        if do == "mark_start":
            self._looks.append(self.look())

    def close(self) -> None:
        if len(self._looks) == 1:
            self._looks.append(self.look())
        super().close()

    def of_the_day_us(self) -> dict[str, float]:
        start, end = self._looks
        return {side: end[side] - start[side] for side in SIDES}


def our_day() -> Run:
    """The command of `make run`, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        parts, plot, trace, log = (str(Path(folder) / name) for name in ("parts.json", "p.png", "t.csv", "l.jsonl"))
        command = [
            *(sys.executable, HERE / "timed_day.py", parts, "sim", paths.SCENARIOS / f"{DAY}.toml"),
            *("--plot", plot, "--trace", trace, "--trace-every", "120", "--log", log),
        ]
        try:
            wall_s, cpu_s, _ = _timed(command)
        except subprocess.CalledProcessError as failed:
            last = (failed.stdout + failed.stderr).strip().rpartition("\n")[2]
            raise TargetFailed(f"{DAY} ended with status {failed.returncode}: {last}") from None
        parts_s = json.loads(Path(parts).read_text())
    return Run(wall_s, cpu_s, {**parts_s, PYTHON: wall_s - sum(parts_s.values())})


def peer_day() -> Run | None:
    try:
        wall_s, cpu_s, said = _timed([sys.executable, HERE / "simglucose_day.py"])
    except subprocess.SubprocessError:
        return None
    return Run(wall_s, cpu_s, {"simulation": float(said.split()[-1])})


def _timed(command: list) -> tuple[float, float, str]:
    """Wall seconds, processor seconds, and the output."""
    cpu_s, began_s = _children_s(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    return time.perf_counter() - began_s, _children_s() - cpu_s, done.stdout


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _median(runs: list[Run]) -> Run:
    middle_s = statistics.median_low(run.wall_s for run in runs)
    return next(run for run in runs if run.wall_s == middle_s)
