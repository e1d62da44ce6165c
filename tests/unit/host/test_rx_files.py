"""Prescription files: signing by two people, and `rx verify`, which decides as a pump of the authority does."""

import json

import pytest
from cisterna import paths
from cisterna.errors import DocumentError
from cisterna.pharmacy import documents, keys, provision, rx_files, sign, signed_files, verification
from support.simulated import clinic_files
from support.simulated.clinic_files import HIGH, SERIAL, signed_rx, text

DAY = paths.SCENARIOS / "hydromorphone-pca-day.toml"


def verify(rx, **changes):
    asked = {
        "authority": clinic_files.clinic_keys().authority.modulus_hex,
        "people_file": clinic_files.people_file(),
        "library_file": clinic_files.library_file(),
    }
    return verification.verify(rx, **asked | changes)


def codes(rx, **changes):
    """The words of what is refused, by what was looked at."""
    checks = verify(rx, **changes).checks
    return {what.split()[0]: said.split(":")[0] for what, said in checks if said}


def edited(rx, old, new):
    assert old in rx.document
    return rx.model_copy(update={"document": rx.document.replace(old, new)})


def with_signature(rx, role, **changes):
    signed = rx.signature_of(role).model_copy(update=changes)
    return rx.model_copy(update={"signatures": rx.signatures.model_copy(update={role: signed})})


# What the whole is worth


def test_two_signatures_are_accepted():
    verdict = verify(signed_rx())
    assert verdict.problems == []
    assert [what for what, _ in verdict.checks] == [
        "prescriber prescriber", "second second", "rules", "as the pump does it",
    ]  # fmt: skip


def test_missing_signatures():
    assert codes(signed_rx(people=("prescriber",))) == {"second": "rx_unsigned"}
    assert codes(signed_rx(people=("second",))) == {"prescriber": "rx_unsigned"}
    assert set(codes(signed_rx(people=()))) == {"prescriber", "second"}


def test_a_value_that_was_edited_after_signing():
    wrong = edited(signed_rx(), '"bolus_ug":20', '"bolus_ug":21')
    assert codes(wrong) == {"prescriber": "rx_signature", "second": "rx_signature"}


def test_swapped_signatures():
    rx = signed_rx()
    other = {role: rx.signature_of(role).signature for role in rx_files.ROLES}
    swapped = with_signature(with_signature(rx, "prescriber", signature=other["second"]), "second",
                             signature=other["prescriber"])  # fmt: skip
    assert codes(swapped) == {"prescriber": "rx_signature", "second": "rx_signature"}


@pytest.mark.parametrize("role", rx_files.ROLES)
def test_a_forged_signature(role):
    forged = sign.signature_hex(text(), clinic_files.foreign_key())
    assert codes(with_signature(signed_rx(), role, signature=forged)) == {role: "rx_signature"}
    zeros = with_signature(signed_rx(), role, signature="0" * 768)
    assert codes(zeros) == {role: "rx_signature"}


def test_a_signature_of_another_prescription():
    other = signed_rx(text(sequence=2)).signature_of("second").signature
    assert codes(with_signature(signed_rx(), "second", signature=other)) == {"second": "rx_signature"}


def test_one_person_in_both_roles():
    """By hand, past the tool that would not do it: the prescriber's own second signature."""
    rx = signed_rx()
    own = rx.signature_of("prescriber")
    twice = with_signature(rx, "second", by="prescriber", signature=own.signature)
    assert codes(twice) == {"second": "person_role"}


def test_one_person_with_both_roles():
    """Where the clinic gave one person both roles, that is still one person."""
    own = clinic_files.clinic_keys()
    person = {"name": "prescriber", "roles": ["prescriber", "second"], "key": own.prescriber.modulus_hex}
    both = clinic_files.people_file(documents.people(number=1, clinic="Ward", persons=[person]))
    rx = with_signature(signed_rx(), "second", **signed_rx().signature_of("prescriber").model_dump())
    assert codes(rx, people_file=both) == {"as": "rx_same_person"}
    high = signed_rx(text(**HIGH), lift=True)
    said = high.override.document
    by_himself = rx_files.Override(document=said, **sign.signed_by("prescriber", said, own.prescriber))
    refused = codes(high.model_copy(update={"override": by_himself}), people_file=both)
    assert (refused["override"], refused["rules"]) == ("override_same_person", "rx_first_dose")


