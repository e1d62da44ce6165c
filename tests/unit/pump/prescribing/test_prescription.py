"""Rules of a signed prescription before it may be confirmed, and each refusal."""

import json

from pump.base.pieces import finish
from pump.base.refusal import Refused
from pump.documents import fields
from pump.documents.library import LIBRARY
from pump.documents.people import People, Person
from pump.documents.provisioning import Provisioning
from pump.prescribing import override, prescription, rx_rules
from support.portable import signed_vectors
from support.portable.example_prescriptions import (
    BENCH,
    CLINIC,
    FLUID,
    MORPHINE,
    PEOPLE,
    SERIAL,
    checked,
    code,
    parsed,
    text,
    trust_of,
)
from support.portable.refusals import refusal, refusal_code

TRUST = trust_of()
ELSEWHERE = Provisioning("CB-0002", True, BENCH.authority)


def signed(prescriber, second, by="rossi", and_by="weber"):
    """The two signatures of a prescription, and who gave them; None leaves one out."""
    given = {}
    if prescriber is not None:
        given["prescriber"] = {"by": by, "signature": prescriber}
    if second is not None:
        given["second"] = {"by": and_by, "signature": second}
    return given


SIGNED = signed(signed_vectors.RX_SIGNATURE, signed_vectors.RX_SECOND)
HIGH_SIGNED = signed(signed_vectors.HIGH_RX_SIGNATURE, signed_vectors.HIGH_RX_SECOND)
OVERRIDE = {"document": signed_vectors.OVERRIDE, "by": "weber", "signature": signed_vectors.OVERRIDE_SIGNATURE}

HYDROMORPHONE = dict(MORPHINE)
HYDROMORPHONE.update(
    {
        "drug": "hydromorphone",
        "concentration_ug_per_ml": 50,
        "basal_ug_per_day": 100,
        "bolus_ug": 10,
        "limit_24h_ug": 160,
    }
)


def form_code(document):
    """The code with which the form of a document is refused; None if it is accepted."""
    return refusal_code(prescription.parse, document)


def admission(document=signed_vectors.RX, signatures=SIGNED, given=None, last=0, current=None, trust=TRUST):
    """The code with which a signed document is refused; None if it is accepted."""
    return refusal_code(prescription.admit, document, signatures, given, trust, last, current)


# Form


def test_everyday_prescription_is_accepted():
    rx = checked()
    assert (rx.drug, rx.route, rx.site, rx.patient) == ("morphine", "intrathecal", "cisternal", "bench")
    assert (rx.basal_ug_per_day, rx.bolus_ug, rx.lockout_s, rx.limit_24h_ug) == (200, 20, 3600, 320)
    assert (rx.max_boluses_per_h, rx.max_boluses_per_24h, rx.limit_1h_ug) == (0, 6, 0)
    assert rx.flow_nl_per_h == 41_666
    assert text() == signed_vectors.RX


def test_hash_is_of_the_exact_bytes():
    """RX-04: what both the pump and the host show."""
    rx = prescription.parse(signed_vectors.RX)
    assert len(rx.sha256) == 64
    assert rx.hash8 == rx.sha256[:8]
    assert rx.rx_hash == int(rx.hash8, 16)
    assert prescription.parse(signed_vectors.RX.encode()).sha256 == rx.sha256
    assert prescription.parse(signed_vectors.RX + "\n").sha256 != rx.sha256


def test_read_back_says_what_was_written():
    """RX-01: every value, "none" spelt out."""
    assert parsed().values() == json.loads(text())
    assert parsed(FLUID).values() == json.loads(text(FLUID))


def test_four_ways_to_mistake_the_unit():
    """H01: mg for ug, in four spellings, four distinct refusals."""
    as_fraction = form_code(text(basal_ug_per_day=0.2))
    as_text = form_code(text(basal_ug_per_day="0.2mg"))
    as_other_key = form_code(text(basal_ug_per_day=None, basal_mg=200, flow_nl_per_h=41_666))
    as_thousandfold = code(basal_ug_per_day=200_000)
    codes = [as_fraction, as_text, as_other_key, as_thousandfold]
    assert codes == ["rx_number_form", "rx_value_type", "rx_key_unknown", "rx_basal_machine"]


def test_decimal_comma_is_no_number():
    """LIB-12."""
    assert form_code(text(basal_ug_per_day="0,5")) == "rx_value_type"
    assert form_code(text().replace('"basal_ug_per_day":200', '"basal_ug_per_day":0,5')) == "rx_not_json"


