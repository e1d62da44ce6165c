"""`cisterna people` and `cisterna library`: made from what people write, signed by the authority, shown."""

import json
import os

import pytest
from cisterna.pharmacy import keys, signed_files, source_files
from pump.documents import library_document, people
from support.simulated import clinic_files

PEOPLE = """
clinic = "Ward 3"
[[person]]
name = "rossi"
roles = ["clinician", "prescriber"]
key = "rossi.pem"
[[person]]
name = "bianchi"
roles = ["second"]
key = "keys/bianchi.pem"
[[person]]
name = "verdi"
roles = ["service"]
key = "verdi.pem"
"""


@pytest.fixture
def folder(tmp_path):
    own = clinic_files.clinic_keys()
    clinic_files.secret_file(tmp_path)
    (tmp_path / "clinic.key").write_bytes(own.authority.pem("correct horse battery"))
    (tmp_path / "clinic.pem").write_bytes(keys.public_pem(own.authority.modulus_hex))
    (tmp_path / "keys").mkdir()
    (tmp_path / "rossi.pem").write_bytes(keys.public_pem(own.prescriber.modulus_hex))
    (tmp_path / "keys" / "bianchi.pem").write_bytes(keys.public_pem(own.second.modulus_hex))
    (tmp_path / "verdi.pem").write_bytes(keys.public_pem(own.service.modulus_hex))
    (tmp_path / "people.toml").write_text(PEOPLE)
    return tmp_path


def make(folder, kind, source, *options):
    title = ("--title", "Ward drugs") if kind == "library" else ()
    return clinic_files.run(
        kind, "make", source, "--number", 3, "--key", folder / "clinic.key", *title,
        "--passphrase-file", folder / "passphrase", "--out", folder / f"c.{kind}", *options,
    )  # fmt: skip


def test_people_are_made_and_shown(folder):
    status, said, _ = make(folder, "people", folder / "people.toml")
    own = clinic_files.clinic_keys()
    assert status == 0 and keys.fingerprint(own.prescriber.modulus_hex) in said
    signed = signed_files.read_signed(folder / "c.people", "people")
    signed.check(own.authority.modulus_hex)
    read = people.parse(signed.document)
    assert (read.number, read.clinic) == (3, "Ward 3")
    assert [(person.name, person.roles) for person in read.persons] == [
        ("rossi", ("prescriber", "clinician")), ("bianchi", ("second",)), ("verdi", ("service",)),
    ]  # fmt: skip
    status, said, _ = clinic_files.run(
        "people", "show", folder / "c.people", "--authority", folder / "clinic.pem", "--json"
    )
    told = json.loads(said)
    assert status == 0 and told["signed_by"] == keys.fingerprint(own.authority.modulus_hex)
    assert told["persons"][1] == {
        "name": "bianchi", "roles": ["second"], "fingerprint": keys.fingerprint(own.second.modulus_hex),
    }  # fmt: skip
    assert "signature not checked" in clinic_files.run("people", "show", folder / "c.people")[1]


def test_library_is_made_and_shown(folder):
    assert make(folder, "library", source_files.BENCH_LIBRARY)[0] == 0
    signed = signed_files.read_signed(folder / "c.library", "library")
    signed.check(clinic_files.clinic_keys().authority.modulus_hex)
    assert library_document.parse(signed.document).title == "Ward drugs"
    status, said, _ = clinic_files.run(
        "library", "show", folder / "c.library", "--authority", folder / "clinic.pem", "--json"
    )
    told = json.loads(said)
    assert status == 0 and len(told["entries"]) == 5
    assert told["entries"][0]["concentrations_ug_per_ml"] == [50, 100, 200, 500, 1000]
    shown = clinic_files.run("library", "show", folder / "c.library")[1]
    assert "morphine, intrathecal, lumbar" in shown and "first_dose_max_ug_per_day  500" in shown


