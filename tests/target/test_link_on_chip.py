"""The serial link at its speed, on the chip's own UART, while the pump has other things to do."""

import pytest
from cisterna.link.client import frame, unframe
from cisterna.sim.session import planned_t0_ms
from target.therapy import SHORT_LINE_UL, play, scenario
from target.witness import MS, WatchedTarget

pytestmark = pytest.mark.target

T0_NS = planned_t0_ms(SHORT_LINE_UL) * MS
ACK = 4  # of the key records
FIRST_ID = 10_000  # above those of the clinician's requests


class Talking(WatchedTarget):
    """Somebody asks `hello` at moments of the chip's time, in lines of so many bytes and more.

    On the clinician's own line, so every line is numbered here, whoever sends it.
    """

    def __init__(self, image, moments_ns: list[float], size: int):
        super().__init__(image)
        self.asked, self.answered = set(), set()
        self._number = 0
        self._moments_ns, self._size = moments_ns, size
        self.on_start = self._plan

    def _plan(self) -> None:
        for ns in self._moments_ns:
            self.chip.clock.create_alarm(self.ask).schedule(ns)

    def ask(self) -> None:
        number = FIRST_ID + len(self.asked)
        self.asked.add(number)
        params = {"spare": "x" * self._size}
        self.send(frame(1, {"jsonrpc": "2.0", "id": number, "method": "hello", "params": params}))

    def send(self, line: bytes) -> None:
        super().send(self._numbered(line))

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        return super().exchange(self._numbered(line), timeout_ms)

    def _numbered(self, line: bytes) -> bytes:
        self._number += 1
        return frame(self._number, unframe(line)[1])

    def _line_came(self) -> None:
        answer = unframe(self._uart.lines[-1][1])[1]
        if "result" in answer and (answer["id"] or 0) >= FIRST_ID:
            self.answered.add(answer["id"])
        super()._line_came()


def test_a_request_is_rarely_lost_while_it_infuses(therapy):
    """COM-01: at 10 mL/h the pump wakes 6 times a second, and each time holds back interrupts for some 90 us.

    The port lets the UART's FIFO fill to 24 of 32 bytes before it asks, so at 921600 baud a byte may be lost, and the
    line with it: its CRC is wrong, nobody answers, and whoever asked asks again. Two of 95 long lines are, in the image
    of the day this was written.
    """
    target = Talking(therapy, [T0_NS + (1_000 + 197 * k) * MS for k in range(95)], 2_000)
    run = play(therapy, scenario("20s", basal_ug_per_day=240_000, bolus_ug=0), target)
    assert len(target.asked) == 95 and len(target.asked - target.answered) <= 4
    assert run.summary["state"] == "infusing"


def test_every_request_is_heard_while_records_are_written(therapy):
    """COM-01: a line of 50 ms is under way when a key is heard and recorded."""
    target = Talking(therapy, [T0_NS + (1_010 + 500 * k) * MS for k in range(10)], 5_000)
    presses = "1s press button='ack' count=10 hold_ms=60 gap_ms=440"
    run = play(therapy, scenario("7s", presses, basal_ug_per_day=2_400, bolus_ug=0), target)
    assert target.asked - target.answered == set()
    assert len([key for key in run.records("key") if key["key"] == ACK]) == 10
