"""A whole pump and its link: the real core on a fake FRAM, two NOR flashes and a fake motor.

Runs in MicroPython and CPython. Time passes only in `run`, `at` and the keys.
"""

import gc
import json
import struct
from binascii import crc32

from pump.authority import trust
from pump.base.contacts import CONTACTS, DOOR, START_KEY, STOP_KEY, SYRINGE
from pump.base.units import USTEPS_PER_REV
from pump.controller import Controller
from pump.documents import provisioning
from pump.documents.people import CLINICIAN, Person
from pump.documents.signature import sha256_hex
from pump.link import framing
from pump.link.protocol import Server
from pump.panel.pending_confirmation import SEEN_MS
from pump.power_up import RESET_POWER
from pump.storage.records import FORMAT, TYPES, RecordLog
from pump.storage.vault import LIBRARY, PEOPLE, Vault

from support.portable import signed_vectors
from support.portable.nor_flash import NorFlash

SERIAL = "CB-0001"
RTC_S = 1_767_600_000
BORN_S = 1_000  # time at which the log-ons of `signed_vectors` are valid
ABOUT = {"build": "0123456789abcdef", "commit": "c0ffee", "board": "unix", "drivers": ["a", "b"]}

# (person, power-up, ordinal of the challenge): role, seed of the chain, signature
LOG_ONS = {
    ("okafor", 1, 1): ("clinician", "a", signed_vectors.OKAFOR_SIGNATURE),
    ("okafor", 1, 2): ("clinician", "b", signed_vectors.OKAFOR_AGAIN_SIGNATURE),
    ("okafor", 2, 1): ("clinician", "a", signed_vectors.OKAFOR_LATER_SIGNATURE),
    ("lind", 1, 1): ("service", "c", signed_vectors.LIND_SIGNATURE),
    ("lind", 1, 2): ("service", "c", signed_vectors.LIND_AGAIN_SIGNATURE),
    ("lind", 2, 1): ("service", "c", signed_vectors.LIND_LATER_SIGNATURE),
}
SIGNED_RX = {
    "document": signed_vectors.RX,
    "signatures": {
        "prescriber": {"by": "rossi", "signature": signed_vectors.RX_SIGNATURE},
        "second": {"by": "weber", "signature": signed_vectors.RX_SECOND},
    },
    "override": None,
}
SIGNED_STOP = {"document": signed_vectors.STOP, "by": "marsh", "signature": signed_vectors.STOP_SIGNATURE}
CLOCK = {"utc_s": 1_800_000_000}  # parameters of clock.set
SIGNED_ORDER = {"document": signed_vectors.ORDER, "by": "rossi", "signature": signed_vectors.ORDER_SIGNATURE}


def block_text(serial=SERIAL, bench="true", authority=signed_vectors.AUTHORITY):
    """The text of a provisioning block; `bench` is written as it is given."""
    return f'{{"serial":"{serial}","bench":{bench},"authority":"{authority}"}}'


def signature_bytes(digits):
    return int(digits, 16).to_bytes(384, "big")


