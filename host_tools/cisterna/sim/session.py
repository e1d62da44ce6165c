"""One pump on one target, from power-up on: what the host knows of it, and how the host talks to it."""

import base64
import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

from cisterna.errors import LinkSilent, PumpRefused, TargetFailed
from cisterna.link.client import Tokens
from cisterna.link.records import BLOCK, Chain, Record
from cisterna.pharmacy import documents, keys, provision, sign
from cisterna.sim import clinic
from cisterna.sim.agenda import Agenda, Ask, At, Script
from cisterna.sim.schema import Scenario
from cisterna.sim.trace import Row

T0_MS = 900_000  # world time of t = 0, unless the line takes longer to fill
PRIME_UL_PER_S = 10_000 / 3600 * 0.8  # 10 mL/h at most; a fifth to spare
PRIME_LASH_MS = 30_000  # and half a minute for the lash of the screw
WAIT_MS = 100  # how often a trace row looks whether the link is free
PREPARE_MS = 200_000  # power-up to prescription confirmed, and connected to started


def planned_t0_ms(deadspace_ul: float) -> int:
    """World time in ms of the first start of delivery: late enough to have the line filled."""
    return max(T0_MS, PREPARE_MS + prime_ms(deadspace_ul))


def prime_ms(deadspace_ul: float) -> int:
    """How long the filling of the line may take, ms, in whole seconds."""
    return math.ceil(deadspace_ul / PRIME_UL_PER_S) * 1000 + PRIME_LASH_MS


