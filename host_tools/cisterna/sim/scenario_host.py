"""The host's side of a scenario: its link to the pump, the log-on, the records, and the pump's clock."""

import base64
import math
from collections.abc import Callable, Iterator
from typing import Any

from cisterna.errors import LinkSilent, TargetFailed
from cisterna.link.protocol import MAX_RECORDS
from cisterna.link.records import Chain, Record
from cisterna.pharmacy import keys, provision
from cisterna.sim import bench_pharmacy
from cisterna.sim.clinician import Clinician
from cisterna.sim.scenario_model import Scenario
from cisterna.sim.script_player import Ask, Script, ScriptPlayer, WaitUntil
from cisterna.sim.trace import Row

T0_MS = 900_000  # world time of t = 0, unless priming takes longer
PRIME_UL_PER_S = 10_000 / 3600 * 0.8  # the pump primes at 10 mL/h; 20 % margin
PRIME_LASH_MS = 150_000  # for the backlash of the screw, and for up to 29 uL at 1 mL/h, the probe of priming
WAIT_MS = 100  # interval at which a script polls whether the link is free
PREPARE_MS = 200_000  # from power-up to the confirmed prescription, and from connection to start


def planned_t0_ms(deadspace_ul: float) -> int:
    """World time of t = 0, the first start of delivery, ms: late enough for the line to be primed."""
    return max(T0_MS, PREPARE_MS + prime_ms(deadspace_ul))


def prime_ms(deadspace_ul: float) -> int:
    """The longest time that priming of `deadspace_ul` may take, ms, in whole seconds."""
    return math.ceil(deadspace_ul / PRIME_UL_PER_S) * 1000 + PRIME_LASH_MS