@pytest.mark.parametrize("kind", ["people", "library"])
def test_another_authority_is_reported(folder, kind):
    make(folder, kind, folder / "people.toml" if kind == "people" else source_files.BENCH_LIBRARY)
    status, _, said = clinic_files.run(kind, "show", folder / f"c.{kind}", "--authority", folder / "rossi.pem")
    assert status == 2 and "not signed by the authority" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["second"]', '["nurse"]', "people_roles"),
        ('["service"]', '["clinician"]', "no person is service"),
        ('"bianchi"', '"rossi"', "people_name_doubled"),
        ("keys/bianchi.pem", "rossi.pem", "people_same_key"),
        ("keys/bianchi.pem", "clinic.pem", "people_authority"),
        ("keys/bianchi.pem", "none.pem", "none.pem: cannot be read"),
        ("keys/bianchi.pem", "clinic.key", "allowed: a public key"),
        ('"Ward 3"', '"Ward \\u00b5"', "clinic: holds"),
        ("[[person]]", "[[persons]]", "persons is an unknown key"),
        ('roles = ["second"]\n', "", "person.1.roles is missing"),
    ],
)
def test_people_that_no_pump_takes_are_not_signed(folder, old, new, said):
    (folder / "people.toml").write_text(PEOPLE.replace(old, new))
    status, _, error = make(folder, "people", folder / "people.toml")
    assert status == 2 and said in error and "unexpected" not in error
    assert not (folder / "c.people").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[50, 100, 200, 500, 1000]", "[50, 100, 90]", "library_concentrations"),
        ('drug  = "hydromorphone"', 'drug  = "test-fluid"', "library_drug"),
        ('site  = "lumbar"', 'site  = "cisternal"', "library_entry_doubled"),
        ('site  = "lumbar"', 'site  = "thoracic"', "library_site"),
        ("basal_hard_max_ug_per_day = 10000", "basal_hard_max_ug_per_day = 100", "library_order"),
    ],
)
def test_library_that_no_pump_takes_is_not_signed(folder, old, new, said):
    source = folder / "drugs.toml"
    source.write_text(source_files.BENCH_LIBRARY.read_text().replace(old, new, 1))
    status, _, error = make(folder, "library", source)
    assert status == 2 and said in error
    assert not (folder / "c.library").exists()


@pytest.mark.parametrize("kind", ["people", "library"])
def test_a_file_that_is_nested_without_end_is_named(folder, kind):
    deep = folder / "deep"
    deep.write_text("x = " + "[" * 100_000)
    status, _, error = make(folder, kind, deep)
    assert status == 2 and error == f"{deep}: nested too deep; allowed: a TOML file of the documented form\n"
    deep.write_text("[" * 100_000 + "]" * 100_000)
    status, _, error = clinic_files.run(kind, "show", deep)
    assert status == 2 and error.startswith(f"{deep}: nested too deep")


@pytest.mark.parametrize(
    ("command", "said"),
    [("people", "[[person]]"), ("library", "[[entry]]"), ("rx", "[prescription] and [pump]")],
)
def test_help_shows_the_names_of_tables(command, said):
    shown = clinic_files.run(command, "new" if command == "rx" else "make", "--help")[1]
    assert said in " ".join(shown.replace("\u2502", " ").split())


def test_no_file_is_overwritten_unasked(folder):
    assert make(folder, "people", folder / "people.toml")[0] == 0
    before = (folder / "c.people").read_bytes()
    status, _, said = make(folder, "people", folder / "people.toml")
    assert status == 2 and "is there already" in said
    os.remove(folder / "passphrase")  # so that it cannot have been asked for before
    assert "is there already" in make(folder, "people", folder / "people.toml")[2]
    assert (folder / "c.people").read_bytes() == before
    clinic_files.secret_file(folder)
    assert make(folder, "people", folder / "people.toml", "--force")[0] == 0
    assert (folder / "c.people").read_bytes() == before, "the same words have the same signature"