def test_every_key_is_needed():
    """RX-02: nothing has a default; "no limit" is stated, never left out."""
    for key, _ in prescription.FIELDS:
        refused = refusal(prescription.parse, text(**{key: None}))
        assert (refused.code, refused.detail["key"]) == ("rx_key_missing", key)


def test_no_key_but_these():
    for key in ("basal_mg", "Basal_ug_per_day", "bolus_ug ", "", "note"):
        refused = refusal(prescription.parse, text(**{key: 1}))
        assert (refused.code, refused.detail["key"]) == ("rx_key_unknown", key)


def test_mistyped_key():
    refused = refusal(prescription.parse, text().replace("lockout_s", "lokout_s"))
    assert (refused.code, refused.detail["key"]) == ("rx_key_unknown", "lokout_s")


def test_doubled_key():
    assert form_code(text()[:-1] + ',"bolus_ug":20}') == "rx_key_doubled"


def test_kinds_of_values():
    for key, kind in prescription.FIELDS:
        if key != "type":  # a wrong type is a wrong type of document first
            assert form_code(text(**{key: 1 if kind == fields.TEXT else "1"})) == "rx_value_type", key


def test_none_only_where_it_means_something():
    for key in ("basal_ug_per_day", "bolus_ug", "lockout_s", "bolus_duration_s", "deadspace_ul", "fill_ul"):
        assert form_code(text(**{key: "none"})) == "rx_value_type", key
    for word in ("", "None", "NONE", "no", "unlimited"):
        assert form_code(text(limit_1h_ug=word)) == "rx_value_type", word


def test_ranges_of_the_form():
    assert form_code(text(basal_ug_per_day=-1, flow_nl_per_h=0)) == "rx_value_range"
    assert form_code(text(bolus_ug=1_000_000_001)) == "rx_value_range"
    assert form_code(text(concentration_ug_per_ml=0)) == "rx_value_range"
    assert form_code(text(sequence=0)) == "rx_value_range"
    assert form_code(text(patient="")) == "rx_value_range"
    assert form_code(text(patient="p" * 65)) == "rx_value_range"


def test_type_and_version():
    assert form_code(text(type="override")) == "rx_type"
    assert form_code(text(version=2)) == "rx_version"
    assert form_code(text(version=2, another_key=1)) == "rx_version"


# Signature, serial, sequence


def test_signed_prescription_is_admitted():
    """SEC-01."""
    assert admission() is None


def test_signature_of_another_text_or_person():
    """LIM-14, H08, SEC-01: a flipped figure, no signature, the second person instead of the prescriber."""
    assert admission(signed_vectors.RX.replace('"bolus_ug":20', '"bolus_ug":21')) == "rx_signature"
    assert admission(signatures=signed("", signed_vectors.RX_SECOND)) == "rx_signature"
    assert admission(signatures=HIGH_SIGNED) == "rx_signature"
    assert admission(signatures=signed(signed_vectors.RX_SECOND, signed_vectors.RX_SECOND)) == "rx_signature"
    assert admission(signatures=signed(signed_vectors.OVERRIDE_SIGNATURE, signed_vectors.RX_SECOND)) == "rx_signature"


def test_two_people_sign_every_prescription():
    """H06, ITH-09, SEC-01: a prescriber and a second person; neither is passed over, neither stands for the other."""
    assert admission(signatures={}) == "rx_unsigned"
    assert admission(signatures=signed(signed_vectors.RX_SIGNATURE, None)) == "rx_unsigned"
    assert admission(signatures=signed(None, signed_vectors.RX_SECOND)) == "rx_unsigned"
    assert admission(signatures=signed(signed_vectors.RX_SIGNATURE, signed_vectors.RX_SIGNATURE)) == "rx_signature"
    assert admission(signatures=signed(signed_vectors.RX_SIGNATURE, signed_vectors.HIGH_RX_SECOND)) == "rx_signature"
    assert admission(signatures=signed(signed_vectors.RX_SIGNATURE, "")) == "rx_signature"


def test_each_signs_in_a_role_of_his_own():
    """SEC-01: the people document says who may; a name that is not in it may nothing."""
    both = (signed_vectors.RX_SIGNATURE, signed_vectors.RX_SECOND)
    assert admission(signatures=signed(*both, by="weber")) == "person_role"
    assert admission(signatures=signed(*both, by="okafor")) == "person_role"
    assert admission(signatures=signed(*both, and_by="rossi")) == "person_role"
    assert admission(signatures=signed(*both, by="moreau")) == "person_unknown"
    assert admission(signatures=signed(*both, and_by="")) == "person_unknown"
    assert admission(trust=trust_of(persons=None)) == "people_absent"


