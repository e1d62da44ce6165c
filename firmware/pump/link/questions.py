"""The questions of the link: they change nothing and need no log-on."""

from binascii import b2a_base64

from pump.authority.access import ROLES
from pump.authority.trust import FROM_DOCUMENT, FROM_IMAGE
from pump.base import states
from pump.base.refusal import Refused
from pump.base.units import const
from pump.delivery.ledger import BASAL, CLINICIAN, CREDIT, EXCESS, PCA, PRIME
from pump.documents.provisioning import fingerprint
from pump.dosing import limits
from pump.link.params import param
from pump.storage.records import RECORD_BYTES

MAX_RECORDS = const(48)  # in one answer: 3 kB, 4 kB in base64


class Questions:
    """Answers about one pump. Each method takes the parameters (dict) of a request and returns the result (dict).

    about      dict: the members of `hello` that never change
    heap_used  function: bytes of heap in use, as last measured
    """

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        self._about = about
        self._heap_used = heap_used
        self._provisioning = self._authority = None  # cache: fingerprint of the authority's key, 50 ms to compute

    def hello(self, params):
        """Identity of the pump, its documents, the session, the monotonic time."""
        therapy, trust, access = self._pump.therapy, self._pump.trust, self._pump.access
        known = trust.provisioning
        if known is not self._provisioning:
            self._provisioning, self._authority = known, fingerprint(known.authority) if known else None
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
            "self_test": self._pump.power_up.self_test,
            "boot": therapy.boot,
            "mono_s": therapy.clock.s,
            "mono_ms": therapy.clock.ms,
        })  # fmt: skip
        return about

    def state(self, params):
        """State of the therapy: volumes in nL, mass in ng, flow in nL/h, pressure in Pa, heap in bytes."""
        pump, therapy = self._pump, self._pump.therapy
        ledger = therapy.ledger
        rx = therapy.rx
        next_pca = pump.boluses.next_pca()
        staged = pump.prescription_change.staged
        return {
            "state": states.NAMES[therapy.state],
            "boot": therapy.boot,
            "mono_s": therapy.clock.s,
            "mono_ms": therapy.clock.ms,
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
            "primed": therapy.primed,
            "bridge_nl": therapy.fluids.left_nl(),
            "remaining_nl": therapy.reservoir.remaining_nl(),
            "flow_nl_per_h": therapy.flow_nl_per_h,
            "rx": rx.hash8 if rx else None,
            "rx_seq": therapy.sequence,
            "staged": staged.hash8 if staged else None,
            "start": pump.start_stop.blocked_by(),
            "refused": therapy.confirmation.refused,
            "needs_rx": therapy.needs_rx,
            "alarms": therapy.alarms.active_codes(),
            "next_possible": list(next_pca) if next_pca is not limits.NEVER else None,
            "next_seq": therapy.event_log.next_sequence,
            "utc_s": therapy.wall_clock.unix_s(),
            "pressure_pa": therapy.pressure_pa,
            "relief_nl": max(therapy.line.owed_nl, int(therapy.line.bars_start())),
            "heap_used": self._heap_used(),
        }

    def staged_rx(self, params):
        """The prescription that waits for its confirmation, read back. Refused: rx_none_staged."""
        staged = self._pump.prescription_change.staged
        if staged is None:
            raise Refused("rx_none_staged", {"key": "prescription", "do": "load one first"})
        return readback(staged)

    def read_records_in_pieces(self, params):
        """Up to `max` records (at most MAX_RECORDS) from sequence number `from` on, in base64."""
        most = min(MAX_RECORDS, max(1, param(params, "max", int)))
        first, data = yield from self._pump.therapy.event_log.read_in_pieces(param(params, "from", int), most)
        text = b2a_base64(data, newline=False).decode()  # pyright: ignore[reportCallIssue]
        return {"first": first, "count": len(data) // RECORD_BYTES, "data": text}


def readback(rx):
    """What a host compares with the prescription that it sent: hash, every value, soft limits exceeded."""
    return {"hash": rx.hash8, "values": rx.values(), "warnings": [code for code, _ in rx.soft_limits]}
