"""Access over the link: log-on by challenge and response, a token per command, the roles of a person [SEC-01..04].

The pump holds no secret. A person logs on by signing the pump's challenge together with an anchor: the end of a chain
of SHA-256 hashes. Each command carries a token, an element of the chain before the last one shown: easy to check,
impossible to guess, valid once. The therapy runs on without a log-on.
"""

from binascii import hexlify, unhexlify
from hashlib import sha256

from pump.base.refusal import Refused
from pump.base.text import consists_of
from pump.base.units import const
from pump.documents import fields, people, signature
from pump.monitoring.alarms import LINK
from pump.storage import records
from pump.storage.journal import RTC_EPOCH_S as OLDEST_S

PATIENT = const(0)  # no session
CLINICIAN = const(1)
SERVICE = const(2)
ROLES = ("patient", people.CLINICIAN, people.SERVICE)  # names of the roles above

IDLE_S = const(180)  # a session without a command ends after this time [SEC-04, OP EC24]
CHALLENGE_S = const(60)  # validity of a challenge
MOST_SKIPPED = const(64)  # greatest step of n from one command to the next: lost commands in a row
_TOKEN_DIGITS = const(64)

# Why a session ended, for the records
BY_PERSON = const(1)  # access.log_off
BY_SILENCE = const(2)  # IDLE_S without a command
# 3, in the records of earlier firmware: a new connection began
BY_PEOPLE = const(4)  # a new people document was loaded
BY_OTHER = const(5)  # another log-on

TYPE = "log_on"
PREFIX = TYPE  # of the refusal codes
FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("serial", fields.TEXT),
    ("challenge", fields.TEXT),
    ("person", fields.TEXT),
    ("role", fields.TEXT),
    ("anchor", fields.TEXT),
)
TIME_KEY = "utc_since_2020_s"  # of a host that knows the time; a log-on without it is valid, too