def with_both_roles(name):
    """The people, one of whom may sign as either."""
    persons = [Person(p.name, ("prescriber", "second") if p.name == name else p.roles, p.key) for p in PEOPLE.persons]
    return trust_of(persons=People(3, "Bench", tuple(persons)))


def test_one_person_with_both_roles_is_no_second_person():
    """H06, ITH-09."""
    trust = with_both_roles("rossi")
    alone = signed(signed_vectors.RX_SIGNATURE, signed_vectors.RX_SIGNATURE, and_by="rossi")
    assert admission(signatures=alone, trust=trust) == "rx_same_person"
    assert admission(trust=trust) is None


def test_prescriber_does_not_lift_the_ceiling_himself():
    """H06: with any roles of his, the override is signed by another person."""
    trust = with_both_roles("rossi")
    given = {"document": signed_vectors.OVERRIDE, "by": "rossi", "signature": signed_vectors.OVERRIDE_BY_PRESCRIBER}
    refused = refusal(prescription.admit, signed_vectors.HIGH_RX, HIGH_SIGNED, given, trust, 0, None)
    assert (refused.code, refused.detail["override"]) == ("rx_first_dose", "override_same_person")
    assert admission(signed_vectors.HIGH_RX, HIGH_SIGNED, OVERRIDE, trust=trust) is None


def test_older_or_equal_sequence():
    """H08, SEC-08: a replayed prescription."""
    assert admission(last=6) is None
    assert admission(last=7) == "rx_sequence"
    assert admission(last=8) == "rx_sequence"


def test_another_pump():
    """H08."""
    assert admission(trust=trust_of(ELSEWHERE)) == "rx_serial"
    assert code(serial="CB-0001 ") == "rx_serial"


def test_pump_without_provisioning():
    assert admission(trust=trust_of(None)) == "rx_not_provisioned"


def test_pump_without_a_library_that_counts():
    """LIB-07, LIB-09: the image's own is for the bench; a signed one that was lost is replaced by none."""
    assert admission(trust=trust_of(CLINIC)) == "rx_library_absent"
    assert admission(trust=trust_of(CLINIC, number=5)) is None
    for pump in (BENCH, CLINIC):
        lost = trust_of(pump, number=5)
        lost.is_library_lost = True
        assert admission(trust=lost) == "rx_library_lost"


def test_signatures_are_proven_before_what_the_pump_then_knows_is_asked():
    """H08: a prescription that was confirmed while the signatures of this one were proven counts already."""
    standing = [0]
    work = prescription.admit_in_pieces(signed_vectors.RX, SIGNED, None, TRUST, lambda: (standing[0], None))
    next(work)
    standing[0] = 7
    assert refusal_code(finish, work) == "rx_sequence"


def test_order_of_reasons():
    """Form, then signature, then serial, then sequence, then meaning."""
    bad = {"concentration_ug_per_ml": 150, "serial": "CB-0002"}
    assert admission(text(note=1, **bad), {}, last=9) == "rx_key_unknown"
    assert admission(text(**bad), {}, last=9) == "rx_unsigned"
    assert admission(text(**bad), last=9) == "rx_signature"
    assert code(last=9, **bad) == "rx_serial"
    assert code(last=9, concentration_ug_per_ml=150) == "rx_sequence"
    assert code(concentration_ug_per_ml=150) == "rx_concentration"


# Drug, concentration, route


def test_drug_that_is_not_in_the_library():
    """LIB-08."""
    assert code(drug="fentanyl") == "rx_drug_unknown"
    assert code(drug="Morphine") == "rx_drug_unknown"


def test_concentration_that_is_not_in_the_library():
    """H02, LIB-02, ITH-01: strengths between and beyond the listed ones."""
    for ug_per_ml in (1, 10, 150, 201, 10_000, 25_000):
        assert code(concentration_ug_per_ml=ug_per_ml) == "rx_concentration"
    assert code(FLUID, concentration_ug_per_ml=25_001) == "rx_concentration"


