"""A whole pump and its link: the real core on a memory, two flashes and a motor that a test can look into.

Runs on MicroPython as on CPython. Time passes only as a test lets it pass.
"""

import gc
import json
import struct
from binascii import crc32

import _vectors
from _flash import Flash
from pump import line, provisioning, trust
from pump.protocol import Server
from pump.pump import CONTACTS, DOOR, RESET_POWER, START_KEY, STOP_KEY, SYRINGE, Pump
from pump.records import FORMAT, TYPES, RecordLog
from pump.signature import sha256_hex
from pump.units import USTEPS_PER_REV
from pump.vault import LIBRARY, PEOPLE, Vault
from pump.waiting import SEEN_MS

SERIAL = "CB-0001"
BORN_S = 1_000  # when the log-ons of _vectors are good
ABOUT = {"build": "0123456789abcdef", "commit": "c0ffee", "board": "unix", "drivers": ["a", "b"]}

# (person, power-up, how manieth challenge of it): role, seed of the chain, signature
LOG_ONS = {
    ("okafor", 1, 1): ("clinician", "a", _vectors.OKAFOR_SIGNATURE),
    ("okafor", 1, 2): ("clinician", "b", _vectors.OKAFOR_AGAIN_SIGNATURE),
    ("okafor", 2, 1): ("clinician", "a", _vectors.OKAFOR_LATER_SIGNATURE),
    ("lind", 1, 1): ("service", "c", _vectors.LIND_SIGNATURE),
    ("lind", 1, 2): ("service", "c", _vectors.LIND_AGAIN_SIGNATURE),
    ("lind", 2, 1): ("service", "c", _vectors.LIND_LATER_SIGNATURE),
}
SIGNED_RX = {
    "document": _vectors.RX,
    "signatures": {
        "prescriber": {"by": "rossi", "signature": _vectors.RX_SIGNATURE},
        "second": {"by": "weber", "signature": _vectors.RX_SECOND},
    },
    "override": None,
}
SIGNED_ORDER = {"document": _vectors.ORDER, "by": "rossi", "signature": _vectors.ORDER_SIGNATURE}


def block_text(serial=SERIAL, bench="true", authority=_vectors.AUTHORITY):
    """The text of a provisioning block; `bench` is written as it is given."""
    return f'{{"serial":"{serial}","bench":{bench},"authority":"{authority}"}}'


def signature_bytes(digits):
    return int(digits, 16).to_bytes(384, "big")


class Fram:
    """32 kB that keep each byte as it is written; `budget` bytes until the power fails, None: it does not.

    Pages that were never written take no memory.
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


class Motor:
    """A step generator that makes each step at its time, by the pump's own clock."""

    gated = False

    def __init__(self):
        self.clock = None
        self.granted = 0  # steps that were ever granted
        self.position = 0  # steps that were made before the grant in flight
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
        """Microsteps from where it began."""
        return self.position + self._sign * self.made()

    def halt(self):
        made = self.made()
        self.position += self._sign * made
        self._steps = 0
        return made


