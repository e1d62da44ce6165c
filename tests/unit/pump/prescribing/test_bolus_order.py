"""A clinician's bolus: ordered once, by the prescriber, under the prescription that runs (DEL-14, SEC-08)."""

from pump.base.pieces import finish
from pump.documents.library import LIBRARY
from pump.prescribing import bolus_order
from support.portable import signed_vectors
from support.portable.example_prescriptions import BENCH, CLINIC, FLUID, SERIAL, pair, parsed, trust_of
from support.portable.refusals import refusal_code

TRUST = trust_of()
RX = parsed()
FLUID_RX = parsed(FLUID)


def text(under=RX, **changes):
    """An order of 50 ug over 10 min under a prescription, some keys changed; None leaves a key out."""
    values = {"type": "clinician_bolus", "version": 1, "serial": SERIAL, "sequence": 8, "rx": under.hash8}
    values.update({"ug": 50, "over_s": 600})
    values.update(changes)
    return "{" + ",".join(pair(key, values[key]) for key in sorted(values) if values[key] is not None) + "}"


def code(under=RX, last=7, **changes):
    """The code with which the changed order is refused under a prescription; None if it is accepted."""
    ordered = bolus_order.parse_order(text(under, **changes))
    return refusal_code(bolus_order.check_order, ordered, BENCH, LIBRARY, last, under)


def admission(
    document=signed_vectors.ORDER, signature=signed_vectors.ORDER_SIGNATURE, by="rossi", last=7, rx=RX, trust=TRUST
):
    """The code with which a signed order is refused; None if it is accepted."""
    return refusal_code(bolus_order.admit_order, document, by, signature, trust, last, rx)


def test_signed_order():
    assert admission() is None
    ordered = bolus_order.admit_order(signed_vectors.ORDER, "rossi", signed_vectors.ORDER_SIGNATURE, TRUST, 7, RX)
    assert (ordered.ug, ordered.over_s, ordered.sequence, ordered.rx) == (50, 600, 8, RX.hash8)


def test_order_needs_its_own_signature():
    """DEL-14: each time, by the prescriber; a signed prescription is no order."""
    assert admission(signature=signed_vectors.RX_SIGNATURE) == "order_signature"
    assert admission(signed_vectors.ORDER.replace('"ug":50', '"ug":60')) == "order_signature"
    assert admission(signature=None) == "order_signature"
    assert admission(signed_vectors.RX, signed_vectors.RX_SIGNATURE) == "order_type"
    assert admission(trust=trust_of(None)) == "order_not_provisioned"


def test_order_is_of_a_prescriber_among_the_people():
    """DEL-14, SEC-01: no other role will do, nor a name that is not known, nor one that did not sign."""
    assert admission(by="okafor") == "person_role"
    assert admission(by="weber") == "person_role"
    assert admission(by="nobody") == "person_unknown"
    assert admission(trust=trust_of(persons=None)) == "people_absent"


def test_order_needs_a_library_that_counts():
    """LIB-07: the image's own is for the bench, and a lost one is replaced by none."""
    assert admission(trust=trust_of(CLINIC)) == "rx_library_absent"
    assert admission(trust=trust_of(CLINIC, number=5)) is None
    lost = trust_of(number=5)
    lost.is_library_lost = True
    assert admission(trust=lost) == "rx_library_lost"


def test_order_is_held_against_what_is_in_force_when_its_signature_has_been_proven():
    """DEL-14: another prescription may be confirmed at the pump meanwhile."""
    in_force = [7, RX]
    work = bolus_order.admit_order_in_pieces(
        signed_vectors.ORDER, "rossi", signed_vectors.ORDER_SIGNATURE, TRUST, lambda: (in_force[0], in_force[1])
    )
    next(work)
    in_force[1] = FLUID_RX
    assert refusal_code(finish, work) == "order_rx"


def test_order_is_good_once():
    """COM-04, SEC-08: the sequence is shared with the prescriptions, so the pump's last number is past it."""
    assert admission(last=8) == "order_sequence"
    assert code(sequence=7) == "order_sequence"


def test_order_for_another_pump_or_prescription():
    assert code(serial="CB-0002") == "order_serial"
    assert admission(rx=FLUID_RX) == "order_rx"
    assert admission(rx=None) == "order_no_prescription"


def test_form_of_an_order():
    for key in ("type", "version", "serial", "sequence", "rx", "ug", "over_s"):
        assert refusal_code(bolus_order.parse_order, text(**{key: None})) == "order_key_missing"
    assert refusal_code(bolus_order.parse_order, text(ml=1)) == "order_key_unknown"
    assert refusal_code(bolus_order.parse_order, text(ug=0)) == "order_value_range"
    assert refusal_code(bolus_order.parse_order, text(ug="50")) == "order_value_type"
    assert refusal_code(bolus_order.parse_order, text(ug=0.5)) == "order_number_form"
    assert refusal_code(bolus_order.parse_order, text(version=2)) == "order_version"


def test_largest_order():
    """H09: the cap is in ug, by drug."""
    assert code(ug=500) is None
    assert code(ug=501) == "order_bolus_max"
    assert code(FLUID_RX, ug=10_000) is None
    assert code(FLUID_RX, ug=10_001) == "order_over_syringe"


def test_duration_of_an_order():
    """DEL-10, ITH-05: 2 min to 6 h of a drug."""
    assert code(over_s=120) is None
    assert code(over_s=119) == "order_duration"
    assert code(over_s=21_600) is None
    assert code(over_s=21_601) == "order_duration"
    assert code(FLUID_RX, over_s=1) is None


def test_more_than_the_machine_can_in_that_time_is_no_reason():
    """DEL-05: the flow is capped, the duration grows."""
    assert code(FLUID_RX, ug=10_000, over_s=60) is None


def test_no_order_without_a_lockout():
    """H09: nothing would keep two of them apart."""
    assert code(parsed(bolus_ug=0, bolus_duration_s=0, lockout_s=0)) == "order_no_lockout"
