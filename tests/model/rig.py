"""The pump core on the ideal plant, with a clinician and a patient at it: the one place that knows its API.

The rig does what the main loop does (time, edges, readings, step, sleep) and keeps a tape of every record
that the pump writes, each with the true time. Times are true ms since the first power-up unless they are
said to be the pump's own.
"""

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from unittest.mock import patch

from cisterna.link.client import Tokens
from pump import alarms, limits, provisioning, records, trust, vault
from pump.core import STATES
from pump.ledger import BASAL, CLINICIAN, PCA
from pump.prescription import FIELDS
from pump.pump import RESET_POWER, Pump
from pump.refusal import Refused
from pump.signature import HEX_OF_MODULUS, SIGNATURE_BYTES, sha256_hex
from pump.units import pl_per_ustep
from pump.waiting import SEEN_MS
from pump.work import finish

from model.plant import ACK, DOOR, PCA_NC, PCA_NO, START, STOP, TICKS_PERIOD, Plant

SERIAL = "MODEL-1"
SIGNATURE = "0" * 2 * SIGNATURE_BYTES
PEOPLE = (("prescriber", "prescriber"), ("second", "second"), ("clinician", "clinician"), ("service", "service"))
ACCOUNTS = {"basal": BASAL, "pca": PCA, "clinician": CLINICIAN}
KEYS = {"start": START, "stop": STOP, "ack": ACK}
NO_TIME = records.NO_TIME


@dataclass
class Entry:
    """One record: when it was written, in true ms and in the pump's own, its type and its payload by name.

    `usteps` is what stood on the accounts of the ledger then, by their numbers; `run` the last run of the motor.
    """

    true_ms: int
    mono_ms: int
    what: str
    payload: dict
    usteps: list
    run: object


class Tape:
    """A log that never fails and forgets nothing, in the place of the flash."""

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
    """A check in one piece that every signature passes."""
    yield


@contextmanager
def signatures_believed():
    """Signatures have their own tests: here the document alone counts."""
    with patch("pump.signature.checking", _believed):
        yield


def _text(**values):
    """A flat document."""
    return json.dumps(values, separators=(",", ":"))


def _modulus(number):
    """A number that has the form of a public key, another for each `number`."""
    return HEX_OF_MODULUS % ((1 << 3071) + 2 * number + 1)


def _people():
    """The people of the ward, as their document."""
    head = _text(type="people", version=1, number=1, clinic="model")
    persons = [_text(name=name, roles=roles, key=_modulus(k)) for k, (name, roles) in enumerate(PEOPLE, 1)]
    return ("\n".join([head, *persons]) + "\n").encode()


_BLOCK = _text(serial=SERIAL, bench=True, authority=_modulus(0)).encode()
_VAULT = vault.image(people=(1, _people(), bytes(SIGNATURE_BYTES)))


