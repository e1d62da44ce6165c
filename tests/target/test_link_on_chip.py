"""The serial link at its speed, on the chip's own UART, while the pump has other things to do."""

import itertools
import zlib
from collections.abc import Callable

import pytest
from cisterna.link.protocol import frame, unframe
from cisterna.sim.scenario_host import planned_t0_ms
from support.chip.chip_run import SHORT_LINE_UL, play, scenario
from support.chip.trace import MS, TracedTarget

pytestmark = pytest.mark.target

T0_NS = planned_t0_ms(SHORT_LINE_UL) * MS
ACK = 4  # of the key records
FIRST_ID = 10_000  # above those of the clinician's requests


class Talking(TracedTarget):
    """A host sends `hello` at moments of the chip's time, in lines of at least so many bytes.

    The clinician uses the same line, so the lines of both are numbered here. As the client does, the host repeats a
    request at once when the pump answers that a line arrived damaged.

    asked, answered  ids of the requests; repeated: their number of repeats
    """

    def __init__(self, image, moments_ns: list[float], size: int):
        super().__init__(image)
        self.asked, self.answered, self.repeated = set(), set(), 0
        self._number = 0
        self._moments_ns, self._size = moments_ns, size
        self.on_start = self._plan

    def _plan(self) -> None:
        for ns in self._moments_ns:
            self.chip.clock.create_alarm(self.ask).schedule(ns)

    def ask(self) -> None:
        number = FIRST_ID + len(self.asked)
        self.asked.add(number)
        self._send_hello(number)

    def _send_hello(self, number: int) -> None:
        params = {"spare": "x" * self._size}
        self.send(frame(1, {"jsonrpc": "2.0", "id": number, "method": "hello", "params": params}))

    def send(self, line: bytes) -> None:
        super().send(self._numbered(line))

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        return super().exchange(self._numbered(line), timeout_ms)

    def _numbered(self, line: bytes) -> bytes:
        self._number += 1
        return frame(self._number, unframe(line)[1])

    def _line_arrived(self) -> None:
        answer = unframe(self._uart.lines[-1][1])[1]
        if "result" in answer and answer["id"] in self.asked:
            self.answered.add(answer["id"])
        elif answer.get("id", 0) is None and self.asked - self.answered:
            self.repeated += 1
            self._send_hello(max(self.asked))
        super()._line_arrived()


def test_a_request_is_rarely_lost_while_it_infuses(therapy):
    """COM-01: at 10 mL/h the pump wakes 6 times a second, and each time holds back interrupts for some 90 us.

    The port lets the UART's FIFO fill to 24 of 32 bytes before it asks, so at 921600 baud a byte may be lost, and the
    line with it: its CRC is wrong, the pump does not answer, and the host repeats the request. The image of the day
    this was written lost two of 95 long lines.
    """
    target = Talking(therapy, [T0_NS + (1_000 + 197 * k) * MS for k in range(95)], 2_000)
    run = play(therapy, scenario("20s", basal_ug_per_day=240_000, bolus_ug=0), target)
    assert len(target.asked) == 95 and len(target.asked - target.answered) <= 4
    assert run.summary["state"] == "infusing"


def test_every_request_is_answered_while_records_are_written(therapy):
    """COM-01: a line of 54 ms is under way when a key press is recorded.

    Programming a record into flash keeps interrupts off for 0.4 ms, in which 37 bytes arrive; the FIFO holds 32. So
    the line is damaged, the pump says so, and the repeat is answered.
    """
    target = Talking(therapy, [T0_NS + (1_010 + 500 * k) * MS for k in range(10)], 5_000)
    presses = "1s press button='ack' count=10 hold_ms=60 gap_ms=440"
    run = play(therapy, scenario("7s", presses, basal_ug_per_day=2_400, bolus_ug=0), target)
    assert target.asked - target.answered == set() and target.repeated <= 12
    assert len([key for key in run.records("key") if key["key"] == ACK]) == 10


PRIME = b'{"jsonrpc":"2.0","id":%s,"method":"prime","params":{"a":%s}}'
REFUSED = [  # what was once the end of a therapy, by a line each or a few
    PRIME % (b"1", b"[" * 400 + b"]" * 400),
    PRIME % (b"1", b"9" * 5_800),
    PRIME % (b"9" * 5_800, b"1"),
    PRIME % (b"1", b"[" + b"1," * 2_800 + b"1]"),
    PRIME.replace(b"prime", b"x" * 5_700) % (b"1", b"1"),
    *[PRIME % (b'"%02d' % k + b"x" * 5_700 + b'"', b"1") for k in range(12)],
]
CHALLENGE = b'{"jsonrpc":"2.0","id":"%032d","method":"access.challenge","params":{"person":"%s"}}'
ANSWERED = [CHALLENGE % (k, b"x" * 5_700) for k in range(12)]
WORDS = ("request_limits", "request_form", "method_unknown")
BURSTS = [b"\n" * 6_000, b"\r\n" * 4_000, b"\n" * 60_000, b"A" * 60_000, b"\nA" * 100, b"\n"]


class Thrown(Talking):
    """Somebody with the cable sends what no host would, one thing every half second, and then asks `hello`."""

    def __init__(self, image):
        super().__init__(image, [T0_NS + 28_000 * MS], 1)
        self.words = []

    def _plan(self) -> None:
        super()._plan()
        at_ms = 2_000
        for body in REFUSED + ANSWERED:
            self._at(at_ms, lambda body=body: self.throw(body))
            at_ms += 500
        for burst in BURSTS:  # the longest takes 0.65 s
            self._at(at_ms, lambda burst=burst: TracedTarget.send(self, burst))
            at_ms += 1_500

    def _at(self, ms: int, do: Callable[[], object]) -> None:
        self.chip.clock.create_alarm(do).schedule(T0_NS + ms * MS)

    def throw(self, body: bytes) -> None:
        self._number += 1
        checked = b"%d " % self._number + body
        TracedTarget.send(self, checked + b" %08x\n" % zlib.crc32(checked))

    def _line_arrived(self) -> None:
        error = unframe(self._uart.lines[-1][1])[1].get("error")
        if error:
            self.words.append(error["data"]["code"])
        super()._line_arrived()


def test_no_input_ends_or_delays_the_therapy(therapy):
    """SEC-10, COM-01: at 10 mL/h without a session; every line is refused, and each step is on time."""
    target = Thrown(therapy)
    run = play(therapy, scenario("30s", basal_ug_per_day=240_000, bolus_ug=0), target)
    assert run.summary["state"] == "infusing" and target.trace.watchdog_resets == []
    assert len(run.records("boot")) == 1
    assert target.asked == target.answered and len(target.asked) == 1
    refused = [word for word in target.words if word in WORDS]
    assert len(refused) >= len(REFUSED) - 2  # a byte may be lost at this speed, see above
    steps = target.trace.steps(T0_NS + 1_000 * MS)
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert max(gaps) < 150 * MS
