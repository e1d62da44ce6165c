"""Heap use over ninety days, as the world counts it and as the pump does."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import figure_scenarios
from cisterna.bench.unix_target import UnixTarget
from cisterna.link.protocol import unframe
from cisterna.link.records import layout
from figure_table import Figure

DAY_S = 86_400
DAYS = 90
LOOKED_AT = (2, 45, 89)  # a day of history is full by the first
TOLERANCE = 0.01
SECTOR_BYTES = 4096


class HeapWatch(UnixTarget):
    """Collects every message about the heap."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.held: dict[int, int] = {}  # day -> at its start, after a collection, less what was before the firmware
        self._told: list[tuple[int, int]] = []  # day, and all that is allocated, as the pump says

    def truth(self) -> dict[str, Any]:
        truth = super().truth()
        self.held.setdefault(self._day(), truth["heap_used"])
        return truth

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        answer = super().exchange(line, timeout_ms)
        result = unframe(answer)[1].get("result")
        if isinstance(result, dict) and "heap_used" in result:
            self._told.append((self._day(), result["heap_used"]))
        return answer

    def told_on(self, day: int) -> list[int]:
        return [bytes_ for on, bytes_ in self._told if on == day]

    def _day(self) -> int:
        return self.now_ms // 1000 // DAY_S


def figures() -> Iterator[Figure]:
    witness = HeapWatch()
    began_s = time.perf_counter()
    outcome = figure_scenarios.play(figure_scenarios.shipped("ninety-days"), DAY_S, witness)
    wall_s = time.perf_counter() - began_s
    yield Figure(f"{DAYS} days, once", f"{wall_s:.1f} s ({wall_s / DAYS:.2f} s a day)", values={"wall_s": wall_s})
    yield _held(witness, [outcome.moment_s(record) for record in outcome.records])
    low = [min(witness.told_on(day)) for day in LOOKED_AT]
    yield Figure(
        f"state.heap_used of the pump, least of days {_list(LOOKED_AT)}",
        f"{_list(low)} bytes",
        reference="the flash's memory, and what nobody uses any more, included",
        values={"least": low, "most": [max(witness.told_on(day)) for day in LOOKED_AT]},
    )


def _held(witness: HeapWatch, written_s: list[float]) -> Figure:
    """What is used, less the memory that stands for the log's flash: that grows with the log, as it must."""
    flash = [
        -(-sum(t < day * DAY_S for t in written_s) * layout.RECORD_BYTES // SECTOR_BYTES) * SECTOR_BYTES
        for day in LOOKED_AT
    ]
    held = [witness.held[day] - log for day, log in zip(LOOKED_AT, flash, strict=True)]
    growth = held[-1] - held[1]
    return Figure(
        f"heap in use after a collection, start of days {_list(LOOKED_AT)}",
        f"{_list(held)} bytes",
        f"flat: +-{TOLERANCE:.0%}",
        growth <= held[1] * TOLERANCE,
        f"firmware and world, 8-byte words, without {_list(flash)} bytes of the log's simulated flash",
        f"it grew by {growth / (LOOKED_AT[-1] - LOOKED_AT[1]):.0f} bytes a day in the second half",
        {"with_flash": list(witness.held.values()), "flash": flash},
    )


def _list(numbers: Iterable[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)