def test_wrong_role_and_unknown_person():
    by_clinician = sign.signed_by("clinician", text(), clinic_files.clinic_keys().clinician)
    assert codes(with_signature(signed_rx(), "prescriber", **by_clinician)) == {"prescriber": "person_role"}
    by_nobody = sign.signed_by("nobody", text(), clinic_files.foreign_key())
    assert codes(with_signature(signed_rx(), "second", **by_nobody)) == {"second": "person_unknown"}


def test_wrong_authority():
    """People or library by another authority: no further finding on the prescription."""
    stranger = clinic_files.foreign_key()
    for changes, said in (
        ({"authority": stranger.modulus_hex}, "people"),
        ({"people_file": clinic_files.people_file(authority=stranger)}, "people"),
        ({"library_file": clinic_files.library_file(authority=stranger)}, "library"),
    ):
        with pytest.raises(DocumentError, match=f"{said}: not signed by the authority"):
            verify(signed_rx(), **changes)


def test_edited_people_and_library():
    folk, drugs = clinic_files.people_file(), clinic_files.library_file()
    promoted = folk.model_copy(update={"document": folk.document.replace('"clinician"', '"prescriber clinician"')})
    raised = drugs.model_copy(update={"document": drugs.document.replace('_per_day":500', '_per_day":900')})
    for changes in ({"people_file": promoted}, {"library_file": raised}):
        with pytest.raises(DocumentError, match="or changed since"):
            verify(signed_rx(), **changes)


def test_the_authority_cannot_sign_as_a_person():
    own = clinic_files.clinic_keys()
    person = {"name": "chief", "roles": ["prescriber"], "key": own.authority.modulus_hex}
    with pytest.raises(verification.DocumentRefused) as rejected:
        verify(
            signed_rx(), people_file=clinic_files.people_file(documents.people(number=1, clinic="W", persons=[person]))
        )
    assert rejected.value.code == "people_authority"


# Doses


def test_doses_are_checked_besides_the_signatures():
    """Both are reported at once."""
    rx = signed_rx(text(bolus_ug=400), people=("prescriber",))
    assert codes(rx) == {"second": "rx_unsigned", "rules": "rx_bolus_max"}


def test_first_dose_ceiling_and_its_override():
    high = text(**HIGH)
    assert codes(signed_rx(high)) == {"rules": "rx_first_dose"}
    lifted = signed_rx(high, lift=True)
    assert verify(lifted).problems == []
    of_another = signed_rx(text(2, **HIGH), lift=True).override
    assert codes(lifted.model_copy(update={"override": of_another})) == {"rules": "rx_first_dose"}


def test_override_by_the_prescriber_or_a_stranger():
    lifted = signed_rx(text(**HIGH), lift=True)
    said = lifted.override.document
    for name, signer, code in (
        ("prescriber", clinic_files.clinic_keys().prescriber, "person_role"),
        ("second", clinic_files.foreign_key(), "override_signature"),
    ):
        other = rx_files.Override(document=said, **sign.signed_by(name, said, signer))
        assert codes(lifted.model_copy(update={"override": other})) == {"override": code, "rules": "rx_first_dose"}


def test_after_the_prescription_in_force():
    """Then it is a change: newer, and at most double."""
    before = signed_rx()
    doubled = text(2, basal_ug_per_day=400, limit_24h_ug=640)
    assert verify(signed_rx(doubled), after=before).problems == []
    assert codes(signed_rx(text(1)), after=before) == {"rules": "rx_sequence"}
    assert "rules" in codes(signed_rx(text(2, basal_ug_per_day=450, limit_24h_ug=700)), after=before)
    other = rx_files.new(text(1).replace(clinic_files.SERIAL, "CB-0002"))
    with pytest.raises(DocumentError, match="in force: serial held CB-0002; allowed: CB-0001"):
        verify(signed_rx(text(2)), after=other)