class Access:
    """The one session of a pump.

    role          PATIENT, CLINICIAN or SERVICE
    person        name of the person logged on, "" for none
    session       name of the newest session, 8 hex digits; also after its end
    is_timed_out  True after a session ended by silence; the reader resets it
    signed_utc_s  Unix s that a clinician signed with the newest log-on; 0: none

    Failed log-ons are counted in `therapy.log_on_attempts`.
    """

    def __init__(self, therapy, trust):
        self._therapy = therapy
        self._trust = trust
        self.role = PATIENT
        self.person = ""
        self.session = ""
        self.is_timed_out = False
        self.signed_utc_s = 0
        self._last_command_s = 0  # monotonic
        self._last_token = b""  # 32 bytes
        self._last_n = 0  # the number in its auth
        self._challenge = ""  # "" when none is valid
        self._challenge_s = 0  # monotonic
        self._challenges = 0  # count since the reset

    # -- log-on

    def challenge(self, person):
        """The text that `person` must sign to log on: 32 hex digits, valid once, for CHALLENGE_S.

        Refused: access_closed, access_not_provisioned, person_unknown.
        """
        therapy = self._therapy
        self._need_open()
        self._trust.need_provisioning("access")
        if len(person) > people.MAX_NAME:
            raise Refused("person_unknown", {"key": "person", "allowed": "1 to %d characters" % people.MAX_NAME})
        self._challenges += 1
        fresh = "%s %d %d %d %d %s" % (
            self._trust.provisioning.serial, therapy.boot, therapy.clock.s, therapy.clock.ms, self._challenges, person,
        )  # fmt: skip
        self._challenge = _hex(sha256(fresh.encode()).digest())[:32]
        self._challenge_s = therapy.clock.s
        return self._challenge

    def log_on_in_pieces(self, document, signature_hex):
        """Work in pieces: checks the signed log-on `document` and opens a session. A failure is counted and recorded.

        Refused: access_closed, log_on_*, person_*, people_absent.
        """
        self._need_open()
        challenge, self._challenge = self._challenge, ""  # valid for one attempt
        try:
            text = fields.as_bytes(document)
            known = FIELDS + ((TIME_KEY, fields.POSITIVE),) if TIME_KEY.encode() in text else FIELDS
            values = fields.read(text, PREFIX, TYPE, known)
            self._check_values(values, challenge)
            key = self._trust.key(values["person"], values["role"], PREFIX)
            yield from signature.check_in_pieces(fields.as_bytes(document), signature_hex, key, PREFIX)
            if self._therapy.clock.s - self._challenge_s > CHALLENGE_S:
                raise Refused("log_on_challenge", {"key": "challenge", "do": "request a new challenge"})
        except Refused as refused:
            self._note_failure(refused)
            raise refused
        self._open_session(values)

    def _check_values(self, values, challenge):
        serial = self._trust.provisioning.serial if self._trust.provisioning else None
        if values["serial"] != serial:
            raise Refused("log_on_serial", {"key": "serial", "held": values["serial"], "allowed": serial})
        if not challenge or values["challenge"] != challenge:
            raise Refused("log_on_challenge", {"key": "challenge", "do": "sign the newest challenge"})
        if values["role"] not in ROLES[1:]:
            allowed = ", ".join(ROLES[1:])
            raise Refused("log_on_role", {"key": "role", "held": values["role"], "allowed": allowed})
        _bytes_of(values["anchor"], "log_on_anchor")

    def _open_session(self, values):
        therapy = self._therapy
        self.log_off(BY_OTHER)
        self.role = ROLES.index(values["role"])
        self.person = values["person"]
        self._last_token, self._last_n = unhexlify(values["anchor"]), 0
        self.session = _hex(sha256((values["challenge"] + values["anchor"]).encode()).digest())[:8]
        self.keep_alive()
        self.is_timed_out = False
        since_2020_s = values.get(TIME_KEY) if self.role == CLINICIAN else None
        self.signed_utc_s = OLDEST_S + since_2020_s if since_2020_s else 0
        if therapy.log_on_attempts.succeeded():
            therapy.save()
        therapy.alarms.condition_gone(LINK)
        therapy.event_log.note(records.LOG_ON, (self.number, self.role))

    def keep_alive(self):
        """The session's silence begins now."""
        self._last_command_s = self._therapy.clock.s

    def _note_failure(self, refused):
        therapy = self._therapy
        closed_s = therapy.log_on_attempts.failed(therapy.clock.s)
        therapy.save()
        words = (records.word_of(refused.code), therapy.log_on_attempts.failures, closed_s)
        therapy.event_log.note(records.LOG_ON_REFUSED, words)

    def _need_open(self):
        attempts = self._therapy.log_on_attempts
        left_s = attempts.closed_for_s(self._therapy.clock.s)
        if left_s > 0:
            failures = attempts.failures
            detail = {"key": "log-on", "held": "%d failures" % failures, "do": "wait %d s" % left_s, "wait_s": left_s}
            raise Refused("access_closed", detail)

    # -- a session

    @property
    def number(self):
        """1-based index of the person in the people document; 0: no session or not found."""
        return self._trust.people.number_of(self.person) if self.role and self._trust.people else 0

    def is_named_in(self, auth):
        """True if `auth` (str or None) of a command names the newest session, or the ended one; does not check it."""
        return isinstance(auth, str) and self.session != "" and auth.startswith(self.session + ".")

    def accepts(self, auth):
        """True if `auth` (str or None) fits the session, whatever its role; a valid token is spent."""
        try:
            self.check(auth, (CLINICIAN, SERVICE))
        except Refused:
            return False
        return True

    def check(self, auth, roles):
        """Returns if `auth` (str or None) of a command fits the session and the session's role is in `roles`.

        A valid token is spent, also if the role is refused.
        Refused: session_none, session_other, session_expired, session_replayed, session_token, role.
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
            raise Refused("session_token", {"key": "auth", "do": "log on again"})
        self._last_token, self._last_n = token, n
        if self.role not in roles:
            allowed = " or ".join(ROLES[role] for role in roles)
            raise Refused("role", {"key": "role", "held": ROLES[self.role], "allowed": allowed})
        self._last_command_s = self._therapy.clock.s

    def poll(self):
        """Ends the session after IDLE_S without a command. Called at every wake-up; allocates only when it ends one."""
        if self.role and self._therapy.clock.s - self._last_command_s > IDLE_S:
            self.log_off(BY_SILENCE)
            self.is_timed_out = True

    def take_timed_out(self):
        """True once after a session ended by silence."""
        timed_out, self.is_timed_out = self.is_timed_out, False
        return timed_out

    def log_off(self, why):
        """Ends and records the session, if there is one; `why`: BY_*. `session` keeps its name, for session_expired."""
        if self.role:
            self._therapy.event_log.note(records.LOG_OFF, (self.number, self.role, why))
        self.role, self.person = PATIENT, ""


def _parts(auth):
    """(session, n, token) of the text "session.n.token"; token as 32 bytes. Refused: session_none, session_token."""
    if not isinstance(auth, str):
        raise Refused("session_none", {"key": "auth", "do": "log on: this command needs a role"})
    parts = auth.split(".")
    if len(parts) != 3 or not 1 <= len(parts[1]) <= 6 or not consists_of(parts[1], "0123456789"):
        raise Refused("session_token", {"key": "auth", "allowed": "session.n.token"})
    return parts[0], int(parts[1]), _bytes_of(parts[2], "session_token")


def _bytes_of(text, code):
    """The 32 bytes of `text`, 64 lower-case hex digits. Refused: `code`."""
    if len(text) == _TOKEN_DIGITS and consists_of(text, "0123456789abcdef"):
        return unhexlify(text)
    raise Refused(code, {"key": code, "allowed": "%d lower-case hex digits" % _TOKEN_DIGITS})


def _hashed(token, times):
    """SHA-256 of `token`, repeated `times`."""
    for _ in range(times):
        token = sha256(token).digest()
    return token


def _hex(data):
    return hexlify(data).decode()