class FakeFram:
    """32 kB FRAM; `budget` bytes until the power fails, None: never.

    A page that was never written takes no memory.
    """

    PAGE = 256

    def __init__(self):
        self.budget = None
        self._pages = [None] * (0x8000 // self.PAGE)

    def read_into(self, at, buf):
        for k in range(len(buf)):
            page = self._pages[(at + k) // self.PAGE]
            buf[k] = 0 if page is None else page[(at + k) % self.PAGE]

    def write(self, at, buf):
        size = len(buf) if self.budget is None else min(self.budget, len(buf))
        for k in range(size):
            number, place = divmod(at + k, self.PAGE)
            if self._pages[number] is None:
                self._pages[number] = bytearray(self.PAGE)
            self._pages[number][place] = buf[k]
        if self.budget is not None:
            self.budget -= size


class FakeMotor:
    """A step generator that makes each step on time by the pump's own clock."""

    gated = False

    def __init__(self):
        self.clock = None
        self.granted = 0  # steps granted since the start
        self.position = 0  # steps made before the grant in flight
        self._steps = 0
        self._sign = 1

    def enable(self, on):
        pass

    def grant(self, forward, first_us, period_us, steps):
        self.position = self.where()
        self._since = (self.clock.s, self.clock.ms)
        self._first_us, self._period_us, self._steps = first_us, period_us, steps
        self._sign = 1 if forward else -1
        self.granted += steps
        return True

    def made(self):
        if not self._steps:
            return 0
        us = ((self.clock.s - self._since[0]) * 1000 + self.clock.ms - self._since[1]) * 1000
        return 0 if us < self._first_us else min(self._steps, 1 + (us - self._first_us) // self._period_us)

    def busy(self):
        return self.made() < self._steps

    def where(self):
        """Microsteps from the first position."""
        return self.position + self._sign * self.made()

    def halt(self):
        made = self.made()
        self.position += self._sign * made
        self._steps = 0
        return made


class PumpRig:
    """A provisioned pump with people. `bench`: "true" or "false"; None: not provisioned."""

    def __init__(self, bench="true", people=3, library=None):
        gc.collect()
        self.fram, self.motor = FakeFram(), FakeMotor()
        self.log_flash, self.vault_flash = NorFlash(4), NorFlash()
        vault = Vault(self.vault_flash)
        if bench:
            provisioning.write(self.fram, block_text(bench=bench).encode())
        if people:
            signature = signature_bytes(signed_vectors.PEOPLE_3_SIGNATURE)
            vault.write(PEOPLE, people, signed_vectors.people(people).encode(), signature)
        if library:
            signature = signature_bytes(signed_vectors.LIBRARY_5_SIGNATURE)
            vault.write(LIBRARY, library, signed_vectors.library(library, 500).encode(), signature)
        self.power_on()

    def power_on(self):
        """Power on, and a new connection."""
        vault = Vault(self.vault_flash)
        believed = trust.restore(self.fram, vault)
        self.pump = Controller(self.motor, self.fram, RecordLog(self.log_flash), believed, vault)
        self.therapy, self.access = self.pump.therapy, self.pump.access
        self.motor.clock = self.therapy.clock
        self.pump.power_up.restore(RTC_S, True, RESET_POWER)
        for contact in range(CONTACTS):
            self.pump.front_panel.set_level(
                contact, int(contact not in (DOOR, SYRINGE) and contact != 4)
            )  # at rest; 4: pendant, NC
        self.pump.power_up.self_tested(-1)
        self.server = Server(self.pump, ABOUT, lambda: 0)
        self._number = self._id = self._asked = 0
        self.forget()
        self.at(BORN_S)
        return self

    # -- time

    def at(self, s):
        """Set the time to `s` without any wake-up."""
        self.therapy.clock.s, self.therapy.clock.ms = s, 0

    def run(self, ms):
        """Let `ms` pass; the pump is called at each of its wake-ups."""
        while ms > 0:
            wait_ms = min(self._step(), ms)
            self.therapy.clock.advance(wait_ms)
            ms -= wait_ms
        self._step()

    def _step(self):
        self.pump.monitors.sample_encoder(self.motor.where() * 4096 // USTEPS_PER_REV % 4096)
        wait_ms = self.pump.step()
        self.therapy.confirmation.drawn(self.therapy.confirmation.changes)
        return wait_ms

    # -- fingers

    def press(self, key, ms):
        """Hold a key for `ms`, after the time that the display must have been seen."""
        if self.therapy.confirmation.kind:
            self.run(SEEN_MS)
        clock = self.therapy.clock
        self.pump.front_panel.edge(key, 0, clock.s, clock.ms)
        self.run(ms)
        self.pump.front_panel.edge(key, 1, clock.s, clock.ms)
        self.run(100)

    def start(self):
        self.press(START_KEY, 200)

    def hold_start(self):
        """Confirm what waits: each of its pages is read, then START is held."""
        for _ in range(self.therapy.confirmation.pages):
            if self.therapy.confirmation.kind and not self.therapy.confirmation.is_on_last_page():
                self.start()
        self.press(START_KEY, 2_500)

    def stop(self):
        self.press(STOP_KEY, 200)

    # -- the link

    def line(self, request):
        """The next line of this connection, with `request` (dict)."""
        self._number += 1
        return framing.seal(self._number, body_of(request).encode())

    def request(self, method, params=None, auth=None, id=None):
        """A request as a dict, with the next id unless it is given."""
        if id is None:
            self._id += 1
            id = self._id
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}
        if auth is not None:
            request["auth"] = auth
        return request

    def send(self, request):
        """The answer to a request, as a dict."""
        return json.loads(framing.unseal(self.server.answer(self.line(request)))[1])

    def ask(self, method, params=None, auth=None, id=None):
        return self.send(self.request(method, params, auth, id))

    def reconnect(self):
        """Begin a new connection with the next line."""
        self._number = 0

    # -- people

    def forget(self):
        self.session, self._seed, self._n = "", "", 0

    def challenge(self, person):
        self._asked += 1
        return self.ask("access.challenge", {"person": person})["result"]["challenge"]

    def log_on_params(self, person):
        """The signed log-on of a person to a new challenge; valid for a minute."""
        challenge = self.challenge(person)
        role, self._next_seed, signature = LOG_ONS[(person, self.therapy.boot, self._asked)]
        return {"document": signed_vectors.log_on(challenge, person, role, self._next_seed), "signature": signature}

    def log_on(self, person, params=None):
        """Log a person on, with `params` signed before if given. Returns the result."""
        result = self.ask("access.log_on", params or self.log_on_params(person))["result"]
        self.session, self._seed, self._n = result["session"], self._next_seed, 0
        return result

    def auth(self, skip=0):
        """The auth of the next command of the session; `skip`: tokens lost before it."""
        self._n += 1 + skip
        return "%s.%d.%s" % (self.session, self._n, signed_vectors.token(self._seed, self._n))

    def tell(self, method, params=None, id=None):
        """Send a command of the session. Returns the answer."""
        return self.ask(method, params, self.auth(), id)

    # -- therapy

    def add_clinician(self):
        """marsh, who signs SIGNED_STOP, is a clinician of this pump too."""
        people = self.pump.trust.people
        people.persons += (Person("marsh", (CLINICIAN,), signed_vectors.STOPPER),)

    def end_therapy(self, id=None):
        """The session ends the therapy of RX with marsh's signed order. Returns the answer."""
        if not self.pump.trust.people.number_of("marsh"):
            self.add_clinician()
        return self.tell("therapy.stop", SIGNED_STOP, id)

    def prescribe(self):
        """okafor loads RX; the START key confirms it."""
        if not self.session:
            self.log_on("okafor")
        assert "result" in self.tell("rx.load", SIGNED_RX)
        self.hold_start()
        assert self.therapy.rx.document == signed_vectors.RX.encode()

    def infuse(self):
        """Start RX with the line taken as filled."""
        self.prescribe()
        self.therapy.primed = True
        self.start()
        assert self.therapy.infusing()

    # -- documents and records

    def send_document(self, kind, text, signature, digest=None):
        """Send begin, put ..., commit until one is refused. Returns the last answer."""
        told = self.tell if self.session else self.ask
        begin = {"kind": kind, "length": len(text), "signature": signature}
        begin["sha256"] = sha256_hex(text.encode()) if digest is None else digest
        said = told("document.begin", begin)
        for offset in range(0, len(text), 2_048):
            if "result" in said:
                said = told("document.put", {"offset": offset, "data": text[offset : offset + 2_048]})
        return told("document.commit") if "result" in said else said

    def records(self):
        """(name, payload) of every record."""
        first, data = self.therapy.event_log.read(0, 300)
        found = []
        for at in range(0, len(data), 64):
            fields = struct.unpack(FORMAT, data[at : at + 64])
            assert crc32(data[at : at + 60]) == fields[-1]
            found.append((TYPES[fields[2]][0], fields[9:16]))
        return found

    def noted(self, name):
        """Payloads of the records of one name."""
        return [payload for found, payload in self.records() if found == name]


def body_of(request):
    """A request (dict) as text, keys in a host's order: a dict of MicroPython keeps none."""
    keys = [key for key in ("jsonrpc", "id", "method", "params", "auth") if key in request]
    return "{" + ",".join('"%s":%s' % (key, json.dumps(request[key])) for key in keys) + "}"


def code_of(said):
    """Code of a refusal; None: the answer is a result."""
    return said["error"]["data"]["code"] if "error" in said else None