def test_the_library_decides_the_rules():
    """Without one, only a pump of the bench has its own."""
    assert codes(signed_rx(), library_file=None) == {"rules": "rx_library_absent"}
    assert verify(signed_rx(), library_file=None, bench=True).problems == []
    cisternal, lumbar = ('"route":"intrathecal","site":"cisternal"', '"route":"epidural","site":"lumbar"')
    elsewhere = provision.bench_library_text().replace(cisternal, lumbar)
    assert codes(
        signed_rx(), library_file=signed_files.signed("library", elsewhere, clinic_files.clinic_keys().authority)
    ) == {"rules": "rx_route_site"}


# Signing


def test_the_second_is_another_person():
    own = clinic_files.clinic_keys()
    rx = signed_rx(people=("prescriber",))
    with pytest.raises(rx_files.SignatureRefused, match="prescriber has signed as prescriber"):
        rx_files.add_signature(rx, "second", "prescriber", own.second)
    with pytest.raises(rx_files.SignatureRefused, match="the key with which prescriber signed"):
        rx_files.add_signature(rx, "second", "second", own.prescriber)


def test_order_of_the_two_does_not_matter():
    own = clinic_files.clinic_keys()
    rx = signed_rx(people=("second", "prescriber"))
    assert rx.params() == signed_rx().params()
    with pytest.raises(rx_files.SignatureRefused, match="the key with which second signed"):
        rx_files.add_signature(signed_rx(people=("second",)), "prescriber", "other", own.second)


def test_who_has_signed_is_not_replaced():
    rx = signed_rx()
    assert rx_files.add_signature(rx, "second", "second", clinic_files.clinic_keys().second) == rx
    with pytest.raises(rx_files.SignatureRefused, match="second has signed already"):
        rx_files.add_signature(rx, "second", "other", clinic_files.foreign_key())


def test_only_the_second_lifts_the_ceiling():
    with pytest.raises(rx_files.SignatureRefused, match="use --as second"):
        rx_files.add_signature(
            signed_rx(people=()), "prescriber", "prescriber", clinic_files.foreign_key(), serial=SERIAL
        )


def test_the_file_is_what_the_pump_is_given():
    own = clinic_files.clinic_keys()
    assert signed_rx().params() == sign.rx_params(text(), own)
    assert signed_rx(text(**HIGH), lift=True).params() == sign.overridden_rx_params(text(**HIGH), own, SERIAL)
    assert signed_rx(people=()).params() == {"document": text(), "signatures": {}, "override": None}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"override"', '"overide"', "overide is an unknown key"),
        ('"by": "second"', '"by": "Dr. Second"', "signatures.second.by held"),
        ('"second": {', '"third": {', "signatures.third is an unknown key"),
        ("{", "[", "not JSON"),
        ('"document": "', '"document": "\u00b5', "document held"),
    ],
)
def test_a_file_that_is_no_prescription(tmp_path, old, new, said):
    path = clinic_files.write(tmp_path / "x.rx", signed_rx())
    path.write_text(path.read_text().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DocumentError) as error:
        signed_files.read(rx_files.RxFile, path)
    assert str(path) in str(error.value) and said in str(error.value)


# The commands


@pytest.fixture
def folder(tmp_path):
    """Everything a clinic has in files, by the command line's names."""
    clinic_files.write(tmp_path / "c.people", clinic_files.people_file())
    clinic_files.write(tmp_path / "c.library", clinic_files.library_file())
    own = clinic_files.clinic_keys()
    clinic_files.secret_file(tmp_path)
    for name in ("prescriber", "second"):
        (tmp_path / f"{name}.key").write_bytes(getattr(own, name).pem("correct horse battery"))
    (tmp_path / "clinic.pem").write_bytes(keys.public_pem(own.authority.modulus_hex))
    return tmp_path


def rx_new(folder, source=DAY):
    asked = ("--serial", SERIAL, "--patient", "4711", "--sequence", 1)
    return clinic_files.run("rx", "new", source, *asked, "--out", folder / "x.rx")