class Session:
    """What the host knows of the pump of a scenario."""

    def __init__(self, scenario: Scenario, target: Any):
        self.scenario = scenario
        self.target = target
        self.agenda = Agenda(target)
        self.t0_ms = planned_t0_ms(scenario.pump.deadspace_ul)
        self.end_ms = self.t0_ms + scenario.duration_ms
        self.chain = Chain()
        self.refusals: list[dict[str, Any]] = []
        self.rows: list[Row] = []
        self.booked_base: dict[str, Any] = {}  # the pump's `state` just before t = 0
        self.state: dict[str, Any] = {}  # the last one heard
        self._acting = 0  # clinicians at work on the link
        self._at_the_door = False  # one of them is logging on or off
        self._is_logged_on = False
        self._boots: dict[int, int] = {}  # boot -> world ms at the pump's monotonic 0
        self._keys = keys.bench_keys()
        self.clinic = clinic.Clinic(self._keys, scenario.pump, scenario.prescription.model_dump())

    def target_config(self) -> dict[str, Any]:
        """What the target is built from."""
        scenario, rx = self.scenario, self.scenario.prescription
        return {
            "seed": scenario.seed,
            "ticks_at_power_up_ms": scenario.ticks_at_power_up_ms,
            "rtc_unix_s": scenario.clock_unix_s - self.t0_ms // 1000,  # `clock` is the wall clock at t = 0
            "pump": scenario.pump.model_dump(),
            "drug": rx.drug,
            "concentration_ug_per_ml": rx.concentration_ug_per_ml,
            **provision.bench_target_config(clinic.SERIAL, self._keys),
        }

    # --- time

    def scenario_ms(self, boot: int, mono_ms: int) -> int:
        """The pump's monotonic time as ms of the scenario. A boot never heard from counts on."""
        known = [number for number in self._boots if number <= boot] or list(self._boots)
        return mono_ms + self._boots[max(known)] - self.t0_ms

    def moment_ms(self, record: Record) -> int:
        return self.scenario_ms(record.boot, record.mono_ms)

    def moment_s(self, record: Record) -> float:
        return self.moment_ms(record) / 1000

    # --- talking

    @property
    def powered(self) -> bool:
        return bool(self.target.truth()["powered"])

    def ask_state(self) -> Script:
        """The pump's `state`; learns what its clock showed on the way."""
        answer = yield Ask("state")
        state = answer.result
        at_zero_ms = answer.there_ms - state["mono_s"] * 1000 - state["mono_ms"]
        # A question can be read late, never early, so no estimate is too high and the highest is the best.
        self._boots[state["boot"]] = max(at_zero_ms, self._boots.get(state["boot"], at_zero_ms))
        self.state = state
        return state

    def drain(self) -> Script:
        """Read all records the pump has. Silence is no error: the next drain reads them."""
        try:
            yield from self.ask_state()
            taken = BLOCK
            while taken == BLOCK:
                first = self.chain.next_sequence
                answer = yield Ask("records.read", {"from": first, "max": BLOCK})
                taken = answer.result["count"]
                if first == self.chain.next_sequence:  # else another drain has read them meanwhile
                    self.chain.add(base64.b64decode(answer.result["data"]))
        except LinkSilent:
            return

    def refuse(self, t_ms: int, do: str, code: str) -> None:
        """A clinician's action came to nothing."""
        self.refusals.append({"t": t_ms / 1000, "do": do, "code": code})

    def guarded(self, t_ms: int, do: str, script: Callable[[], Script]) -> Script:
        """A clinician's action over the link: no pump, or its refusal, becomes an entry of `refusals`."""
        if not self.powered:
            self.refuse(t_ms, do, "off")
            return
        try:
            yield from self.as_clinician(script)
        except PumpRefused as refusal:
            self.refuse(t_ms, do, refusal.code)
        except LinkSilent:
            self.refuse(t_ms, do, "link" if self.powered else "off")

    def as_clinician(self, script: Callable[[], Script]) -> Script:
        """Play `script` with the clinician logged on. Who comes while she is shares her session; the last logs off."""
        self._acting += 1
        try:
            yield from self._log_on()
            result = yield from script()
        except PumpRefused:
            yield from self._leave()
            raise
        except LinkSilent:  # a pump that does not answer has lost power, and the session with it
            self._is_logged_on = False
            yield from self._leave()
            raise
        yield from self._leave()
        return result

    def _log_on(self) -> Script:
        """The clinician signs the pump's challenge, unless she is logged on already."""
        while self._at_the_door:
            yield At(self.agenda.now_ms + WAIT_MS)
        if self._is_logged_on:
            return
        self._at_the_door = True
        try:
            person = "clinician"
            challenge = (yield Ask("access.challenge", {"person": person})).result["challenge"]
            tokens = Tokens()
            text = documents.log_on(
                serial=clinic.SERIAL, challenge=challenge, person=person, role="clinician", anchor=tokens.anchor
            )
            params = {"document": text, "signature": sign.signature_hex(text, self._keys.clinician)}
            opened = (yield Ask("access.log_on", params)).result
            self.agenda.logged_on(opened["session"], tokens)
            self._is_logged_on = True
        finally:
            self._at_the_door = False

    def _leave(self) -> Script:
        """One who acted is done. The last logs off; a session that is over already needs it no more."""
        if self._acting == 1 and self._is_logged_on:
            self._at_the_door = True
            with contextlib.suppress(PumpRefused, LinkSilent):
                yield Ask("access.log_off")
            self._is_logged_on = self._at_the_door = False
            self.agenda.logged_off()
        self._acting -= 1

    def every(self, period_ms: int, script: Callable[[], Script]) -> None:
        """Play `script` at t = 0 and each period after it, up to the end."""

        def turn(at_ms: int) -> None:
            self.agenda.play(script())
            if at_ms + period_ms <= self.end_ms:
                self.agenda.at(at_ms + period_ms, lambda: turn(at_ms + period_ms))

        self.agenda.at(self.t0_ms, lambda: turn(self.t0_ms))

    def row(self) -> Script:
        """One row of the trace: the world at this instant, and what the pump says of it.

        Whoever acts has the link to himself: a trace changes no moment of what it looks at.
        """
        truth = self.target.truth()
        t_s = (self.agenda.now_ms - self.t0_ms) / 1000
        while self._acting:
            yield At(self.agenda.now_ms + WAIT_MS)
        state = "off"
        if truth["powered"]:
            try:
                yield from self.ask_state()
                state = self.state["state"]
            except LinkSilent:
                state = "self_test" if self.powered else "off"
        booked_ul = self.booked_ul() if t_s else 0.0  # when the answer comes, the first grant is booked already
        figures = (truth["pumped_ul"], truth["delivered_ul"], booked_ul, truth["pressure_kpa"])
        self.rows.append(Row(t_s, *(round(figure, 3) for figure in figures), state))

    def booked_ul(self) -> float:
        """The pump's ledger since t = 0, uL, as last heard."""
        return (self.state["booked_nl"] - self.booked_base["booked_nl"]) / 1000

    def booked_ug(self) -> float:
        return (self.state["booked_ng"] - self.booked_base["booked_ng"]) / 1000

    def check_alive(self, truth: dict[str, Any]) -> None:
        """TargetFailed when the firmware ended with an error of its own."""
        if truth["firmware_error"]:
            last = truth["firmware_error"].strip().splitlines()[-1]
            raise TargetFailed(f"{self.target.name}: the firmware ended with an error: {last}")

    def records_until(self, end_ms: int) -> Iterator[Record]:
        """Records up to this moment of the scenario, ms."""
        return (record for record in self.chain.records if self.moment_ms(record) <= end_ms)
