"""Who is at the other end of the link: log-on by challenge and response, and what a person's role allows [SEC-01..04].

There is no secret on the pump, so none can be taken from it. A person proves who he is by signing the pump's challenge;
in what he signs is the end of a chain of hashes. Each command then shows the link of the chain before the last: easy to
check, impossible to guess, and good once. Therapy needs none of this to go on.
"""

from binascii import hexlify, unhexlify
from hashlib import sha256

from pump import form, records, signature
from pump.alarms import LINK
from pump.people import MAX_NAME
from pump.refusal import Refused
from pump.units import const

PATIENT = const(0)  # nobody has logged on
CLINICIAN = const(1)
SERVICE = const(2)
ROLES = ("patient", "clinician", "service")

IDLE_S = const(180)  # [SEC-04, OP EC24]
CHALLENGE_S = const(60)
TRIES = const(5)  # failures until log-on is closed [SEC-03]
FIRST_CLOSED_S = const(60)
LONGEST_CLOSED_S = const(3_600)
MOST_SKIPPED = const(64)  # commands that may be lost in a row
_TOKEN_DIGITS = const(64)

# Why a log-on ended, for the records
BY_PERSON = const(1)
BY_SILENCE = const(2)
BY_CONNECTION = const(3)
BY_PEOPLE = const(4)  # another people document
BY_OTHER = const(5)  # somebody else logged on

WHAT = "log_on"
FIELDS = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("serial", form.TEXT),
    ("challenge", form.TEXT),
    ("person", form.TEXT),
    ("role", form.TEXT),
    ("anchor", form.TEXT),
)