def rx_sign(folder, role, *options, by=None, key=None, typed=None):
    """With the digits of the hash typed, as a person would; `typed`: something else."""
    if typed is None:
        typed = sign.hash8(signed_files.read(rx_files.RxFile, folder / "x.rx").document)[:4]
    return clinic_files.run(
        "rx", "sign", folder / "x.rx", "--as", role, "--by", by or role, "--key", folder / f"{key or role}.key",
        "--passphrase-file", folder / "passphrase", *options, input=typed + "\n",
    )  # fmt: skip


def rx_verify(folder, *options, rx="x.rx"):
    return clinic_files.run(
        "rx", "verify", folder / rx, "--people", folder / "c.people", "--library", folder / "c.library",
        "--authority", folder / "clinic.pem", *options,
    )  # fmt: skip


def test_a_scenario_becomes_a_prescription_with_two_signatures(folder):
    status, said, _ = rx_new(folder)
    assert status == 0
    shown = {line[:27].strip(): line[27:].strip() for line in said.splitlines()}
    assert (shown["basal"], shown["basal flow"]) == ("140 ug/day", "116666 nL/h (0.117 mL/h)")
    assert (shown["lockout"], shown["limit of 24 h"], shown["limit of 1 h"]) == ("3600 s (1 h)", "224 ug", "none")
    assert (shown["fill"], shown["signed as second"]) == ("10000 uL (10 mL)", "nobody yet")
    assert rx_verify(folder)[0] == 2
    assert rx_sign(folder, "prescriber")[0] == 0
    assert rx_sign(folder, "second")[0] == 0
    status, said, _ = rx_verify(folder)
    assert (status, "rx_first_dose" in said) == (2, True)
    assert rx_sign(folder, "second", "--override")[0] == 0
    status, said, _ = rx_verify(folder)
    assert status == 0 and said.count("good") == 5
    told = json.loads(rx_verify(folder, "--json")[1])
    assert told["accepted"] and [check["refusal"] for check in told["checks"]] == [None] * 5
    shown = json.loads(clinic_files.run("rx", "show", folder / "x.rx", "--json")[1])
    assert shown["signatures"] == {"prescriber": "prescriber", "second": "second"}
    assert (shown["override"], shown["hash"]) == ("second", told["hash"])
    assert "ceiling stays lifted: second" in rx_sign(folder, "second")[1]
    assert shown["values"]["bolus_ug"] == 14


def test_two_tables_are_enough(folder):
    source = folder / "short.toml"
    text = DAY.read_text()
    source.write_text(text[text.index("[pump]") : text.index("# First episode")].replace("hydromorphone", "ziconotide"))
    assert rx_new(folder, source)[0] == 0
    shown = clinic_files.run("rx", "show", folder / "x.rx")[1]
    assert "ziconotide" in shown, "which drugs there are is for the library to say"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bolus_ug                =", "bolus_mg =", "prescription.bolus_mg is an unknown key"),
        ("= 140 ", "= 140.5 ", "prescription.basal_ug_per_day held 140.5; allowed: a whole number"),
        ('"bd-10"', '"bd-11"', "pump.syringe held"),
        ("fill_ml      = 10.0", "fill_ml = 12.0", "pump.fill_ml held 12.0; allowed: at most 10"),
        ("[prescription]", "[rx]", "prescription is missing"),
    ],
)
def test_a_source_with_a_fault(folder, old, new, said):
    source = folder / "wrong.toml"
    source.write_text(DAY.read_text().replace(old, new, 1))
    status, out, error = rx_new(folder, source)
    assert (status, out) == (2, "") and said in error
    assert not (folder / "x.rx").exists()