def test_route_and_site():
    """LIB-11, H05: IT and epidural do not stand for each other; another route is not known at all."""
    assert code(route="epidural") == "rx_route_site"
    assert code(route="epidural", site="lumbar") == "rx_route_site"
    assert code(site="epidural") == "rx_route_site"
    assert code(route="intravenous") == "rx_route_site"
    assert code(HYDROMORPHONE, route="epidural", site="epidural") == "rx_route_site"
    epidural = {"route": "epidural", "site": "epidural", "basal_ug_per_day": 4000, "limit_24h_ug": 6400}
    assert code(**epidural) is None


def test_test_fluid_only_on_the_bench():
    assert code(FLUID) is None
    assert code(FLUID, pump=CLINIC) == "rx_not_bench"
    assert code(pump=CLINIC) is None


# Basal and flow


def test_flow_has_to_agree():
    """H03: dose, concentration and flow within 1 %, or one of them is not what was meant."""
    assert code(flow_nl_per_h=41_666 + 416) is None
    assert code(flow_nl_per_h=41_666 - 416) is None
    assert code(flow_nl_per_h=41_666 + 417) == "rx_flow_mismatch"
    assert code(flow_nl_per_h=41_666 - 417) == "rx_flow_mismatch"
    assert code(flow_nl_per_h=0) == "rx_flow_mismatch"
    assert code(basal_ug_per_day=200, flow_nl_per_h=700_000) == "rx_flow_mismatch"
    assert code(basal_ug_per_day=0, flow_nl_per_h=1) == "rx_flow_mismatch"


def test_dose_decides_not_the_stated_flow():
    """Decision 1: mass is prescribed."""
    assert checked(flow_nl_per_h=42_000).flow_nl_per_h == 41_666


def test_basal_ends_of_the_machine():
    """DEL-02: 0, or 0.01 to 10 mL/h, to the last microgram."""
    wide = {"limit_1h_ug": "none", "limit_4h_ug": "none", "limit_24h_ug": "none", "bolus_ug": 0}
    assert code(FLUID, basal_ug_per_day=239, **wide) == "rx_basal_machine"
    assert code(FLUID, basal_ug_per_day=240, **wide) is None
    assert code(FLUID, basal_ug_per_day=240_000, **wide) is None
    assert code(FLUID, basal_ug_per_day=240_001, **wide) == "rx_basal_machine"
    assert code(FLUID, basal_ug_per_day=1, **wide) == "rx_basal_machine"


def test_demand_only():
    """DEL-03: percentages then refer to the first-dose ceiling, 500 ug a day of morphine."""
    assert code(basal_ug_per_day=0, bolus_ug=100, limit_24h_ug=800) is None
    assert code(basal_ug_per_day=0, bolus_ug=101, limit_24h_ug=800) == "rx_bolus_max"
    assert code(basal_ug_per_day=0, bolus_ug=100, limit_24h_ug=801) == "rx_24h_cap"


def test_basal_hard_maximum():
    """LIB-04, LIM-24: no override lifts it."""
    high = {"concentration_ug_per_ml": 1000, "limit_24h_ug": 11_000}
    was = parsed(basal_ug_per_day=6_000, **high)
    assert code(current=was, basal_ug_per_day=10_000, **high) is None
    assert code(current=was, basal_ug_per_day=10_001, **high) == "rx_basal_hard_max"
    assert code(HYDROMORPHONE, concentration_ug_per_ml=200, basal_ug_per_day=2_001) == "rx_basal_hard_max"


def test_soft_maximum_warns():
    """What lies between the soft and the hard limit is named."""
    assert rx_rules.warnings(parsed(basal_ug_per_day=2_000), LIBRARY) == ()
    assert rx_rules.warnings(parsed(basal_ug_per_day=2_001), LIBRARY) == (("basal_soft_max", 2_000),)


def test_flow_too_slow_to_see_an_occlusion():
    """H15: max(50 uL, 5 kPa x C) within 2.4 h, so 0.0208 mL/h at 9 uL/kPa and 0.0438 at 21."""
    assert code(basal_ug_per_day=101, bolus_ug=10, limit_24h_ug=160) is None
    assert code(basal_ug_per_day=99, bolus_ug=10, limit_24h_ug=150) == "rx_flow_too_slow"
    soft = {"compliance_nl_per_kpa": 21_000}
    assert code(basal_ug_per_day=211, bolus_ug=20, **soft) is None
    assert code(basal_ug_per_day=209, bolus_ug=20, **soft) == "rx_flow_too_slow"
    assert code(basal_ug_per_day=0, bolus_ug=20, **soft) is None
    assert code(FLUID, basal_ug_per_day=240, **soft) is None