class Rig:
    """A pump of the clinic's: provisioned, with its people. `bench`: "true" or "false"; None: not provisioned."""

    def __init__(self, bench="true", people=3, library=None):
        gc.collect()
        self.fram, self.motor = Fram(), Motor()
        self.log_flash, self.vault_flash = Flash(4), Flash()
        vault = Vault(self.vault_flash)
        if bench:
            provisioning.write(self.fram, block_text(bench=bench).encode())
        if people:
            signature = signature_bytes(_vectors.PEOPLE_3_SIGNATURE)
            vault.write(PEOPLE, people, _vectors.people(people).encode(), signature)
        if library:
            signature = signature_bytes(_vectors.LIBRARY_5_SIGNATURE)
            vault.write(LIBRARY, library, _vectors.library(library, 500).encode(), signature)
        self.power_on()

    def power_on(self):
        """Power comes back, or comes for the first time; somebody opens the link."""
        vault = Vault(self.vault_flash)
        believed = trust.restore(self.fram, vault)
        self.pump = Pump(self.motor, self.fram, RecordLog(self.log_flash), believed, vault)
        self.core, self.access = self.pump.core, self.pump.access
        self.motor.clock = self.core.clock
        self.pump.power_up(0, False, RESET_POWER)
        for contact in range(CONTACTS):
            self.pump.settled(contact, int(contact not in (DOOR, SYRINGE) and contact != 4))  # at rest; 4: pendant, NC
        self.pump.self_tested(-1)
        self.server = Server(self.pump, ABOUT, lambda: 0)
        self._number = self._id = self._asked = 0
        self.forget()
        self.at(BORN_S)
        return self

    # -- time

    def at(self, s):
        """It is now `s`, and nothing happened on the way."""
        self.core.clock.s, self.core.clock.ms = s, 0

    def run(self, ms):
        """`ms` pass; the pump is called whenever it wants to be."""
        while ms > 0:
            wait_ms = min(self._step(), ms)
            self.core.clock.advance(wait_ms)
            ms -= wait_ms
        self._step()

    def _step(self):
        self.pump.monitors.feel_encoder(self.motor.where() * 4096 // USTEPS_PER_REV % 4096)
        return self.pump.step()

    # -- fingers

    def press(self, key, ms):
        """A key is held so long, by somebody who has seen what the display asks."""
        if self.core.waiting.kind:
            self.run(SEEN_MS)
        clock = self.core.clock
        self.pump.edge(key, 0, clock.s, clock.ms)
        self.run(ms)
        self.pump.edge(key, 1, clock.s, clock.ms)
        self.run(100)

    def start(self):
        self.press(START_KEY, 200)

    def hold_start(self):
        self.press(START_KEY, 2_500)

    def stop(self):
        self.press(STOP_KEY, 200)

    # -- the link

    def line(self, request):
        """The next line of this connection with `request` (dict) in it."""
        self._number += 1
        return line.seal(self._number, body_of(request).encode())

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
        return json.loads(line.unseal(self.server.answer(self.line(request)))[1])

    def ask(self, method, params=None, auth=None, id=None):
        return self.send(self.request(method, params, auth, id))

    def reconnect(self):
        """The next line begins a new connection."""
        self._number = 0

    # -- people

    def forget(self):
        self.session, self._seed, self._n = "", "", 0

    def challenge(self, person):
        self._asked += 1
        return self.ask("access.challenge", {"person": person})["result"]["challenge"]

    def log_on_params(self, person):
        """The signed log-on of a person to the challenge that is asked for now; good for a minute."""
        challenge = self.challenge(person)
        role, self._next_seed, signature = LOG_ONS[(person, self.core.boot, self._asked)]
        return {"document": _vectors.log_on(challenge, person, role, self._next_seed), "signature": signature}

    def log_on(self, person, params=None):
        """A person logs on, with what was signed before if that is given; the result."""
        result = self.ask("access.log_on", params or self.log_on_params(person))["result"]
        self.session, self._seed, self._n = result["session"], self._next_seed, 0
        return result

    def auth(self, skip=0):
        """What the next command of the session shows; `skip`: as if so many had been lost."""
        self._n += 1 + skip
        return "%s.%d.%s" % (self.session, self._n, _vectors.token(self._seed, self._n))

    def tell(self, method, params=None, id=None):
        """A command of who has logged on; the answer."""
        return self.ask(method, params, self.auth(), id)

    # -- therapy

    def prescribe(self):
        """okafor loads RX, and somebody at the pump confirms it."""
        if not self.session:
            self.log_on("okafor")
        assert "result" in self.tell("rx.load", SIGNED_RX)
        self.hold_start()
        assert self.core.rx.document == _vectors.RX.encode()

    def infuse(self):
        """RX runs; the line is taken as filled."""
        self.prescribe()
        self.core.primed = True
        self.start()
        assert self.core.infusing()

    # -- what is left of it

    def send_document(self, kind, text, signature, digest=None):
        """The last answer to begin, put ..., commit: each is sent if the one before was not refused."""
        told = self.tell if self.session else self.ask
        begin = {"kind": kind, "length": len(text), "signature": signature}
        begin["sha256"] = sha256_hex(text.encode()) if digest is None else digest
        said = told("document.begin", begin)
        for offset in range(0, len(text), 2_048):
            if "result" in said:
                said = told("document.put", {"offset": offset, "data": text[offset : offset + 2_048]})
        return told("document.commit") if "result" in said else said

    def records(self):
        """(name, payload) of every record there is."""
        first, data = self.core.diary.read(0, 300)
        found = []
        for at in range(0, len(data), 64):
            fields = struct.unpack(FORMAT, data[at : at + 64])
            assert crc32(data[at : at + 60]) == fields[-1]
            found.append((TYPES[fields[2]][0], fields[9:16]))
        return found

    def noted(self, name):
        """The payloads of the records of a name."""
        return [payload for found, payload in self.records() if found == name]


def body_of(request):
    """A request (dict) as text. In a host's order, the auth last: a dict of MicroPython has none."""
    keys = [key for key in ("jsonrpc", "id", "method", "params", "auth") if key in request]
    return "{" + ",".join('"%s":%s' % (key, json.dumps(request[key])) for key in keys) + "}"


def code_of(said):
    """The pump's word of an answer that refuses; None if it does not."""
    return said["error"]["data"]["code"] if "error" in said else None
