"""The pump core on the ideal plant, with a clinician and a patient: the one place that knows the core's interface.

The rig does what the main loop does (time, edges, readings, step, sleep) and keeps a tape of every record, each with
the true time. Times are true ms since the first power-up unless named as the pump's own.
"""

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from unittest.mock import patch

from cisterna.link.protocol import Tokens
from pump.authority import trust
from pump.base.pieces import finish
from pump.base.refusal import Refused
from pump.base.states import NAMES as STATES
from pump.base.units import pl_per_ustep
from pump.controller import Controller
from pump.delivery.ledger import BASAL, CLINICIAN, PCA
from pump.documents import provisioning
from pump.documents.signature import HEX_OF_MODULUS, SIGNATURE_BYTES, sha256_hex
from pump.dosing import limits
from pump.monitoring import alarms
from pump.panel.inputs import STEADY_MS
from pump.panel.pending_confirmation import SEEN_MS
from pump.power_up import RESET_POWER
from pump.prescribing.prescription import FIELDS
from pump.storage import records, vault

from support.therapy.ideal_plant import ACK, DOOR, PCA_NC, PCA_NO, START, STOP, SYRINGE, TICKS_PERIOD, IdealPlant

SERIAL = "MODEL-1"
RTC_EVERY_S = 60  # as the main loop reads it
SIGNATURE = "0" * 2 * SIGNATURE_BYTES
PEOPLE = (("prescriber", "prescriber"), ("second", "second"), ("clinician", "clinician"), ("service", "service"))
ACCOUNTS = {"basal": BASAL, "pca": PCA, "clinician": CLINICIAN}
KEYS = {"start": START, "stop": STOP, "ack": ACK}
NO_TIME = records.NO_TIME
SETTLED_MS = 30_000  # after priming, several times the time constant of the line in the air


@dataclass
class Entry:
    """One record: time in true ms and in the pump's own, type, payload by name.

    `usteps`: accounts of the ledger at that time, by number. `run`: the last run of the motor.
    """

    true_ms: int
    mono_ms: int
    what: str
    payload: dict
    usteps: list
    run: object


class RecordTape:
    """A log in place of the flash that never fails and keeps everything."""

    def __init__(self, plant):
        self.plant = plant
        self.ledger = None  # of the pump that writes
        self.entries = []
        self.next_sequence = 0

    def append(self, boot, kind, s, ms, utc_s, rx_hash, payload, flags=0):
        what, names = records.TYPES[kind]
        words = dict(zip(names, list(payload) + [0] * len(names), strict=False))
        usteps = list(self.ledger.usteps)
        run = self.plant.runs[-1] if self.plant.runs else None
        self.entries.append(Entry(self.plant.now_ms, s * 1000 + ms, what, words, usteps, run))
        self.next_sequence += 1
        return self.next_sequence - 1

    def room_wanted(self):
        return False

    def read(self, first, most):
        return first, b""


def _believed(message, signature_hex, modulus, what):
    """A signature check in one piece that accepts every signature."""
    yield


@contextmanager
def signatures_believed():
    """Every signature is valid: signatures have their own tests."""
    with patch("pump.documents.signature.check_in_pieces", _believed):
        yield


def _text(**values):
    """A flat document."""
    return json.dumps(values, separators=(",", ":"))


def _modulus(number):
    """A number in the form of a public key, different for each `number`."""
    return HEX_OF_MODULUS % ((1 << 3071) + 2 * number + 1)


def _people():
    """The people document."""
    head = _text(type="people", version=1, number=1, clinic="model")
    persons = [_text(name=name, roles=roles, key=_modulus(k)) for k, (name, roles) in enumerate(PEOPLE, 1)]
    return ("\n".join([head, *persons]) + "\n").encode()


_BLOCK = _text(serial=SERIAL, bench=True, authority=_modulus(0)).encode()
_VAULT = vault.image(people=(1, _people(), bytes(SIGNATURE_BYTES)))


