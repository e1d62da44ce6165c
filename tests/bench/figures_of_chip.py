"""The budget of the RP2040, measured on the emulated chip that runs the image, in the chip's own time."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import figure_scenarios
from cisterna import paths
from cisterna.bench.rp2040.target import IMAGE, Rp2040Target
from cisterna.errors import TargetFailed
from figure_table import Figure

sys.path.append(str(Path(__file__).resolve().parents[1]))
paths.use_firmware()
from cisterna.bench.target_transport import TargetTransport  # noqa: E402
from cisterna.link.protocol import MAX_RECORDS, unframe  # noqa: E402
from cisterna.link.pump_client import PumpClient  # noqa: E402
from cisterna.pharmacy import documents, keys, provision, sign  # noqa: E402
from cisterna.sim import runner  # noqa: E402
from cisterna.sim.bench_pharmacy import SERIAL  # noqa: E402
from support.chip import heap_proof, storage  # noqa: E402
from support.chip.repl import Repl  # noqa: E402
from support.chip.trace import TracedTarget  # noqa: E402

THERAPY, DEVELOPMENT = IMAGE, IMAGE.with_name("cisterna-development.uf2")
TURNS = 1000
POST_MS, TICK_US, HEAP_PERCENT = 1500, 5000, 50
LOG_RECORDS, LOG_S = 16_384, 10
ANSWERS, BLOCKS = 20, 20
_CPU_HZ = 125_000_000


def figures() -> Iterator[Figure]:
    for image in (THERAPY, DEVELOPMENT):
        if not image.is_file():
            raise TargetFailed(f"image: there is no {image}; make it with `make image`")
    yield from _sizes()
    yield _reset_to_post()
    yield from _ticks()
    yield from _an_hour()
    yield from _link()
    yield from _single_calls()


def _sizes() -> Iterator[Figure]:
    facts = json.loads(THERAPY.with_suffix(".json").read_text(encoding="utf-8"))
    used, there = facts["flash"]["used"], facts["flash"]["available"]
    yield Figure("image, flash used", f"{used:,} B", f"<= {there:,} B", used <= there, values={"bytes": used})


def _reset_to_post() -> Figure:
    """From the reset vector to the record of the self-test, with the log's flash as it comes from the factory and
    people and library in the vault."""
    with TracedTarget(THERAPY) as target:
        target.start(provision.bench_target_config(SERIAL, keys.bench_keys()))
        while not any(record.name == "self_test" for record in storage.log(target.chip.mcu.flash)):
            target.run_until(target.now_ms + 5)
            if target.now_ms > 10 * POST_MS:
                return Figure("reset to self-test passed", "never", f"<= {POST_MS} ms", False, needs="it does not come")
        ms = target.now_ms
    peer = "no pump publishes one"
    return Figure("reset to self-test passed", f"{ms} ms", f"<= {POST_MS} ms", ms <= POST_MS, peer, values={"ms": ms})


def _ticks() -> Iterator[Figure]:
    """Under heap_lock, where the first allocation is an error."""
    found = list(heap_proof.reports(DEVELOPMENT, TURNS))
    for what, title in (("grants", "a grant planned, booked, journalled"), ("pump", "delivery tick, Pump.step")):
        reports = [(name, report) for name, report in found if name.startswith(what + ":")]
        worst = max(report["worst_us"] for _, report in reports)
        mean = sum(report["total_us"] for _, report in reports) // max(1, sum(report["turns"] for _, report in reports))
        said = f"{worst / 1000:.2f} ({mean / 1000:.2f}) ms"
        yield Figure(
            f"{title}, no FRAM, worst (mean)", said, "<= 5 ms", worst <= TICK_US,
            "10 ms loop of an open ventilator", "", {"worst_us": worst, "mean_us": mean},
        )  # fmt: skip
    hard = list(heap_proof.reports(DEVELOPMENT, TURNS, "HARD"))
    for name, report in hard:
        worst = report["worst_us"]
        yield Figure(
            f"delivery tick, {name}, worst (mean)", f"{worst / 1000:.2f} ({heap_proof.mean_us(report) / 1000:.2f}) ms",
            "<= 5 ms", worst <= TICK_US, "", "1.5 ms are the FRAM's bus at 400 kHz; alone at 1 MHz, 0.6",
            {"worst_us": worst, "mean_us": heap_proof.mean_us(report)},
        )  # fmt: skip
    found += hard
    turns = sum(report["turns"] for _, report in found)
    wrong = [f"{name}: {fault}" for name, report in found for fault in heap_proof.allocations(report)]
    yield Figure(
        "allocation in the tick", "none" if not wrong else f"{len(wrong)} faults", "none", not wrong,
        f"{len(found)} cases, {turns} turns under heap_lock", "; ".join(wrong),
    )  # fmt: skip


def _an_hour() -> Iterator[Figure]:
    """An hour of basal at 1 mL/h: edges at the STEP pin, the heap, and what the CPU has to do."""
    scenario = figure_scenarios.written("1h", 1.0, pump={"deadspace_ul": 10})
    target = _Hour(THERAPY)
    began_s = time.perf_counter()
    runner.run(scenario, target)
    wall_s = time.perf_counter() - began_s
    errors = list(_edge_errors_ns(target))
    worst_us = max(errors) / 1000
    yield Figure(
        "step edge against ideal, in PIO cycles of 1 us", f"{worst_us:.2f}", "<= 1", worst_us <= 1, "Klipper 25 us", "",
        {"cycles": worst_us, "edges": len(errors)},
    )  # fmt: skip
    first, last = target.heap[0], target.heap[-1]
    percent = 100 * last / target.heap_bytes
    yield Figure(
        "heap in use after start, after an hour", f"{first:,} / {last:,} B", f"<= {HEAP_PERCENT} %",
        percent <= HEAP_PERCENT, f"{percent:.1f} % of {target.heap_bytes:,} B", "", {"start": first, "hour": last},
    )  # fmt: skip
    busy = 100 * target.busy_cycles / _CPU_HZ / (target.now_ms / 1000)
    yield Figure("CPU at work while infusing 1 mL/h", f"{busy:.2f} %", values={"percent": busy})
    yield Figure(
        "wall time of that hour and its preparation", f"{wall_s:.0f} s", "a minute or two", wall_s <= 120, "", "",
        {"wall_s": wall_s, "steps": len(target.trace.steps())},
    )  # fmt: skip


def _link() -> Iterator[Figure]:
    """A clinician at the link of a pump whose log is full: how long each thing takes, by the chip's clock."""
    bench_keys = keys.bench_keys()
    with Rp2040Target(THERAPY) as target:
        target.start(provision.bench_target_config(SERIAL, bench_keys))
        count = storage.fill_log(target.chip.mcu.flash)
        target.run_until(10 * POST_MS)
        pump = PumpClient(TargetTransport(target))
        pump.connect()

        def took_ms(do: Callable[[], object]) -> int:
            began_ms = target.now_ms
            do()
            return target.now_ms - began_ms

        ms = sum(took_ms(pump.state) for _ in range(ANSWERS)) / ANSWERS
        yield Figure("link, a question and its answer (`state`)", f"{ms:.0f} ms", values={"ms": ms})
        ms = took_ms(lambda: pump.log_on("clinician", bench_keys.clinician, "clinician"))
        yield Figure("link, log-on, one signature", f"{ms} ms", values={"ms": ms})
        values = figure_scenarios.written("1h", 1.0).prescription.model_dump()
        rx = {**values, **documents.pump_table_values({"syringe": "bd-10", "fill_ml": 10})}
        text = documents.prescription(rx, serial=SERIAL, patient="BENCH", sequence=1)
        ms = took_ms(lambda: pump.command("rx.load", sign.overridden_rx_params(text, bench_keys, SERIAL)))
        yield Figure("link, a prescription loaded, three signatures", f"{ms} ms", values={"ms": ms})
        blocks = pump.records(count - BLOCKS * MAX_RECORDS)
        ms = took_ms(lambda: [next(blocks) for _ in range(BLOCKS)])
        all_s = ms / 1000 * LOG_RECORDS / (BLOCKS * MAX_RECORDS)
        title = f"log of {LOG_RECORDS:,} records read out, by {BLOCKS} blocks of {MAX_RECORDS} of it"
        needs = "questions asked ahead, and 1.5 Mbaud: a block takes 45 ms on the wire and 24 ms to be made"
        yield Figure(
            title, f"{all_s:.1f} s", f"<= {LOG_S} s", all_s <= LOG_S, "CADD-Solis keeps 5000", needs,
            {"all_s": all_s, "block_ms": ms / BLOCKS},
        )  # fmt: skip