# Limits and counts


def test_drug_without_its_24_h_limit():
    """RX-02: only the engineering fluid may say "none"."""
    assert code(limit_24h_ug="none") == "rx_limit_missing"
    assert code(FLUID, limit_24h_ug="none", limit_4h_ug="none", limit_1h_ug="none") is None


def test_zero_is_no_limit():
    """LIM-10: neither "nothing" nor "everything"."""
    for key in ("limit_1h_ug", "limit_4h_ug", "limit_24h_ug"):
        assert code(**{key: 0}) == "rx_limit_zero"
        assert code(FLUID, **{key: 0}) == "rx_limit_zero"
    for key in ("max_boluses_per_h", "max_boluses_per_24h"):
        assert code(**{key: 0}) == "rx_count_zero"
    assert code(equiv_prev_ug_per_day=0) == "rx_equivalence_zero"


def test_basal_alone_has_to_fit_each_limit():
    """LIM-09, decision 4: over a full window, rounded up: 14 401 ug a day are more than 600 an hour."""
    none = {"limit_1h_ug": "none", "limit_4h_ug": "none", "limit_24h_ug": "none"}
    for name, fits in (("1h", 600), ("4h", 2400), ("24h", 14_400)):
        limits = dict(none)
        limits[f"limit_{name}_ug"] = fits
        assert code(FLUID, basal_ug_per_day=14_400, **limits) is None
        assert code(FLUID, basal_ug_per_day=14_401, **limits) == "rx_basal_over_limit_" + name
        limits[f"limit_{name}_ug"] = fits - 1
        assert code(FLUID, basal_ug_per_day=14_400, **limits) == "rx_basal_over_limit_" + name


def test_24_h_cap():
    """At most 1.6 times the basal; the limit, not the lockout, is what controls the dose."""
    assert code(limit_24h_ug=320) is None
    assert code(limit_24h_ug=321) == "rx_24h_cap"
    assert code(basal_ug_per_day=201, limit_24h_ug=321) is None
    assert code(FLUID, limit_24h_ug=1_000_000) is None


# Bolus


def test_largest_bolus():
    """LIM-21: a fifth of the basal, and 500 ug of morphine or 100 of hydromorphone for any basal."""
    assert code(bolus_ug=40) is None
    assert code(bolus_ug=41) == "rx_bolus_max"
    much = {"basal_ug_per_day": 4000, "limit_24h_ug": 4800, "current": parsed(basal_ug_per_day=3000)}
    assert code(bolus_ug=500, **much) is None
    assert code(bolus_ug=501, **much) == "rx_bolus_max"


def test_bolus_of_the_wrong_drugs_numbers():
    """H04."""
    was = parsed(HYDROMORPHONE, basal_ug_per_day=900)
    more = {"basal_ug_per_day": 1000, "limit_24h_ug": 1500, "current": was}
    assert code(HYDROMORPHONE, bolus_ug=100, **more) is None
    assert code(HYDROMORPHONE, bolus_ug=101, **more) == "rx_bolus_max"


def test_bolus_that_the_syringe_does_not_hold():
    """LIM-20."""
    free = {"limit_1h_ug": "none", "limit_4h_ug": "none", "limit_24h_ug": "none"}
    assert code(FLUID, bolus_ug=10_000, **free) is None
    assert code(FLUID, bolus_ug=10_001, **free) == "rx_bolus_over_syringe"
    assert code(FLUID, bolus_ug=50_000, syringe="bd-50", **free) is None


def test_bolus_that_is_mostly_rounding():
    """ITH-03: at least 10 usteps of a drug, 0.41 uL in a 10 mL syringe."""
    tiny = {"concentration_ug_per_ml": 1000, "basal_ug_per_day": 0, "bolus_ug": 1}
    assert code(**tiny) is None
    assert code(syringe="bd-50", **tiny) == "rx_bolus_too_small"
    free = {"limit_1h_ug": "none", "limit_4h_ug": "none", "limit_24h_ug": "none", "basal_ug_per_day": 0}
    assert code(FLUID, concentration_ug_per_ml=25_000, bolus_ug=1, **free) == "rx_bolus_too_small"
    assert code(FLUID, concentration_ug_per_ml=25_000, bolus_ug=2, **free) is None