class TherapyRig:
    """A pump, its machine and the people at it."""

    def __init__(self, ticks_at_power_up_ms=0, syringe="bd-50", fill_ul=50_000):
        self.plant = IdealPlant(ticks_at_power_up_ms)
        self.tape = RecordTape(self.plant)
        self.syringe, self.fill_ul = syringe, fill_ul
        self.sequence = 0
        self.orders_ng = {}  # pump's ms of a clinician's order -> its mass
        provisioning.write(self.plant.fram, _BLOCK)
        self.plant.vault_flash.cells[: len(_VAULT)] = _VAULT
        self.after_wake = lambda: None
        self.guarded = False  # between two turns no dose variable may change: only what people do reaches the pump
        self.boot()

    # --- power and time

    def boot(self, proven=True):
        """Power on: the pump restores its state."""
        plant = self.plant
        documents = vault.Vault(plant.vault_flash)
        believed = trust.restore(plant.fram, documents)
        self.pump = Controller(plant.steps, plant.fram, self.tape, believed, documents)
        self.tape.ledger = self.pump.therapy.ledger
        self._ticks = plant.ticks_ms()
        self.pump.power_up.restore(plant.rtc.unix_s(), proven, RESET_POWER)
        for contact, level in plant.contacts.levels.items():
            self.pump.front_panel.set_level(contact, level)
        self.pump.power_up.motor_powered(plant.encoder.read())
        self.pump.power_up.self_tested(-1)
        self._rtc_kept, self._rtc_s = proven, self.pump.therapy.clock.s
        self._deadline_us = plant.now_us

    def cut(self, off_ms, proven=True, ticks_ms=0):
        """Cut the power for `off_ms`. `proven`: the RTC kept its supply."""
        plant = self.plant
        plant.cut_power()
        plant.now_us += off_ms * 1000
        plant.now_us -= plant.now_us % 1000
        plant.restore_power(ticks_ms)
        self.boot(proven)

    def run_until(self, t_ms):
        """Run the pump until `t_ms`; the next action comes before the pump's own tick at that time."""
        while self._deadline_us < t_ms * 1000:
            self.plant.now_us = max(self._deadline_us, self.plant.now_us)
            self.wake()
        self.plant.now_us = max(t_ms * 1000, self.plant.now_us)

    def run(self, ms):
        """Run the pump for `ms`."""
        self.run_until(self.plant.now_ms + ms)

    def wake(self):
        """One turn of the main loop now."""
        plant, pump = self.plant, self.pump
        if self.guarded:
            assert pump.guard.is_whole(True), "a dose variable has changed in its sleep"
        ticks = self._advance_clock()
        self._sample()
        edge, moved = [0, 0, 0], False
        while plant.contacts.take(edge):
            moved = True
            ago_ms = (ticks - edge[2]) % TICKS_PERIOD
            s, ms = divmod(self.mono_ms() - ago_ms, 1000)
            pump.front_panel.edge(edge[0], edge[1], s, ms)
        wait_ms = pump.step()
        if pump.therapy.clock.s - self._rtc_s >= RTC_EVERY_S:
            self._rtc_s = pump.therapy.clock.s
            pump.rtc_read(plant.rtc.unix_s(), self._rtc_kept)
        pump.therapy.confirmation.drawn(pump.therapy.confirmation.changes)
        assert 1 <= wait_ms <= 5000, f"the pump asks to sleep {wait_ms} ms"
        self._deadline_us = plant.now_us + wait_ms * 1000
        pump.seal(moved)
        self.after_wake()

    def _advance_clock(self):
        ticks = self.plant.ticks_ms()
        self.pump.therapy.clock.advance((ticks - self._ticks) % TICKS_PERIOD)
        self._ticks = ticks
        return ticks

    def _sample(self):
        plant, monitors = self.plant, self.pump.monitors
        plant.pressure.nl_per_ustep = self.pump.therapy.ledger.pl_step / 1000
        monitors.sample_encoder(plant.encoder.read())
        monitors.sample_pressure(plant.pressure.read_pa(), plant.pressure.raw, plant.pressure.status)

    def _linked(self, call, *args):
        """A request over the link: wakes the pump, is answered, and the pump runs another turn."""
        self.wake()
        try:
            with signatures_believed():
                return call(*args)
        finally:
            self.pump.seal(True)
            self.wake()

    def answer_at(self, t_ms, question):
        """Answer to a question over the link at `t_ms`, without a wake-up."""
        self.plant.now_us = t_ms * 1000
        self._advance_clock()
        self.pump.seal(True)
        return question()

    def mono_ms(self):
        """The pump's own time at its last wake-up."""
        clock = self.pump.therapy.clock
        return clock.s * 1000 + clock.ms

    def pump_ms_now(self):
        """The pump's own time if it woke up now."""
        return self.mono_ms() + (self.plant.ticks_ms() - self._ticks) % TICKS_PERIOD

    # --- people

    def contact(self, index, level):
        """Set a contact; its interrupt wakes the pump."""
        self.plant.contacts.set(index, level)
        self.wake()

    def key(self, name, hold_ms=200):
        """Hold a key, after the time that the display must have been seen."""
        if self.pump.therapy.confirmation.kind:
            self.wake()  # which draws it
            self.run(SEEN_MS)
        self.contact(KEYS[name], 0)
        self.run(hold_ms)
        self.contact(KEYS[name], 1)
        self.run(60)

    def hold_start(self):
        """Confirm what waits: each of its pages is read, then START is held."""
        confirmation = self.pump.therapy.confirmation
        for _ in range(confirmation.pages):
            if confirmation.kind and not confirmation.is_on_last_page():
                self.key("start")
        self.key("start", 2500)

    def press(self, hold_ms=200):
        """Press the pendant for `hold_ms`."""
        self.contact(PCA_NO, 0)
        self.contact(PCA_NC, 1)
        self.run(hold_ms)
        self.contact(PCA_NO, 1)
        self.contact(PCA_NC, 0)
        self.run(60)

    def door(self, open_):
        """Open or close the door, and wait until the pump is certain that it does not bounce."""
        self.contact(DOOR, 1 if open_ else 0)
        self.run(STEADY_MS + 1)

    def load(self, rx):
        """Load the model prescription `rx`. Returns the code of the refusal, or None."""
        self.sequence += 1
        signatures = {role: {"by": role, "signature": SIGNATURE} for role in ("prescriber", "second")}
        try:
            self._linked(lambda: finish(self.pump.load_prescription_in_pieces(self._document(rx), signatures, None)))
        except Refused as refused:
            return refused.code
        return None

    def prescribe(self, rx):
        """Load, confirm, prime an empty line and join it, start. Returns the code of the refusal, or None."""
        code = self.load(rx)
        if code is not None:
            return code
        self.hold_start()
        if not self.pump.therapy.primed:
            self.prime()
            while not self.pump.therapy.primed:
                self.run(1000)
            self.run(SETTLED_MS)
            self.plant.pressure.is_joined = True
        self.key("start", 200)
        return None

    def clamp(self, open_):
        """Open or close the clamp of the syringe, and wait until the pump is certain of it."""
        self.contact(SYRINGE, 1 if open_ else 0)
        self.run(STEADY_MS + 1)

    def refill(self, rx, fill_ul=None):
        """Say that the syringe of `rx` is in the holder. Returns the code of the refusal, or None."""
        words = (fill_ul or self.fill_ul, None, rx.drug, rx.concentration_ug_per_ml, self.syringe)
        try:
            self._linked(self.pump.clinician_actions.refill, *words)
        except Refused as refused:
            return refused.code
        return None

    def exchange(self, rx, fill_ul=None):
        """Exchange the syringe through the clamp for that of `rx`, and tell the pump. Code of the refusal, or None."""
        self.clamp(True)
        self.clamp(False)
        return self.refill(rx, fill_ul)

    def prime(self):
        """Take the line off the catheter, arm priming and start it by the key."""
        self.plant.pressure.take_off()
        self._linked(self.pump.start_stop.make_ready_to_prime)
        self.key("start", 200)

    def order(self, ug, over_s):
        """Order a clinician's bolus. Returns the reason of the refusal; None: the order waits for the START key."""
        if self.pump_ms_now() in self.orders_ng:
            self.run(1)
        self.orders_ng[self.pump_ms_now()] = ug * 1000
        self.sequence += 1
        text = _text(
            type="clinician_bolus", version=1, serial=SERIAL, sequence=self.sequence,
            rx=self.pump.therapy.rx.hash8, ug=ug, over_s=over_s,
        )  # fmt: skip
        return reason_name(
            self._linked(
                lambda: finish(self.pump.clinician_actions.order_bolus_in_pieces(text, "prescriber", SIGNATURE))
            )
        )

    def clinician_bolus(self, ug, over_s):
        """Order a bolus and press START. Returns the reason of the refusal, or None."""
        reason = self.order(ug, over_s)
        if reason is None:
            self.key("start")
            reason = reason_name(self.last("clinician_decision").payload["reason"])
        return reason

    def log_on(self, role="clinician"):
        """Log the person of that role on."""
        self._linked(self._log_on, role)

    def _log_on(self, role):
        access = self.pump.access
        text = _text(
            type="log_on", version=1, serial=SERIAL, challenge=access.challenge(role),
            person=role, role=role, anchor=Tokens(1).anchor,
        )  # fmt: skip
        finish(access.log_on_in_pieces(text, SIGNATURE))

    def put_document(self, kind, text):
        """Load a document of the authority as service. Returns the code of the refusal, or None."""
        try:
            self._linked(self._put_document, kind, text)
        except Refused as refused:
            return refused.code
        return None

    def _put_document(self, kind, text):
        document_loading = self.pump.document_loading
        document_loading.need_stopped()
        document_loading.begin(kind, len(text), sha256_hex(text.encode()), SIGNATURE)
        for at in range(0, len(text), 2048):
            document_loading.put(at, text[at : at + 2048])
        finish(document_loading.commit_in_pieces())

    def pause(self):
        self._linked(self.pump.start_stop.pause)

    def cancel(self):
        self._linked(self.pump.start_stop.end_therapy, 1)

    def set_clock(self, utc_s):
        """Set the wall clock; a pump whose RTC has lost its time refuses."""
        with suppress(Refused):
            self._linked(self.pump.clinician_actions.set_clock, utc_s)

    def _document(self, rx):
        stated = {key: getattr(rx, key) for key, _ in FIELDS if hasattr(rx, key)}
        stated.update(
            type="prescription", version=1, serial=SERIAL, patient="model", sequence=self.sequence,
            route="intrathecal", site="lumbar", syringe=self.syringe, fill_ul=self.fill_ul, deadspace_ul=300,
            compliance_nl_per_kpa=9000, equiv_prev_ug_per_day=getattr(rx, "equiv_prev_ug_per_day", None),
            flow_nl_per_h=rx.basal_ug_per_day * 1_000_000 // (24 * rx.concentration_ug_per_ml),
        )  # fmt: skip
        values = {key: "none" if stated[key] is None else stated[key] for key, _ in FIELDS}
        return _text(**values)

    # --- state

    @property
    def state(self):
        """Name of the state."""
        return STATES[self.pump.therapy.state]

    def last(self, what):
        """The newest record of type `what`."""
        return next(entry for entry in reversed(self.tape.entries) if entry.what == what)

    def in_flight(self):
        """True while a grant is in flight."""
        return self.pump.therapy.motion.in_flight

    def booked_usteps(self):
        """usteps on the ledger that should have left the syringe, priming included."""
        return self.pump.therapy.ledger.drawn_usteps()

    def remaining_nl(self):
        return self.pump.therapy.reservoir.remaining_nl()

    def grant_usteps(self):
        """The most usteps that a grant may hold: 1 uL, or one."""
        return max(1, 1_000_000 // pl_per_ustep(self.syringe))

    def reported_end_ms(self, kind):
        """Pump's ms at which the last bolus of `kind` ended, as the pump has it."""
        lockouts = self.pump.therapy.lockouts
        s, ms = lockouts.pca_end if kind == "pca" else lockouts.any_end
        return s * 1000 + ms


# --- the pump's numbers by name


def reason_name(number):
    """Name of a reason; None: accepted."""
    return limits.REASONS[number]


def bolus_kind(number):
    return records.KINDS[number]


def action_name(number):
    """Action of an alarm: "stop", "no_bolus" or "none"."""
    return alarms.ACTIONS[number]


def state_name(number):
    return STATES[number]