class _Hour(TracedTarget):
    """Keeps what the pump says of its heap: it measures at power-up and each hour."""

    def __init__(self, image: Path):
        super().__init__(image)
        self.heap: list[int] = []
        self.busy_cycles = 0
        self.heap_bytes = json.loads(image.with_suffix(".json").read_text(encoding="utf-8"))["heap"]["bytes"]

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        answer = super().exchange(line, timeout_ms)
        said = unframe(answer)[1].get("result", {})
        if isinstance(said, dict) and "heap_used" in said:
            self.heap.append(said["heap_used"])
        self.busy_cycles = self.chip.mcu.core.cycles
        return answer


def _edge_errors_ns(target: TracedTarget) -> Iterable[float]:
    """How far each step that was made is from where its grant puts it."""
    steps = iter(target.trace.steps())
    step = next(steps, None)
    for grant, following in zip(target.trace.grants, [*target.trace.grants[1:], None], strict=True):
        k = 0
        while step is not None and (following is None or step < following.ns):
            yield abs(step - grant.ns - (grant.first_us + k * grant.period_us) * 1000)
            k += 1
            step = next(steps, None)


def _single_calls() -> Iterator[Figure]:
    prompt = Repl(DEVELOPMENT)
    text = "x" * 900
    prescriber = keys.bench_keys().prescriber
    us = json.loads(prompt.run(_CALLS % (sign.signature_hex(text, prescriber), prescriber.modulus_hex, text)))
    prompt.close()
    yield Figure("a record appended to the log", f"{us['append'] / 1000:.1f} ms", values={"us": us["append"]})
    checked_ms = us["signature"] / 1000
    yield Figure("RSA-3072 signature checked", f"{checked_ms:.0f} ms", values={"ms": checked_ms})


_CALLS = """
import json, time, rp2
from boards import wiring
from pump.documents import signature
from pump.storage.records import KEY, RecordLog
log = RecordLog(rp2.Flash(start=wiring.LOG_START, len=wiring.LOG_LENGTH))
log.make_room()
began = time.ticks_us()
for i in range(20):
    log.append(1, KEY, i, 0, 0, 0, (2, 200))
append = time.ticks_diff(time.ticks_us(), began) // 20
signed, modulus, text = "%s", signature.public_key("%s", "key", "bench"), b"%s"
began = time.ticks_us()
signature.check(text, signed, modulus, "bench")
print(json.dumps({"append": append, "signature": time.ticks_diff(time.ticks_us(), began)}))
"""