class ScenarioHost:
    """One pump on one target, from power-up on.

    clinician    who acts on the pump over the link and at its keys
    orders       clinician's boluses that wait or waited for START: when each was asked for, boot, number of the next
                 record before it was loaded
    chain        the records that were read, with their hash chain
    refusals     the summary's list of refused actions
    rows         rows of the trace
    state        the last answer to `state`
    booked_base  the answer to `state` just before t = 0
    """

    def __init__(self, scenario: Scenario, target: Any):
        self.scenario = scenario
        self.target = target
        self.player = ScriptPlayer(target)
        self.t0_ms = planned_t0_ms(scenario.pump.deadspace_ul)
        self.end_ms = self.t0_ms + scenario.duration_ms
        self.chain = Chain()
        self.refusals: list[dict[str, Any]] = []
        self.orders: list[tuple[int, int, int]] = []
        self.rows: list[Row] = []
        self.booked_base: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.power_back_ms = 0  # world time at which the last power cut ends
        self._boot_zero_ms: dict[int, int] = {}  # boot -> world ms at the pump's monotonic 0
        self._keys = keys.bench_keys()
        self.clinician = Clinician(
            self.player, self._keys, lambda: self.powered, lambda: target.truth()["reboots"], self.utc_s
        )
        self.pharmacy = bench_pharmacy.BenchPharmacy(self._keys, scenario.pump, scenario.prescription.model_dump())

    def target_config(self) -> dict[str, Any]:
        """The configuration for `Target.start`."""
        scenario, rx = self.scenario, self.scenario.prescription
        return {
            "seed": scenario.seed,
            "ticks_at_power_up_ms": scenario.ticks_at_power_up_ms,
            "rtc_unix_s": scenario.clock_unix_s - self.t0_ms // 1000,  # `clock` is the wall clock at t = 0
            "pump": scenario.pump.model_dump(),
            "drug": rx.drug,
            "concentration_ug_per_ml": rx.concentration_ug_per_ml,
            **provision.bench_target_config(bench_pharmacy.SERIAL, self._keys),
        }

    # --- time

    def utc_s(self) -> int:
        """The time of day on the clinician's computer, Unix s."""
        return self.scenario.clock_unix_s + (self.player.now_ms - self.t0_ms) // 1000

    def scenario_ms(self, boot: int, mono_ms: int) -> int:
        """Scenario time, ms, of the pump's monotonic time in a boot. An unknown boot continues the one before."""
        known = [number for number in self._boot_zero_ms if number <= boot] or list(self._boot_zero_ms)
        return mono_ms + self._boot_zero_ms[max(known)] - self.t0_ms

    def moment_ms(self, record: Record) -> int:
        return self.scenario_ms(record.boot, record.mono_ms)

    def moment_s(self, record: Record) -> float:
        return self.moment_ms(record) / 1000

    # --- the link

    @property
    def powered(self) -> bool:
        return bool(self.target.truth()["powered"])

    def ask_state(self) -> Script:
        """Request `state`, and estimate from it the world time at the zero of the pump's monotonic clock."""
        answer = yield Ask("state")
        state = answer.result
        at_zero_ms = answer.arrived_ms - state["mono_s"] * 1000 - state["mono_ms"]
        # The pump may read a request late but never early: no estimate is too high, and the highest is the best.
        self._boot_zero_ms[state["boot"]] = max(at_zero_ms, self._boot_zero_ms.get(state["boot"], at_zero_ms))
        self.state = state
        self.pharmacy.in_force(state["rx"])
        return state

    def drain(self) -> Script:
        """Read all new records. A silent pump is no error: the next call reads them."""
        try:
            yield from self.ask_state()
            taken = MAX_RECORDS
            while taken == MAX_RECORDS:
                first = self.chain.next_sequence
                answer = yield Ask("records.read", {"from": first, "max": MAX_RECORDS})
                taken = answer.result["count"]
                if first == self.chain.next_sequence:  # else another script has read them meanwhile
                    self.chain.add(base64.b64decode(answer.result["data"]))
        except LinkSilent:
            return

    def add_refusal(self, t_ms: int, do: str, code: str) -> None:
        """Add an action `do` of scenario time `t_ms` that failed with `code` to the refusals."""
        self.refusals.append({"t": t_ms / 1000, "do": do, "code": code})

    def by_clinician(self, t_ms: int, do: str, script: Callable[[], Script]) -> Script:
        """Play a clinician's action; a refusal, or a pump without power, becomes an entry of `refusals`."""
        return self.clinician.act(do, script, lambda code: self.add_refusal(t_ms, do, code))

    def every(self, period_ms: int, script: Callable[[], Script]) -> None:
        """Play `script` at t = 0 and then every `period_ms`, up to the end."""

        def repeat(at_ms: int) -> None:
            self.player.play(script())
            if at_ms + period_ms <= self.end_ms:
                self.player.at(at_ms + period_ms, lambda: repeat(at_ms + period_ms))

        self.player.at(self.t0_ms, lambda: repeat(self.t0_ms))

    def row(self) -> Script:
        """Add a row of the trace: the world now, and the pump's state.

        A clinician's script has the link to itself; the row's request waits, so that a trace changes no timing.
        """
        truth = self.target.truth()
        t_s = (self.player.now_ms - self.t0_ms) / 1000
        while self.clinician.busy:
            yield WaitUntil(self.player.now_ms + WAIT_MS)
        state = "off"
        if truth["powered"]:
            try:
                yield from self.ask_state()
                state = self.state["state"]
            except LinkSilent:
                state = "self_test" if self.powered else "off"
        booked_ul = self.booked_ul() if t_s else 0.0  # at t = 0 the answer includes the first grant
        figures = (truth["pumped_ul"], truth["delivered_ul"], booked_ul, truth["pressure_kpa"])
        pumped_ul, delivered_ul, booked_ul, pressure_kpa = (round(figure, 3) for figure in figures)
        self.rows.append(Row(t_s, pumped_ul, delivered_ul, booked_ul, pressure_kpa, state))

    def booked_ul(self) -> float:
        """The pump's ledger since t = 0, uL, by the last `state`."""
        return self._booked_since_start("booked_nl") / 1000

    def booked_ug(self) -> float:
        """As `booked_ul`, in ug."""
        return self._booked_since_start("booked_ng") / 1000

    def _booked_since_start(self, key: str) -> int:
        """0 before the first answer. A pump that never answered before t = 0 had booked nothing by then."""
        return self.state.get(key, 0) - self.booked_base.get(key, 0)

    def check_alive(self, truth: dict[str, Any]) -> None:
        """TargetFailed if the firmware ended with an error. truth: of `Target.truth`."""
        if truth["firmware_error"]:
            last = truth["firmware_error"].strip().splitlines()[-1]
            raise TargetFailed(f"{self.target.name}: the firmware ended with an error: {last}")

    def records_until(self, end_ms: int) -> Iterator[Record]:
        """Records up to the scenario time `end_ms`."""
        return (record for record in self.chain.records if self.moment_ms(record) <= end_ms)