def test_a_prescription_is_not_overwritten_unasked(folder):
    assert rx_new(folder)[0] == 0
    before = (folder / "x.rx").read_bytes()
    status, _, said = rx_new(folder)
    assert status == 2 and "is there already" in said
    assert (folder / "x.rx").read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"role": "second", "typed": "0000"}, "nothing was signed"),
        ({"role": "second", "typed": ""}, "nothing was signed"),
        ({"role": "second", "by": "prescriber"}, "has signed as prescriber"),
        ({"role": "second", "key": "prescriber"}, "the key with which prescriber signed"),
        ({"role": "prescriber", "by": "other", "key": "second"}, "prescriber has signed already"),
        ({"role": "clinician", "key": "second"}, "allowed: prescriber, second"),
        ({"role": "second", "by": "Dr. Second", "key": "second"}, "1 to 16 of a-z"),
    ],
)
def test_a_refused_signature_changes_nothing(folder, asked, said):
    rx_new(folder)
    assert rx_sign(folder, "prescriber")[0] == 0
    before = (folder / "x.rx").read_bytes()
    status, _, error = rx_sign(folder, **asked)
    assert status == 2 and said in error and "Traceback" not in error
    assert (folder / "x.rx").read_bytes() == before


def test_signing_changes_neither_who_may_read_it_nor_where_it_lies(folder):
    """A prescription names its patient: who kept it for himself finds it so."""
    rx_new(folder)
    kept = folder / "kept.rx"
    (folder / "x.rx").rename(kept)
    kept.chmod(0o600)
    (folder / "x.rx").symlink_to("kept.rx")
    assert rx_sign(folder, "prescriber", "--yes")[0] == 0
    assert (folder / "x.rx").is_symlink() and kept.stat().st_mode & 0o777 == 0o600
    assert signed_files.read(rx_files.RxFile, kept).signatures.prescriber


def test_a_signature_added_meanwhile_is_kept(folder, monkeypatch):
    """Two people sign at the same time on their own computers: the later one gets an error."""
    rx_new(folder)
    add = rx_files.add_signature

    def slowly(rx, *asked, **also):
        monkeypatch.setattr(rx_files, "add_signature", add)
        assert rx_sign(folder, "second", "--yes")[0] == 0
        return add(rx, *asked, **also)

    monkeypatch.setattr(rx_files, "add_signature", slowly)
    status, _, error = rx_sign(folder, "prescriber", "--yes")
    assert status == 2 and error == f"{folder / 'x.rx'}: was changed meanwhile, nothing was signed; sign it again\n"
    assert signed_files.read(rx_files.RxFile, folder / "x.rx").signatures.second
    assert rx_sign(folder, "prescriber", "--yes")[0] == 0


def test_wrong_passphrase_signs_nothing(folder):
    rx_new(folder)
    clinic_files.secret_file(folder, "another passphrase", "passphrase")
    status, _, said = rx_sign(folder, "prescriber", "--yes")
    assert status == 2 and said == f"key {folder / 'prescriber.key'}: the passphrase is wrong\n"


def test_all_values_are_shown_before_signing(folder):
    rx_new(folder)
    said = rx_sign(folder, "prescriber", "--yes")[1]
    document = json.loads(signed_files.read(rx_files.RxFile, folder / "x.rx").document)
    for key, value in document.items():
        if key not in ("type", "version"):
            assert f" {value}" in said, key
    assert sign.hash8(signed_files.read(rx_files.RxFile, folder / "x.rx").document) in said


def test_verify_needs_a_library_or_the_bench(folder):
    clinic_files.write(folder / "x.rx", signed_rx())
    asked = ("rx", "verify", folder / "x.rx", "--people", folder / "c.people", "--authority", folder / "clinic.pem")
    status, _, said = clinic_files.run(*asked)
    assert status == 2 and "--library is missing" in said
    assert clinic_files.run(*asked, "--bench")[0] == 0


def test_files_that_are_not_what_is_asked_for(folder):
    rx = clinic_files.write(folder / "x.rx", signed_rx())
    verify = ("rx", "verify", rx, "--bench", "--people")
    for asked in (
        ("rx", "show", folder / "c.people"),
        ("rx", "show", folder / "none.rx"),
        ("people", "show", folder / "c.library"),
        ("library", "show", rx),
        (*verify, folder / "c.library", "--authority", folder / "clinic.pem"),
        (*verify, folder / "c.people", "--authority", folder / "none.pem"),
    ):
        status, _, said = clinic_files.run(*asked)
        assert status == 2 and said.startswith(("/", "key /")) and "unexpected" not in said, asked
