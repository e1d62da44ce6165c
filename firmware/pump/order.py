"""A clinician's bolus: ordered and signed once, under one prescription, whose sequence it shares (DEL-14)."""

from pump import form, people, rx_rules, signature
from pump import library as drugs
from pump.refusal import Refused, refused
from pump.work import finish

WHAT = "order"
TYPE = "clinician_bolus"

FIELDS = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("serial", form.TEXT),
    ("sequence", form.POSITIVE),
    ("rx", form.TEXT),  # hash8 of the prescription that runs
    ("ug", form.POSITIVE),
    ("over_s", form.POSITIVE),
)


class Order:
    """serial, sequence, rx (hash8), ug, over_s as in the document; document: its bytes."""

    def __init__(self, values, document):
        self.document = document
        for key, _ in FIELDS[2:]:
            setattr(self, key, values[key])


def parse_order(document):
    """The Order in `document` (text or bytes) if its form is exact. Refused with the codes of form.read."""
    document = form.as_bytes(document)
    return Order(form.read(document, WHAT, TYPE, FIELDS), document)


def admit_order(document, by, signature_hex, trust, last_sequence, rx):
    """The Order in `document` if this pump accepts it under the confirmed `rx` (may be None); else Refused.

    by     the prescriber's name
    trust  Trust

    Whether it may start now (lockout, limits, reservoir ...) is for the therapy to decide.
    """
    return finish(admitting_order(document, by, signature_hex, trust, lambda: (last_sequence, rx)))


def admitting_order(document, by, signature_hex, trust, standing):
    """`admit_order` as work in pieces. `standing()` gives (last_sequence, rx) when the signature has been proven."""
    order = parse_order(document)
    key = trust.key(by, people.PRESCRIBER, WHAT)
    yield from signature.checking(order.document, signature_hex, key, WHAT)
    last_sequence, rx = standing()
    check_order(order, trust.provisioning, trust.library_in_force(), last_sequence, rx)
    return order


def check_order(order, provisioning, library, last_sequence, rx):
    """Returns if the order (form and signature proven) is allowed under `rx`; else Refused.

    Codes: order_not_provisioned, _serial, _sequence, _no_prescription, _rx, _no_lockout, _bolus_max,
    _over_syringe, _needs_flow, _duration, _bolus_too_small. A time too short for 10 mL/h is no reason: the flow is
    capped and the bolus takes longer (DEL-05).
    """
    rx_rules.check_address(order, provisioning, last_sequence, WHAT)
    if rx is None:
        raise Refused("order_no_prescription", {"key": "rx", "do": "confirm a prescription first"})
    if order.rx != rx.hash8:
        raise refused("order_rx", order, "rx", rx.hash8)
    if not rx.lockout_s:  # two clinician boluses back to back must never be possible (H09)
        detail = {"key": "lockout_s", "held": 0, "do": "prescribe a lockout before ordering a bolus"}
        raise Refused("order_no_lockout", detail)
    entry = library.get((rx.drug, rx.route, rx.site))
    if entry is None:  # the library is another than the one by which `rx` was judged
        do = "confirm a prescription of this library"
        raise Refused("order_drug_unknown", {"key": "drug", "held": rx.drug, "do": do})
    if order.ug > entry.clinician_bolus_max_ug:
        raise refused("order_bolus_max", order, "ug", f"at most {entry.clinician_bolus_max_ug}")
    if rx_rules.exceeds_syringe(order.ug, rx):
        raise refused("order_over_syringe", order, "ug", f"what a full {rx.syringe} holds")
    if not rx_rules.leaves_flow(rx):
        raise Refused("order_needs_flow", {"key": "basal", "held": rx.flow_nl_per_h, "allowed": "9.9 mL/h or less"})
    if not entry.bolus_duration_min_s <= order.over_s <= drugs.MAX_CLINICIAN_BOLUS_S:
        allowed = f"{entry.bolus_duration_min_s} to {drugs.MAX_CLINICIAN_BOLUS_S}"
        raise refused("order_duration", order, "over_s", allowed)
    if not rx_rules.lays_out(order.ug, order.over_s, rx):
        raise refused("order_bolus_too_small", order, "ug", "a microstep or more, and one every 900 s or faster")
