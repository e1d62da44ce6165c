"""The line protocol of the pump: JSON-RPC 2.0, one object a line, each line closed by its CRC-32.

    {"jsonrpc":"2.0","id":7,"method":"state"} 1c291ca3

Nothing that comes over it raises a dose by itself: prescriptions and orders are signed, and a prescription becomes
active only by a finger on the pump. A line that is not whole is answered with an error and changes nothing.
"""

import json
from binascii import crc32, hexlify

from pump import limits
from pump.core import STATES
from pump.ledger import BASAL, CLINICIAN, CREDIT, EXCESS, PCA, PRIME
from pump.refusal import Refused
from pump.units import const

MAX_LINE = const(6_000)
MAX_RECORDS = const(32)
READ_ONLY = ("hello", "state", "rx.read", "records.read")

PARSE_ERROR = const(-32700)
INVALID_REQUEST = const(-32600)
METHOD_NOT_FOUND = const(-32601)
INVALID_PARAMS = const(-32602)
REFUSED = const(-32000)


class BadRequest(Exception):
    """A request that is no request: (JSON-RPC code, text)."""


def seal(body):
    """A line of the protocol: `body` (bytes), a space, the CRC-32 of it in eight hex digits, a line feed."""
    return body + b" %08x\n" % crc32(body)


def unseal(line):
    """The body of a line. Raises BadRequest when the CRC does not match."""
    line = line.rstrip(b"\r\n")
    body, mark, digits = line[:-9], line[-9:-8], line[-8:]
    if mark != b" " or digits != b"%08x" % crc32(body):
        raise BadRequest(PARSE_ERROR, "the line does not carry its CRC-32")
    return body


class Server:
    """Answers requests to one pump. `about`: what does not change, for `hello`."""

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        self._about = about
        self._heap_used = heap_used
        self.changed = False  # the last request may have changed the pump
        self._methods = {
            "hello": self._hello,
            "state": self._state,
            "rx.load": self._rx_load,
            "rx.read": self._rx_read,
            "prime": self._prime,
            "bolus.clinician": self._clinician,
            "therapy.cancel": self._cancel,
            "reservoir.refill": self._refill,
            "clock.set": self._clock_set,
            "records.read": self._records_read,
        }

    def answer(self, line):
        """The answer line (bytes) to a request line (bytes). Never raises for bad input."""
        number = None
        self.changed = False
        try:
            request = _parse(unseal(bytes(line)))
            number = _number(request.get("id"))
            method = self._methods.get(request["method"])
            if method is None:
                raise BadRequest(METHOD_NOT_FOUND, "no method " + request["method"])
            self.changed = request["method"] not in READ_ONLY
            reply = {"result": method(request.get("params") or {})}
        except BadRequest as bad:
            reply = {"error": {"code": bad.args[0], "message": bad.args[1]}}
        except Refused as refused:
            data = dict(refused.detail)
            data["code"] = refused.code
            reply = {"error": {"code": REFUSED, "message": str(refused), "data": data}}
        reply["jsonrpc"] = "2.0"
        reply["id"] = number
        return seal(json.dumps(reply).encode())

    # -- methods

    def _hello(self, params):
        core = self._pump.core
        about = dict(self._about)
        about.update({"boot": core.boot, "mono_s": core.clock.s, "mono_ms": core.clock.ms})
        return about

    def _state(self, params):
        pump, core = self._pump, self._pump.core
        ledger = core.ledger
        rx = core.rx
        upcoming = pump.boluses.next_pca()
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
                "clinician_nl": ledger.volume_nl(CLINICIAN),
                "excess_nl": ledger.volume_nl(EXCESS),
                "credit_nl": ledger.volume_nl(CREDIT),
            },
            "primed_nl": ledger.volume_nl(PRIME),
            "primed": core.primed,
            "remaining_nl": core.reservoir.remaining_nl(),
            "flow_nl_per_h": core.flow_nl_per_h,
            "rx": rx.hash8 if rx else None,
            "rx_seq": core.sequence,
            "staged": pump.intake.staged.hash8 if pump.intake.staged else None,
            "needs_rx": core.needs_rx,
            "alarms": core.alarms.active_codes(),
            "next_possible": list(upcoming) if upcoming is not limits.NEVER else None,
            "next_seq": core.diary.next_sequence,
            "utc_s": core.diary.wall_s(),
            "pressure_pa": core.pressure_pa,
            "heap_used": self._heap_used(),
        }

    def _rx_load(self, params):
        document = _param(params, "document", str)
        signatures = _param(params, "signatures", dict)
        for who in signatures:
            _param(signatures, who, str)
        override = params.get("override")
        if override is not None:
            override = _param(params, "override", dict)
            for part in ("document", "signature"):
                _param(override, part, str)
        return _readback(self._pump.load(document, signatures, override))

    def _rx_read(self, params):
        staged = self._pump.intake.staged
        if staged is None:
            raise Refused("rx_none_staged", {"key": "prescription", "do": "load one first"})
        return _readback(staged)

    def _prime(self, params):
        if params.get("disconnected") is not True:
            raise Refused("prime_connected", {"key": "disconnected", "allowed": "true, seen by the clinician"})
        return {"ul": self._pump.prime() / 1000}

    def _clinician(self, params):
        document, signature = _param(params, "document", str), _param(params, "signature", str)
        reason = self._pump.clinician_bolus(document, signature)
        return {"accepted": reason == limits.ACCEPTED, "reason": limits.REASONS[reason]}

    def _cancel(self, params):
        self._pump.cancel()
        return {}

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

    def _records_read(self, params):
        most = min(MAX_RECORDS, max(1, _param(params, "max", int)))
        first, data = self._pump.core.diary.read(_param(params, "from", int), most)
        return {"first": first, "count": len(data) // 64, "data": hexlify(data).decode()}


def _number(value):
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str))):
        raise BadRequest(INVALID_REQUEST, "id must be an integer or a text")
    return value


def _parse(body):
    try:
        request = json.loads(body)
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: nested deeper than the stack
        raise BadRequest(PARSE_ERROR, "the line is no JSON")
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise BadRequest(INVALID_REQUEST, "a request is an object with a method")
    if not isinstance(request.get("params") or {}, dict):
        raise BadRequest(INVALID_PARAMS, "params must be an object")
    return request


def _param(params, name, kind):
    value = params.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadRequest(INVALID_PARAMS, "%s is missing or not a %s" % (name, kind.__name__))
    return value


def _readback(rx):
    return {"hash": rx.hash8, "values": rx.values()}