def test_bolus_duration():
    """ITH-05: a bolus of a drug takes 2 min or more."""
    assert code(bolus_duration_s=120) is None
    assert code(bolus_duration_s=119) == "rx_bolus_duration"
    assert code(bolus_duration_s=3601) == "rx_bolus_duration"
    assert code(bolus_duration_s=0) == "rx_bolus_duration"
    assert code(FLUID, bolus_duration_s=1) is None
    assert code(FLUID, bolus_duration_s=0) == "rx_bolus_duration"


def test_bolus_needs_a_flow_that_is_left():
    """A basal of 10 mL/h leaves the machine nothing for a bolus; one needs 0.1 mL/h at least."""
    free = {"limit_1h_ug": "none", "limit_4h_ug": "none", "limit_24h_ug": "none"}
    assert code(FLUID, basal_ug_per_day=240_000, **free) == "rx_bolus_needs_flow"
    assert code(FLUID, basal_ug_per_day=237_601, **free) == "rx_bolus_needs_flow"
    assert code(FLUID, basal_ug_per_day=237_600, **free) is None
    assert code(FLUID, basal_ug_per_day=240_000, bolus_ug=0, **free) is None


def test_lockout_range():
    """LIM-02: 30 min to 24 h for a drug, from 1 min for the engineering fluid."""
    for base, low in ((MORPHINE, 1800), (FLUID, 60)):
        assert code(base, lockout_s=low) is None
        assert code(base, lockout_s=low - 1) == "rx_lockout_range"
        assert code(base, lockout_s=86_400) is None
        assert code(base, lockout_s=86_401) == "rx_lockout_range"
        assert code(base, lockout_s=0) == "rx_lockout_range"


def test_without_patient_bolus_its_times_may_be_0():
    assert code(bolus_ug=0, bolus_duration_s=0, lockout_s=0) is None
    assert code(bolus_ug=0) is None
    assert code(bolus_ug=0, lockout_s=59) == "rx_lockout_range"
    assert code(bolus_ug=0, bolus_duration_s=1) == "rx_bolus_duration"


# Syringe and line


def test_syringe_and_fill():
    """LIM-20: no more than it holds, and more than the line takes."""
    assert code(syringe="bd-3") == "rx_syringe"
    assert code(syringe="BD-10") == "rx_syringe"
    assert code(fill_ul=10_001) == "rx_fill"
    assert code(fill_ul=10_001, syringe="bd-20") is None
    assert code(fill_ul=0) == "rx_fill"
    assert code(fill_ul=300) == "rx_fill"
    assert code(fill_ul=301) is None


def test_deadspace():
    """H12: 0, 0.01 and 11 mL."""
    for ul in (0, 10, 99, 3001, 11_000):
        assert code(deadspace_ul=ul) == "rx_deadspace", ul
    for ul in (100, 3000):
        assert code(deadspace_ul=ul) is None
    assert code(FLUID, deadspace_ul=0) == "rx_deadspace"
    assert code(FLUID, deadspace_ul=1) is None
    assert code(FLUID, deadspace_ul=10_001) == "rx_deadspace"


def test_compliance():
    assert code(FLUID, compliance_nl_per_kpa=999) == "rx_compliance"
    assert code(FLUID, compliance_nl_per_kpa=50_001) == "rx_compliance"
    assert code(FLUID, compliance_nl_per_kpa=50_000) is None


# What was given before


def test_one_edit_at_most_doubles():
    """RX-09, H07."""
    was = parsed()
    more = {"limit_24h_ug": 420, "bolus_ug": 20}
    assert code(current=was, basal_ug_per_day=400, **more) is None
    assert code(current=was, basal_ug_per_day=401, **more) == "rx_step_over_2x"
    assert code(FLUID, current=parsed(FLUID, basal_ug_per_day=1000)) is None


def test_doubling_does_not_need_the_second_person_again():
    """The ceiling is of the first dose; a titration of 350 to 700 is an edit."""
    assert code(current=parsed(basal_ug_per_day=350), basal_ug_per_day=700, limit_24h_ug=1000) is None


def test_first_dose_ceiling():
    """ITH-09, H06."""
    assert code(basal_ug_per_day=500, limit_24h_ug=800) is None
    assert code(basal_ug_per_day=501, limit_24h_ug=800) == "rx_first_dose"
    assert code(HYDROMORPHONE, basal_ug_per_day=101) == "rx_first_dose"
    assert "second person" in refusal(lambda: checked(basal_ug_per_day=501, limit_24h_ug=800)).message


