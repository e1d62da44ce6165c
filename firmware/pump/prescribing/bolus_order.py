"""The signed order of a clinician's bolus: valid once, under one prescription; shares its sequence numbers (DEL-14)."""

from pump.base.pieces import finish
from pump.base.refusal import Refused, refused
from pump.documents import fields, people, signature
from pump.documents import library as drugs
from pump.prescribing import rx_rules

PREFIX = "order"  # of the refusal codes
TYPE = "clinician_bolus"

FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("serial", fields.TEXT),
    ("sequence", fields.POSITIVE),
    ("rx", fields.TEXT),  # hash8 of the prescription in force
    ("ug", fields.POSITIVE),
    ("over_s", fields.POSITIVE),
)


class BolusOrder:
    """serial, sequence, rx (hash8), ug, over_s: as in the document. document: its bytes."""

    def __init__(self, values, document):
        self.document = document
        for key, _ in FIELDS[2:]:
            setattr(self, key, values[key])


def parse_order(document):
    """The BolusOrder in `document` (str or bytes). Checks its form only. Refused: codes of fields.read."""
    document = fields.as_bytes(document)
    return BolusOrder(fields.read(document, PREFIX, TYPE, FIELDS), document)


def admit_order(document, by, signature_hex, trust, last_sequence, rx):
    """The BolusOrder in `document` (str or bytes), if this pump accepts it. Refused: as below, and order_signature.

    by             name of the prescriber
    signature_hex  768 hex digits
    trust          Trust
    last_sequence  of the last accepted prescription or order
    rx             the confirmed Prescription, or None

    The therapy decides whether the bolus may start now: lockout, limits, reservoir.
    """
    return finish(admit_order_in_pieces(document, by, signature_hex, trust, lambda: (last_sequence, rx)))


def admit_order_in_pieces(document, by, signature_hex, trust, read_state):
    """`admit_order` as work in pieces. `read_state()` returns (last_sequence, rx); called after the signature check."""
    order = parse_order(document)
    key = trust.key(by, people.PRESCRIBER, PREFIX)
    yield from signature.check_in_pieces(order.document, signature_hex, key, PREFIX)
    last_sequence, rx = read_state()
    check_order(order, trust.provisioning, trust.library_in_force(), last_sequence, rx)
    return order


def check_order(order, provisioning, library, last_sequence, rx):
    """Returns if `order`, whose form and signature were checked, is allowed under `rx` (Prescription or None).

    Refused: order_not_provisioned, _serial, _sequence, _no_prescription, _rx, _no_lockout, _drug_unknown,
    _bolus_max, _over_syringe, _needs_flow, _duration, _bolus_too_small. A duration too short for 10 mL/h is accepted:
    the flow is capped and the bolus takes longer (DEL-05).
    """
    rx_rules.check_address(order, provisioning, last_sequence, PREFIX)
    if rx is None:
        raise Refused("order_no_prescription", {"key": "rx", "do": "confirm a prescription first"})
    if order.rx != rx.hash8:
        raise refused("order_rx", order, "rx", rx.hash8)
    if not rx.lockout_s:  # else two clinician boluses back to back would be possible (H09)
        detail = {"key": "lockout_s", "held": 0, "do": "prescribe a lockout before ordering a bolus"}
        raise Refused("order_no_lockout", detail)
    entry = library.get((rx.drug, rx.route, rx.site))
    if entry is None:  # the library was replaced after `rx` was accepted
        do = "confirm a prescription made for this library"
        raise Refused("order_drug_unknown", {"key": "drug", "held": rx.drug, "do": do})
    if order.ug > entry.clinician_bolus_max_ug:
        raise refused("order_bolus_max", order, "ug", f"at most {entry.clinician_bolus_max_ug}")
    if rx_rules.exceeds_syringe(order.ug, rx):
        raise refused("order_over_syringe", order, "ug", f"at most what a full {rx.syringe} holds")
    if not rx_rules.leaves_flow_for_bolus(rx):
        raise Refused("order_needs_flow", {"key": "basal", "held": rx.flow_nl_per_h, "allowed": "9.9 mL/h or less"})
    if not entry.bolus_duration_min_s <= order.over_s <= drugs.MAX_CLINICIAN_BOLUS_S:
        allowed = f"{entry.bolus_duration_min_s} to {drugs.MAX_CLINICIAN_BOLUS_S}"
        raise refused("order_duration", order, "over_s", allowed)
    if not rx_rules.is_schedulable(order.ug, order.over_s, rx):
        allowed = f"1 microstep or more, one every {rx_rules.SLOWEST_STEP_S} s or faster"
        raise refused("order_bolus_too_small", order, "ug", allowed)