class Rig:
    """A pump, its machine and the people at it."""

    def __init__(self, ticks_at_power_up_ms=0, syringe="bd-50", fill_ul=50_000):
        self.plant = Plant(ticks_at_power_up_ms)
        self.tape = Tape(self.plant)
        self.syringe, self.fill_ul = syringe, fill_ul
        self.sequence = 0
        provisioning.write(self.plant.fram, _BLOCK)
        self.plant.vault_flash.cells[: len(_VAULT)] = _VAULT
        self.after_wake = lambda: None
        self.boot()

    # --- power and time

    def boot(self, proven=True):
        """Power comes; the pump restores itself."""
        plant = self.plant
        documents = vault.Vault(plant.vault_flash)
        believed = trust.restore(plant.fram, documents)
        self.pump = Pump(plant.steps, plant.fram, self.tape, believed, documents)
        self.tape.ledger = self.pump.core.ledger
        self._ticks = plant.ticks_ms()
        self.pump.power_up(plant.rtc.unix_s(), proven, RESET_POWER)
        for contact, level in plant.contacts.levels.items():
            self.pump.settled(contact, level)
        self.pump.motor_powered(plant.encoder.read())
        self.pump.self_tested(-1)
        self._deadline_us = plant.now_us

    def cut(self, off_ms, proven=True, ticks_ms=0):
        """Power fails now and comes back after `off_ms`. `proven`: the RTC kept its supply."""
        plant = self.plant
        plant.cut_power()
        plant.now_us += off_ms * 1000
        plant.now_us -= plant.now_us % 1000
        plant.restore_power(ticks_ms)
        self.boot(proven)

    def run_until(self, t_ms):
        """Lets the pump live until `t_ms`; what is done next happens before its own tick at that time."""
        while self._deadline_us < t_ms * 1000:
            self.plant.now_us = max(self._deadline_us, self.plant.now_us)
            self.wake()
        self.plant.now_us = max(t_ms * 1000, self.plant.now_us)

    def run(self, ms):
        """Lets the pump live for `ms`."""
        self.run_until(self.plant.now_ms + ms)

    def wake(self):
        """One turn of the main loop at the present time."""
        plant, pump = self.plant, self.pump
        ticks = self._tell_time()
        self._feel()
        edge = [0, 0, 0]
        while plant.contacts.take(edge):
            ago_ms = (ticks - edge[2]) % TICKS_PERIOD
            s, ms = divmod(self.mono_ms() - ago_ms, 1000)
            pump.edge(edge[0], edge[1], s, ms)
        wait_ms = pump.step()
        assert 1 <= wait_ms <= 5000, f"the pump asks to sleep {wait_ms} ms"
        self._deadline_us = plant.now_us + wait_ms * 1000
        self.after_wake()

    def _tell_time(self):
        ticks = self.plant.ticks_ms()
        self.pump.core.clock.advance((ticks - self._ticks) % TICKS_PERIOD)
        self._ticks = ticks
        return ticks

    def _feel(self):
        plant, monitors = self.plant, self.pump.monitors
        monitors.feel_encoder(plant.encoder.read())
        monitors.feel_pressure(plant.pressure.read_pa(), plant.pressure.raw, plant.pressure.status)

    def _linked(self, call, *args):
        """Something comes over the link: it wakes the pump, is answered, and the pump looks again at once."""
        self.wake()
        try:
            with signatures_believed():
                return call(*args)
        finally:
            self.wake()

    def asked_at(self, t_ms, question):
        """The answer to a question over the link at `t_ms`: it is answered though the pump sleeps on."""
        self.plant.now_us = t_ms * 1000
        self._tell_time()
        return question()

    def mono_ms(self):
        """The pump's own time at its last wake-up."""
        clock = self.pump.core.clock
        return clock.s * 1000 + clock.ms

    def pump_ms_now(self):
        """The pump's own time, had it looked now."""
        return self.mono_ms() + (self.plant.ticks_ms() - self._ticks) % TICKS_PERIOD

    # --- people

    def contact(self, index, level):
        """A contact moves now; its interrupt wakes the pump."""
        self.plant.contacts.set(index, level)
        self.wake()

    def key(self, name, hold_ms=200):
        """A finger on a key of the pump, of somebody who has seen what the display asks."""
        if self.pump.core.waiting.kind:
            self.run(SEEN_MS)
        self.contact(KEYS[name], 0)
        self.run(hold_ms)
        self.contact(KEYS[name], 1)
        self.run(60)

    def press(self, hold_ms=200):
        """The patient presses now and lets go."""
        self.contact(PCA_NO, 0)
        self.contact(PCA_NC, 1)
        self.run(hold_ms)
        self.contact(PCA_NO, 1)
        self.contact(PCA_NC, 0)
        self.run(60)

    def door(self, open_):
        self.contact(DOOR, 1 if open_ else 0)

    def load(self, rx):
        """Loads the model prescription `rx`. Returns the code of the refusal, or None."""
        self.sequence += 1
        signatures = {role: {"by": role, "signature": SIGNATURE} for role in ("prescriber", "second")}
        try:
            self._linked(lambda: finish(self.pump.loading(self._document(rx), signatures, None)))
        except Refused as refused:
            return refused.code
        return None

    def prescribe(self, rx):
        """Loads, confirms, primes an empty line, starts. Returns the code of the refusal, or None."""
        code = self.load(rx)
        if code is not None:
            return code
        self.key("start", 2500)
        if not self.pump.core.primed:
            self.prime()
            while not self.pump.core.primed:
                self.run(1000)
        self.key("start", 200)
        return None

    def prime(self):
        """Begins to fill the line."""
        self._linked(self.pump.prime)
        self.key("start", 200)

    def order(self, ug, over_s):
        """A clinician's bolus is ordered. Returns the reason it was refused for, or None: then it waits for the key."""
        self.sequence += 1
        text = _text(
            type="clinician_bolus", version=1, serial=SERIAL, sequence=self.sequence,
            rx=self.pump.core.rx.hash8, ug=ug, over_s=over_s,
        )  # fmt: skip
        return reason_name(self._linked(lambda: finish(self.pump.ordering(text, "prescriber", SIGNATURE))))

    def clinician_bolus(self, ug, over_s):
        """Ordered, and given with a finger if it may be. Returns the reason it was refused for, or None."""
        reason = self.order(ug, over_s)
        if reason is None:
            self.key("start")
            reason = reason_name(self.last("clinician_decision").payload["reason"])
        return reason

    def log_on(self, role="clinician"):
        """The person of that role logs on."""
        self._linked(self._log_on, role)

    def _log_on(self, role):
        access = self.pump.access
        text = _text(
            type="log_on", version=1, serial=SERIAL, challenge=access.challenge(role),
            person=role, role=role, anchor=Tokens(1).anchor,
        )  # fmt: skip
        finish(access.logging_on(text, SIGNATURE))

    def put_document(self, kind, text):
        """Service loads a document of the authority. Returns the code of the refusal, or None."""
        try:
            self._linked(self._put_document, kind, text)
        except Refused as refused:
            return refused.code
        return None

    def _put_document(self, kind, text):
        enrolment = self.pump.enrolment
        enrolment.need_rest()
        enrolment.begin(kind, len(text), sha256_hex(text.encode()), SIGNATURE)
        for at in range(0, len(text), 2048):
            enrolment.put(at, text[at : at + 2048])
        finish(enrolment.committing())

    def pause(self):
        self._linked(self.pump.pause)

    def cancel(self):
        self._linked(self.pump.cancel)

    def set_clock(self, utc_s):
        """Somebody sets the wall clock; a pump whose RTC has lost its time refuses that."""
        with suppress(Refused):
            self._linked(self.pump.intake.set_clock, utc_s)

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

    # --- what is seen

    @property
    def state(self):
        """Name of the state."""
        return STATES[self.pump.core.state]

    def last(self, what):
        """The newest record of a type."""
        return next(entry for entry in reversed(self.tape.entries) if entry.what == what)

    def flying(self):
        """True while a grant is in flight."""
        return self.pump.core.motion.flying

    def booked_usteps(self):
        """Everything on the ledger that should have left the syringe, priming included."""
        return self.pump.core.ledger.drawn_usteps()

    def remaining_nl(self):
        return self.pump.core.reservoir.remaining_nl()

    def grant_usteps(self):
        """The most usteps that a grant may hold: 1 uL, or one."""
        return max(1, 1_000_000 // pl_per_ustep(self.syringe))

    def told_end_ms(self, kind):
        """The pump's ms at which it says that the last bolus of `kind` ended."""
        lockouts = self.pump.core.lockouts
        s, ms = lockouts.pca_end if kind == "pca" else lockouts.any_end
        return s * 1000 + ms


# --- the pump's numbers by name


def reason_name(number):
    """A reason, None for accepted."""
    return limits.REASONS[number]


def bolus_kind(number):
    return records.KINDS[number]


def action_name(number):
    """What an alarm does: "stop", "no_bolus" or "none"."""
    return alarms.ACTIONS[number]


def state_name(number):
    return STATES[number]