def test_first_dose_after_demand_only_or_elsewhere():
    """Twice 0 is no ground to stand on; a dose by another route or site says nothing about this one (H05)."""
    demand_only = parsed(basal_ug_per_day=0, bolus_ug=20)
    lumbar = parsed(site="lumbar", basal_ug_per_day=400)
    epidural = parsed(route="epidural", site="epidural", basal_ug_per_day=5000)
    for was in (demand_only, lumbar, epidural):
        assert code(current=was, basal_ug_per_day=500, limit_24h_ug=800) is None
        assert code(current=was, basal_ug_per_day=501, limit_24h_ug=800) == "rx_first_dose"


def test_second_person_lifts_the_ceiling():
    """H06."""
    assert admission(signed_vectors.HIGH_RX, HIGH_SIGNED, None) == "rx_first_dose"
    assert prescription.admit(signed_vectors.HIGH_RX, HIGH_SIGNED, OVERRIDE, TRUST, 0, None).is_overridden
    assert not prescription.admit(signed_vectors.RX, SIGNED, OVERRIDE, TRUST, 0, None).is_overridden


def test_override_of_another_kind():
    """H06: of the prescriber himself, changed, or for another prescription."""
    for document, by, signature in (
        (signed_vectors.OVERRIDE, "rossi", signed_vectors.OVERRIDE_BY_PRESCRIBER),
        (signed_vectors.OVERRIDE, "weber", signed_vectors.OVERRIDE_BY_PRESCRIBER),
        (signed_vectors.OVERRIDE, "okafor", signed_vectors.OVERRIDE_SIGNATURE),
        (signed_vectors.OVERRIDE, "nobody", signed_vectors.OVERRIDE_SIGNATURE),
        (signed_vectors.OVERRIDE, "weber", ""),
        (signed_vectors.OVERRIDE.replace("CB-0001", "CB-0002"), "weber", signed_vectors.OVERRIDE_SIGNATURE),
        (signed_vectors.HIGH_RX, "weber", signed_vectors.HIGH_RX_SECOND),
        ("", "weber", signed_vectors.OVERRIDE_SIGNATURE),
    ):
        given = {"document": document, "by": by, "signature": signature}
        assert admission(signed_vectors.HIGH_RX, HIGH_SIGNED, given) == "rx_first_dose"


def test_override_is_for_one_prescription_on_one_pump():
    """H06: checked below the signature, which is the same for all of these."""
    given = finish(
        override.check_override_in_pieces(
            signed_vectors.OVERRIDE,
            "weber",
            signed_vectors.OVERRIDE_SIGNATURE,
            TRUST,
            int(signed_vectors.PRESCRIBER, 16),
        )
    )
    assert refusal_code(override.check, given, parsed(), SERIAL) == "override_rx"
    assert refusal_code(override.check, given, prescription.parse(signed_vectors.HIGH_RX), SERIAL) is None
    assert (
        refusal_code(override.check, given, prescription.parse(signed_vectors.HIGH_RX), "CB-0002") == "override_serial"
    )


def test_refusal_says_why_the_override_does_not_count():
    given = {"document": signed_vectors.OVERRIDE, "by": "weber", "signature": signed_vectors.OVERRIDE_BY_PRESCRIBER}
    arguments = (signed_vectors.HIGH_RX, HIGH_SIGNED, given, TRUST, 0, None)
    assert refusal(prescription.admit, *arguments).detail["override"] == "override_signature"


def test_change_of_drug_needs_the_equivalence():
    """H04: numbers of one drug copied to the other."""
    was = parsed(basal_ug_per_day=700)
    copied = {"basal_ug_per_day": 700, "bolus_ug": 70, "limit_24h_ug": 1000}
    assert code(HYDROMORPHONE, current=was, **copied) == "rx_no_equivalence"
    assert code(HYDROMORPHONE, current=was, equiv_prev_ug_per_day=140, **copied) == "rx_over_equivalence"
    assert code(HYDROMORPHONE, current=was, equiv_prev_ug_per_day=140) is None
    assert code(HYDROMORPHONE, current=was, equiv_prev_ug_per_day=67) is None
    assert code(HYDROMORPHONE, current=was, equiv_prev_ug_per_day=66) == "rx_over_equivalence"


