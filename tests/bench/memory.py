"""Whether ninety days need more memory than one: the heap as the world counts it and as the pump does."""

import time
from collections.abc import Iterator
from typing import Any

import bench
from cisterna.bench.unix_target import UnixTarget
from cisterna.link.client import unframe
from figure import Figure

DAY_S = 86_400
DAYS = 90
SETTLED_DAY = 2  # by then a day of history is full
GROWTH_GOAL = 0.01  # of the heap at the middle: what comes and goes within a day


class Witness(UnixTarget):
    """Notes every word about the heap: (ms, bytes)."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.held: list[tuple[int, int]] = []  # after a collection, without what there was before the firmware
        self.told: list[tuple[int, int]] = []  # the pump's own: all that is allocated, used or not

    def truth(self) -> dict[str, Any]:
        truth = super().truth()
        self.held.append((self.now_ms, truth["heap_used"]))
        return truth

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        answer = super().exchange(line, timeout_ms)
        result = unframe(answer).get("result")
        if isinstance(result, dict) and "heap_used" in result:
            self.told.append((self.now_ms, result["heap_used"]))
        return answer


def figures() -> Iterator[Figure]:
    witness = Witness()
    began_s = time.perf_counter()
    summary = bench.play(bench.shipped("ninety-days"), DAY_S, witness).summary
    wall_s = time.perf_counter() - began_s
    yield Figure(
        "ninety days, wall",
        f"{wall_s:.1f} s",
        reference="at the speed of the PCA day above it would be 90 times that",
        values={"wall_s": wall_s, "state": summary["state"], "reboots": summary["reboots"]},
    )
    held = [bytes_ for _, bytes_ in witness.held]
    start, middle, end = held[SETTLED_DAY], held[DAYS // 2], held[DAYS]
    growth = end - middle
    yield Figure(
        f"heap in use after a collection, day {SETTLED_DAY}, {DAYS // 2}, {DAYS}",
        f"{start:,}, {middle:,}, {end:,} bytes",
        "flat",
        growth <= middle * GROWTH_GOAL,
        "firmware and world together, 8-byte words; the pump's own heap is smaller",
        f"it grew by {growth / (DAYS // 2):.0f} bytes a day from the middle on; what is kept of each day is to be found",
        {"held": witness.held},
    )
    low = [_least(witness.told, day) for day in (SETTLED_DAY, DAYS // 2, DAYS - 1)]
    yield Figure(
        f"state.heap_used of the pump, least of day {SETTLED_DAY}, {DAYS // 2}, {DAYS - 1}",
        f"{low[0]:,}, {low[1]:,}, {low[2]:,} bytes",
        reference="with what nobody uses any more, until the next collection",
        values={"told": witness.told},
    )


def _least(told: list[tuple[int, int]], day: int) -> int:
    return min(bytes_ for ms, bytes_ in told if day * DAY_S <= ms / 1000 < (day + 1) * DAY_S)