class Access:
    """Of one pump. `failures` and `closed_until_s` outlive a reset: they are part of the state in FRAM."""

    def __init__(self, core, trust):
        self._core = core
        self._trust = trust
        self.role = PATIENT
        self.person = ""
        self.session = ""
        self.is_lost = False  # a log-on ended by silence; whoever looks takes it back
        self._heard_s = 0
        self._last_token = b""
        self._last_n = 0
        self._challenge = ""
        self._challenge_s = 0
        self._asked = 0

    # -- log-on

    def challenge(self, person):
        """A text that `person` is to sign; good once, for CHALLENGE_S. Refused: access_closed, _not_provisioned."""
        core = self._core
        self._need_open()
        self._trust.need_provisioning("access")
        if len(person) > MAX_NAME:
            raise Refused("person_unknown", {"key": "person", "allowed": "1 to %d characters" % MAX_NAME})
        self._asked += 1
        fresh = "%s %d %d %d %d %s" % (
            self._trust.provisioning.serial, core.boot, core.clock.s, core.clock.ms, self._asked, person,
        )  # fmt: skip
        self._challenge = _hex(sha256(fresh.encode()).digest())[:32]
        self._challenge_s = core.clock.s
        return self._challenge

    def logging_on(self, document, signature_hex):
        """Work in pieces: checks the signed log-on and opens its session. Refused, counted and recorded otherwise."""
        self._need_open()
        challenge, self._challenge = self._challenge, ""  # good for one attempt, whatever comes of it
        try:
            values = form.read(form.as_bytes(document), WHAT, WHAT, FIELDS)
            self._check_values(values, challenge)
            key = self._trust.key(values["person"], values["role"], WHAT)
            yield from signature.checking(form.as_bytes(document), signature_hex, key, WHAT)
            if self._core.clock.s - self._challenge_s > CHALLENGE_S:
                raise Refused("log_on_challenge", {"key": "challenge", "do": "ask for a new one"})
        except Refused as refused:
            self._failed(refused)
            raise refused
        self._opened(values)

    def _check_values(self, values, challenge):
        serial = self._trust.provisioning.serial if self._trust.provisioning else None
        if values["serial"] != serial:
            raise Refused("log_on_serial", {"key": "serial", "held": values["serial"], "allowed": serial})
        if not challenge or values["challenge"] != challenge:
            raise Refused("log_on_challenge", {"key": "challenge", "do": "sign the one that was asked for last"})
        if values["role"] not in ROLES[1:]:
            allowed = ", ".join(ROLES[1:])
            raise Refused("log_on_role", {"key": "role", "held": values["role"], "allowed": allowed})
        _bytes_of(values["anchor"], "log_on_anchor")

    def _opened(self, values):
        core = self._core
        self.log_off(BY_OTHER)
        self.role = ROLES.index(values["role"])
        self.person = values["person"]
        self._last_token, self._last_n = unhexlify(values["anchor"]), 0
        self.session = _hex(sha256((values["challenge"] + values["anchor"]).encode()).digest())[:8]
        self._heard_s = core.clock.s
        self.is_lost = False
        if core.access_failures:
            core.access_failures = core.access_closed_until_s = 0
            core.save()
        core.alarms.condition_gone(LINK)
        core.diary.note(records.LOG_ON, (self.number, self.role))

    def _failed(self, refused):
        core = self._core
        core.access_failures += 1
        closed_s = 0
        if core.access_failures % TRIES == 0:
            doublings = min(core.access_failures // TRIES - 1, 6)
            closed_s = min(FIRST_CLOSED_S << doublings, LONGEST_CLOSED_S)
            core.access_closed_until_s = core.clock.s + closed_s
        core.save()
        core.diary.note(records.LOG_ON_REFUSED, (records.word_of(refused.code), core.access_failures, closed_s))

    def _need_open(self):
        left_s = self._core.access_closed_until_s - self._core.clock.s
        if left_s > 0:
            failures = self._core.access_failures
            detail = {"key": "log-on", "held": "%d failures" % failures, "do": "wait %d s" % left_s, "wait_s": left_s}
            raise Refused("access_closed", detail)

    # -- a session

    @property
    def number(self):
        """The person's place among the people, from 1; 0 for nobody."""
        return self._trust.people.number_of(self.person) if self.role and self._trust.people else 0

    def check(self, auth, roles):
        """Returns if `auth` (the text of a command, or None) is the next of the session, whose role is in `roles`.

        Refused: session_none, _other, _expired, _replayed, _token; role.
        """
        self.poll()
        session, n, token = _parts(auth)
        if self.role == PATIENT:
            code = "session_expired" if session == self.session and session else "session_none"
            raise Refused(code, {"key": "auth", "do": "log on"})
        if session != self.session:
            raise Refused("session_other", {"key": "auth", "held": session, "do": "log on"})
        if n <= self._last_n:
            allowed = "more than %d" % self._last_n
            raise Refused("session_replayed", {"key": "auth", "held": n, "allowed": allowed})
        if n - self._last_n > MOST_SKIPPED or _hashed(token, n - self._last_n) != self._last_token:
            raise Refused("session_token", {"key": "auth", "do": "log on anew"})
        self._last_token, self._last_n = token, n
        if self.role not in roles:
            allowed = " or ".join(ROLES[role] for role in roles)
            raise Refused("role", {"key": "role", "held": ROLES[self.role], "allowed": allowed})
        self._heard_s = self._core.clock.s

    def poll(self):
        """Ends a session that has been silent for IDLE_S. Called at every wake-up: allocates nothing until it does."""
        if self.role and self._core.clock.s - self._heard_s > IDLE_S:
            self.log_off(BY_SILENCE)
            self.is_lost = True

    def log_off(self, why):
        """Ends the session, if there is one. Its name is remembered, to tell an old one from one that never was."""
        if self.role:
            self._core.diary.note(records.LOG_OFF, (self.number, self.role, why))
        self.role, self.person = PATIENT, ""


def _parts(auth):
    """(session, n, token) of "session.n.token"."""
    if not isinstance(auth, str):
        raise Refused("session_none", {"key": "auth", "do": "log on: this command needs a role"})
    parts = auth.split(".")
    if len(parts) != 3 or not 1 <= len(parts[1]) <= 6 or not _are_in(parts[1], "0123456789"):
        raise Refused("session_token", {"key": "auth", "allowed": "session.n.token"})
    return parts[0], int(parts[1]), _bytes_of(parts[2], "session_token")


def _bytes_of(text, code):
    if len(text) == _TOKEN_DIGITS and _are_in(text, "0123456789abcdef"):
        return unhexlify(text)
    raise Refused(code, {"key": code, "allowed": "%d lower-case hex digits" % _TOKEN_DIGITS})


def _are_in(text, allowed):
    for letter in text:
        if letter not in allowed:
            return False
    return True


def _hashed(token, times):
    for _ in range(times):
        token = sha256(token).digest()
    return token


def _hex(data):
    return hexlify(data).decode()