def test_first_dose_ceiling_holds_after_a_change_of_drug():
    """H06: 1.5 times the equivalent may still be too much of a drug that this patient never had here."""
    was = parsed(basal_ug_per_day=700)
    rotated = {"basal_ug_per_day": 140, "bolus_ug": 14, "limit_24h_ug": 200, "equiv_prev_ug_per_day": 140}
    assert code(HYDROMORPHONE, current=was, **rotated) == "rx_first_dose"


def test_no_change_between_a_drug_and_the_engineering_fluid():
    """H04, H11: there is no equivalence, signed or not, and the line would hold the other one."""
    for stated in ({}, {"equiv_prev_ug_per_day": 200}):
        assert code(current=parsed(FLUID), **stated) == "rx_not_bench"
        assert code(FLUID, current=parsed(), **stated) == "rx_not_bench"
    assert code(FLUID, current=parsed(FLUID)) is None


# In memory


def test_values_in_memory_are_compared_with_the_document():
    """RX-08: any changed value, or a changed document, is seen."""
    assert prescription.is_as_signed(parsed())
    for key, _ in prescription.FIELDS[2:]:
        rx = parsed()
        value = getattr(rx, key)
        setattr(rx, key, value + "x" if isinstance(value, str) else value ^ 1)
        assert not prescription.is_as_signed(rx), key
    rx = parsed()
    rx.document = rx.document.replace(b"20", b"21")
    assert not prescription.is_as_signed(rx)


# Fuzz


class Dice:
    """The same small integers on every interpreter, from a seed."""

    def __init__(self, seed):
        self.state = seed

    def throw(self, sides):
        self.state = (self.state * 1103 + 12345) % 1_048_576
        return (self.state >> 4) % sides


PIECES = (b"0", b"9", b".", b",", b"-", b'"', b":", b"{", b"}", b" ", b"e", b"none", b"\\", b"\xc2\xb5")


def mutated(document, dice):
    """The document with one to three small damages, and sometimes none that matters."""
    for _ in range(1 + dice.throw(3)):
        at = dice.throw(len(document))
        way = dice.throw(6)
        if way == 0:
            document = document[:at] + bytes([document[at] ^ (1 << dice.throw(8))]) + document[at + 1 :]
        elif way == 1:
            document = document[:at] + document[at + 1 + dice.throw(12) :]
        elif way == 2:
            document = document[:at] + PIECES[dice.throw(len(PIECES))] + document[at:]
        elif way == 3:
            document = document[:at] + PIECES[dice.throw(len(PIECES))] + document[at + 1 :]
        elif way == 4:
            document = document[: at + 24] + document[at:]
        else:
            document = document[:at] + bytes([48 + dice.throw(10)]) + document[at + 1 :]
        document = document or b"{"
    return document


def is_exact(document, rx):
    """Whether a document that was accepted is one of this form, by a parser that is not ours."""
    values = json.loads(document)
    if len(values) != len(prescription.FIELDS) or document.count(b":") < len(values):
        return False
    for key, kind in prescription.FIELDS:
        value = values.get(key)
        is_right = isinstance(value, str if kind == fields.TEXT else int)
        if not (is_right or (kind == fields.COUNT_OR_NONE and value == "none")):
            return False
        if key not in ("type", "version", "flow_nl_per_h") and getattr(rx, key) != (value if is_right else 0):
            return False
    quotes = 2 * len(values) + 2 * sum(1 for key in values if isinstance(values[key], str))
    return document.count(b'"') == quotes and values["type"] == "prescription" and values["version"] == 1


def test_fuzz_nothing_is_accepted_unless_exact():
    """H01, SEC-10: 10 000 damaged documents end as an exact prescription or as a Refused, as nothing else."""
    dice = Dice(1)
    original = signed_vectors.RX.encode()
    accepted = allowed = 0
    for _ in range(10_000):
        document = mutated(original, dice)
        try:
            rx = prescription.parse(document)
            accepted += 1
            assert is_exact(document, rx), document
            prescription.check(rx, BENCH, LIBRARY, 0, None)
            allowed += 1
        except Refused as refused:
            assert refused.code.startswith("rx_")
    assert 0 < allowed < accepted < 3_000  # a changed digit is still exact: that is what the signature is for


def test_fuzz_nothing_is_admitted_but_the_signed_text():
    """H08: not one of the damaged documents, exact or not, passes with the signature of the original."""
    dice = Dice(2)
    original = signed_vectors.RX.encode()
    for _ in range(100):
        document = mutated(original, dice)
        assert admission(document) is not None or document == original, document
