"""What can be asked and told over the link: one method of JSON-RPC each, with who may call it.

A question changes nothing and needs nobody. A command needs a person's role. What carries a dose, or says who may,
is signed besides, and becomes true only by a finger on the pump: nothing remote raises a dose [decision 11, SEC-07].
"""

from binascii import b2a_base64

from pump import limits
from pump.access import BY_PERSON, CLINICIAN, ROLES, SERVICE
from pump.core import STATES
from pump.ledger import BASAL, CREDIT, EXCESS, PCA, PRIME
from pump.ledger import CLINICIAN as CLINICIAN_ACCOUNT
from pump.provisioning import fingerprint
from pump.refusal import Refused
from pump.trust import FROM_DOCUMENT, FROM_IMAGE
from pump.units import const

MAX_RECORDS = const(48)  # 3 kB, 4 kB as text
RECORD_BYTES = const(64)

ANYBODY = ()  # roles of a method that needs nobody
_CLINICIAN = (CLINICIAN,)
_SERVICE = (SERVICE,)
_BOTH = (CLINICIAN, SERVICE)


class BadParams(Exception):
    """Parameters that are missing or of another kind: the text says which."""


class Methods:
    """Of one pump. `about`: what does not change, for `hello`. `heap_used()`: bytes, as last measured.

    questions  {name: function of the parameters}
    commands   {name: (roles, function)}

    A function returns a dict, or a generator that does so: work in pieces.
    """

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        self._about = about
        self._heap_used = heap_used
        self._owned = self._authority = None  # a provisioning, and the fingerprint of its key: 50 ms to make
        self.questions = {
            "hello": self._hello,
            "state": self._state,
            "rx.read": self._rx_read,
            "records.read": self._records_read,
        }
        self.commands = {
            "access.challenge": (ANYBODY, self._challenge),
            "access.log_on": (ANYBODY, self._log_on),
            "access.log_off": (_BOTH, self._log_off),
            "therapy.pause": (_BOTH, self._pause),
            "therapy.stop": (_BOTH, self._stop),
            "rx.load": (_CLINICIAN, self._rx_load),
            "prime": (_CLINICIAN, self._prime),
            "bolus.clinician": (_CLINICIAN, self._clinician),
            "reservoir.refill": (_CLINICIAN, self._refill),
            "clock.set": (_BOTH, self._clock_set),
            "provision.load": (ANYBODY, self._provision),
            "document.begin": (_SERVICE, self._document_begin),
            "document.put": (_SERVICE, self._document_put),
            "document.commit": (_SERVICE, self._document_commit),
            "image.bootsel": (_SERVICE, self._bootsel),
        }
        self.names = tuple(sorted(self.commands))  # numbered in the records

    def roles_of(self, name):
        """Who may call a command now. As long as there are no people, their document needs no person."""
        roles = self.commands[name][0]
        if roles is _SERVICE and name.startswith("document.") and self._pump.trust.people is None:
            return ANYBODY
        return roles

    # -- questions

    def _hello(self, params):
        core, trust, access = self._pump.core, self._pump.trust, self._pump.access
        known = trust.provisioning
        if known is not self._owned:
            self._owned, self._authority = known, fingerprint(known.authority) if known else None
        about = dict(self._about)
        about.update({
            "serial": known.serial if known else None,
            "bench": bool(known and known.bench),
            "authority": self._authority,
            "people": trust.people_number or None,
            "people_hash": trust.people_hash if trust.people else None,
            "library": None if trust.is_library_lost else trust.library_number,
            "library_hash": None if trust.is_library_lost else trust.library_hash,
            "library_source": FROM_DOCUMENT if trust.library_number else FROM_IMAGE,
            "session": {"person": access.person, "role": ROLES[access.role]} if access.role else None,
            "self_test": self._pump.self_test,
            "boot": core.boot,
            "mono_s": core.clock.s,
            "mono_ms": core.clock.ms,
        })  # fmt: skip
        return about

    def _state(self, params):
        pump, core = self._pump, self._pump.core
        ledger = core.ledger
        rx = core.rx
        upcoming = pump.boluses.next_pca()
        staged = pump.intake.staged
        return {
            "state": STATES[core.state],
            "boot": core.boot,
            "mono_s": core.clock.s,
            "mono_ms": core.clock.ms,
            "booked_nl": ledger.booked_nl(),
            "booked_ng": ledger.booked_ng(),
            "booked": {
                "basal_nl": ledger.volume_nl(BASAL),
                "pca_nl": ledger.volume_nl(PCA),
                "clinician_nl": ledger.volume_nl(CLINICIAN_ACCOUNT),
                "excess_nl": ledger.volume_nl(EXCESS),
                "credit_nl": ledger.volume_nl(CREDIT),
            },
            "primed_nl": ledger.volume_nl(PRIME),
            "primed": core.primed,
            "remaining_nl": core.reservoir.remaining_nl(),
            "flow_nl_per_h": core.flow_nl_per_h,
            "rx": rx.hash8 if rx else None,
            "rx_seq": core.sequence,
            "staged": staged.hash8 if staged else None,
            "needs_rx": core.needs_rx,
            "alarms": core.alarms.active_codes(),
            "next_possible": list(upcoming) if upcoming is not limits.NEVER else None,
            "next_seq": core.diary.next_sequence,
            "utc_s": core.diary.wall_s(),
            "pressure_pa": core.pressure_pa,
            "heap_used": self._heap_used(),
        }

    def _rx_read(self, params):
        staged = self._pump.intake.staged
        if staged is None:
            raise Refused("rx_none_staged", {"key": "prescription", "do": "load one first"})
        return self._readback(staged)

    def _records_read(self, params):
        most = min(MAX_RECORDS, max(1, _param(params, "max", int)))
        first, data = yield from self._pump.core.diary.reading(_param(params, "from", int), most)
        text = b2a_base64(data).decode().rstrip()
        return {"first": first, "count": len(data) // RECORD_BYTES, "data": text}

    @staticmethod
    def _readback(rx):
        return {"hash": rx.hash8, "values": rx.values(), "warnings": list(rx.soft_limits)}

    # -- log-on

    def _challenge(self, params):
        return {"challenge": self._pump.access.challenge(_param(params, "person", str))}

    def _log_on(self, params):
        access = self._pump.access
        yield from access.logging_on(_param(params, "document", str), _param(params, "signature", str))
        return {"session": access.session, "role": ROLES[access.role]}

    def _log_off(self, params):
        self._pump.access.log_off(BY_PERSON)
        return {}

    # -- therapy

    def _pause(self, params):
        self._pump.pause()
        return {"state": STATES[self._pump.core.state]}

    def _stop(self, params):
        self._pump.cancel()
        return {"state": STATES[self._pump.core.state]}

    def _rx_load(self, params):
        document = _param(params, "document", str)
        signatures = _param(params, "signatures", dict)
        for role in signatures:
            _texts(_param(signatures, role, dict), ("by", "signature"))
        override = params.get("override")
        if override is not None:
            _texts(_param(params, "override", dict), ("document", "by", "signature"))
        rx = yield from self._pump.loading(document, signatures, override)
        return self._readback(rx)

    def _prime(self, params):
        if params.get("disconnected") is not True:
            raise Refused("prime_connected", {"key": "disconnected", "allowed": "true, seen by the clinician"})
        return {"nl": self._pump.prime()}

    def _clinician(self, params):
        _texts(params, ("document", "by", "signature"))
        reason = yield from self._pump.ordering(params["document"], params["by"], params["signature"])
        return {"staged": reason == limits.ACCEPTED, "reason": limits.REASONS[reason]}

    def _refill(self, params):
        returned = params.get("returned_ul")
        if returned is not None:
            returned = _param(params, "returned_ul", int)
        self._pump.intake.refill(
            _param(params, "fill_ul", int), returned,
            _param(params, "drug", str), _param(params, "concentration_ug_per_ml", int),
        )  # fmt: skip
        return {"remaining_nl": self._pump.core.reservoir.remaining_nl()}

    def _clock_set(self, params):
        self._pump.intake.set_clock(_param(params, "utc_s", int))
        return {"utc_s": self._pump.core.diary.wall_s()}

    # -- whose pump it is

    def _provision(self, params):
        hash8 = yield from self._pump.enrolment.loading(_param(params, "block", str))
        return {"hash": hash8}

    def _document_begin(self, params):
        enrolment = self._pump.enrolment
        enrolment.need_rest()
        _texts(params, ("kind", "sha256", "signature"))
        enrolment.begin(params["kind"], _param(params, "length", int), params["sha256"], params["signature"])
        return {}

    def _document_put(self, params):
        offset, data = _param(params, "offset", int), _param(params, "data", str)
        return {"filled": self._pump.enrolment.put(offset, data)}

    def _document_commit(self, params):
        kind, number = yield from self._pump.enrolment.committing()
        return {"kind": kind, "number": number}

    def _bootsel(self, params):
        yield from self._pump.leaving(_param(params, "document", str), _param(params, "signature", str))
        return {}


def _param(params, name, kind):
    value = params.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadParams("%s is missing or not a %s" % (name, kind.__name__))
    return value


def _texts(params, names):
    for name in names:
        _param(params, name, str)
