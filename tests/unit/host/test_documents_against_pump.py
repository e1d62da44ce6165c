"""Documents, keys and signatures of the host, against the pump's own reading of them."""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import stat

import pytest
from cisterna.errors import CisternaError, DocumentError
from cisterna.pharmacy import documents, keys, provision, sign, source_files
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pump.authority import access, image_manifest, trust
from pump.authority.trust import Trust
from pump.base.pieces import finish
from pump.base.refusal import Refused
from pump.documents import fields, library_document, people, provisioning
from pump.documents.library import LIBRARY
from pump.prescribing import bolus_order, override, prescription
from pump.storage import vault
from support.simulated import clinic_files
from support.simulated.clinic_files import HIGH, MORPHINE, PUMP, SERIAL, text


@pytest.fixture(scope="module")
def bench():
    return clinic_files.clinic_keys()


def admit(call, pump_keys, last_sequence=0, people_text=None):
    """What a pump says that is provisioned with these keys and has the bench's people and library."""
    trust = trust_of(pump_keys, people_text)
    return prescription.admit(call["document"], call["signatures"], call["override"], trust, last_sequence, None)


def trust_of(pump_keys, people_text=None):
    known = provisioning.parse(provision.block(SERIAL, pump_keys.authority.modulus_hex, bench=True))
    folk = people.parse(people_text or provision.bench_people_text(pump_keys))
    drugs = library_document.parse(provision.bench_library_text())
    return Trust(known, folk, drugs.entries, drugs.number)


# Documents


def test_keys_are_the_pumps_keys_in_its_order():
    for host, pump in (
        (documents.PRESCRIPTION_KEYS, prescription.FIELDS),
        (documents.ORDER_KEYS, bolus_order.FIELDS),
        (documents.OVERRIDE_KEYS, override.FIELDS),
        (documents.IMAGE_KEYS, image_manifest.FIELDS),
        (documents.LOG_ON_KEYS, access.FIELDS),
        (documents.PEOPLE_KEYS, people.HEAD),
        (documents.LIBRARY_KEYS, library_document.HEAD),
        (documents.DRUG_KEYS, library_document.FIELDS),
    ):
        assert list(host) == [key for key, _ in pump]
    assert (documents.PERSON_KEYS, documents.ROLES) == (people.KEYS, people.ROLES)
    assert set(documents.OPTIONAL) == {key for key, kind in prescription.FIELDS if kind == fields.COUNT_OR_NONE}


def test_text_is_canonical():
    written = text()
    assert written.startswith('{"type":"prescription","version":1,"serial":"CB-0001",')
    assert " " not in written and written == text()
    assert list(json.loads(written)) == list(documents.PRESCRIPTION_KEYS)


def test_limits_that_are_left_out_are_stated():
    """RX-02."""
    stated = json.loads(text(limit_1h_ug=None))
    assert [stated[key] for key in ("limit_1h_ug", "limit_4h_ug", "max_boluses_per_h")] == ["none"] * 3
    assert stated["equiv_prev_ug_per_day"] == "none"
    assert stated["limit_24h_ug"] == 320


def test_zero_limit_is_written_as_it_is():
    """LIM-10: to refuse it is the pump's, not to hide it the host's."""
    assert json.loads(text(limit_1h_ug=0))["limit_1h_ug"] == 0


def test_flow_is_derived_as_the_pump_does():
    """H03."""
    for basal, concentration in ((200, 200), (0, 1000), (14_401, 7), (719, 30), (240_000, 1000)):
        written = text(basal_ug_per_day=basal, concentration_ug_per_ml=concentration)
        rx = prescription.parse(written)
        assert rx.flow_stated_nl_per_h == rx.flow_nl_per_h


def test_set_of_a_scenario_in_integers():
    stated = documents.pump_table_values(
        {
            "syringe": "bd-5",
            "fill_ml": 2.3,
            "deadspace_ul": 299.6,
            "compliance_known_as": 9.1234,
            "tip_kpa": 1.3,
        }
    )
    assert stated == {"syringe": "bd-5", "fill_ul": 2300, "deadspace_ul": 300, "compliance_nl_per_kpa": 9123}
    assert documents.pump_table_values({"syringe": "bd-5", "fill_ml": 4.9999}) == {
        "syringe": "bd-5",
        "fill_ul": 4999,
        "deadspace_ul": 300,
        "compliance_nl_per_kpa": 9000,
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"basal_ug_per_day": 0.2}, "basal_ug_per_day"),
        ({"basal_ug_per_day": "200"}, "flow_nl_per_h"),
        ({"bolus_ug": 20.0}, "bolus_ug: holds 20.0"),
        ({"bolus_ug": True}, "bolus_ug: holds True"),
        ({"basal_mg": 200}, "basal_mg: unknown key"),
        ({"site": 'a"b'}, "site: holds"),
        ({"site": "a\\b"}, "site: holds"),
        ({"site": "\u00b5"}, "site: holds"),
        ({"concentration_ug_per_ml": 0}, "flow_nl_per_h"),
    ],
)
def test_what_cannot_be_written(changes, said):
    """H01: a bare float is a type error."""
    with pytest.raises(DocumentError, match=said):
        text(**changes)


def test_missing_key():
    values = MORPHINE | documents.pump_table_values(PUMP)
    del values["lockout_s"]
    with pytest.raises(DocumentError, match="lockout_s: missing"):
        documents.prescription(values, serial=SERIAL, patient="bench", sequence=1)


# People, library, log-on, image


def test_library_of_the_bench_is_the_one_of_the_image():
    drugs = library_document.parse(provision.bench_library_text())
    assert drugs.entries == LIBRARY
    assert (drugs.number, drugs.title) == (1, "Bench defaults")


def test_people_of_the_bench(bench):
    read = people.parse(provision.bench_people_text(bench))
    assert [(person.name, person.roles) for person in read.persons] == [(name, (name,)) for name in keys.PEOPLE]
    assert read.key("second", "second") == int(bench.second.modulus_hex, 16)


def test_roles_are_written_in_the_pumps_order(bench):
    person = {"name": "rossi", "roles": ["service", "prescriber", "prescriber"], "key": bench.second.modulus_hex}
    written = documents.people(number=3, clinic="Ward", persons=[person])
    assert people.parse(written).persons[0].roles == ("prescriber", "service")
    assert written.endswith('"}\n') and written.count("\n") == 2


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ({"roles": ["nurse"]}, "people_roles"),
        ({"roles": []}, "people_roles"),
        ({"name": "Rossi"}, "people_name"),
        ({"key": "ff"}, "people_key"),
    ],
)
def test_people_that_no_pump_takes_are_not_hidden(bench, person, code):
    stated = {"name": "rossi", "roles": ["second"], "key": bench.second.modulus_hex} | person
    with pytest.raises(Refused) as refused:
        people.parse(documents.people(number=1, clinic="Ward", persons=[stated]))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("lockout_min_s             = 1800", ""), "entry.0.lockout_min_s is missing"),
        (("= 1800 ", "= 1800.0 "), "entry.0.lockout_min_s held 1800.0; allowed: a whole number"),
        (("bolus_max_ug  ", "bolus_max_mg  "), "entry.0.bolus_max_mg is an unknown key"),
        (("[50,", '["50",'), "entry.0.concentrations_ug_per_ml.0 held"),
        (("\n[[entry]]", "\n[[entry]"), "not TOML"),
    ],
)
def test_library_file_with_a_fault(tmp_path, change, said):
    path = tmp_path / "drugs.toml"
    path.write_text(source_files.BENCH_LIBRARY.read_text().replace(*change, 1))
    with pytest.raises(DocumentError) as error:
        source_files.library(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_log_on_is_signed_by_a_person(bench):
    """The text is the one that the pump reads, and its person's key is the one that counts."""
    written = documents.log_on(serial=SERIAL, challenge="c" * 32, person="clinician", role="clinician", anchor="a" * 64)
    values = fields.read(written.encode(), access.PREFIX, access.TYPE, access.FIELDS)
    assert (values["person"], values["anchor"]) == ("clinician", "a" * 64)


def test_image_manifest_is_the_pumps(bench):
    written = documents.image_manifest(build="1a2b", commit="3c4d", variant="therapy", uf2_sha256="0" * 64)
    pump = trust_of(bench)
    signed = sign.signature_hex(written, bench.authority)
    assert finish(image_manifest.admit_in_pieces(written, signed, pump))["build"] == "1a2b"
    with pytest.raises(Refused) as refused:
        finish(image_manifest.admit_in_pieces(written, sign.signature_hex(written, bench.service), pump))
    assert refused.value.code == "image_signature"


# Signatures


def test_pump_admits_what_the_host_signs(bench):
    """SEC-01, RX-04."""
    call = sign.rx_params(text(), bench)
    rx = admit(call, bench)
    assert rx.hash8 == sign.hash8(call["document"])
    assert rx.sha256 == sign.sha256_hex(call["document"])
    assert rx.values() == json.loads(call["document"])


@pytest.mark.parametrize("role", ["prescriber", "second"])
def test_pump_refuses_another_users_signature(bench, role):
    """SEC-01."""
    others = dataclasses.replace(bench, **{role: clinic_files.foreign_key()})
    with pytest.raises(Refused) as refused:
        admit(sign.rx_params(text(), others), bench)
    assert refused.value.code == "rx_signature"


def test_second_person_lifts_the_first_dose_ceiling(bench):
    """H06."""
    high = text(**HIGH)
    with pytest.raises(Refused) as refused:
        admit(sign.rx_params(high, bench), bench)
    assert refused.value.code == "rx_first_dose"
    assert admit(sign.overridden_rx_params(high, bench, SERIAL), bench).basal_ug_per_day == 700


def test_one_person_with_both_hands(bench):
    """H06: the prescriber's own override does not count."""
    high = text(**HIGH)
    call = sign.overridden_rx_params(high, bench, SERIAL)
    own = call["override"] | sign.signed_by("prescriber", call["override"]["document"], bench.prescriber)
    with pytest.raises(Refused) as refused:
        admit(call | {"override": own}, bench)
    assert (refused.value.code, refused.value.detail["override"]) == ("rx_first_dose", "person_role")
    forged = call["override"] | {"signature": own["signature"]}  # in the second person's name
    with pytest.raises(Refused) as refused:
        admit(call | {"override": forged}, bench)
    assert refused.value.detail["override"] == "override_signature"


def test_signed_order(bench):
    rx = prescription.parse(text())
    ordered = documents.clinician_bolus(serial=SERIAL, sequence=2, rx=rx.hash8, ug=50, over_s=600)
    call = sign.order_params(ordered, bench)
    admitted = bolus_order.admit_order(call["document"], call["by"], call["signature"], trust_of(bench), 1, rx)
    assert (admitted.ug, admitted.over_s) == (50, 600)


# Provisioning


def test_block_tells_the_pump_who_it_is(bench):
    block = provision.block(SERIAL, bench.authority.modulus_hex, bench=False)
    known = provisioning.parse(block.ljust(provisioning.BLOCK_BYTES, b"\x00"))
    assert (known.serial, known.bench) == (SERIAL, False)
    assert known.authority == int(bench.authority.modulus_hex, 16)
    assert provisioning.fingerprint(known.authority) == keys.fingerprint(bench.authority.modulus_hex)


def test_longest_block_fits(bench):
    modulus = bench.authority.modulus_hex
    assert provision.FRAM_ADDRESS == provisioning.FRAM_ADDRESS
    assert len(provision.block("C" * 20, modulus, bench=False)) <= provisioning.BLOCK_BYTES
    image = provision.fram_image(SERIAL, modulus, bench=True)
    assert {int(address): bytes.fromhex(image[address]) for address in image} == {
        provisioning.FRAM_ADDRESS: provision.block(SERIAL, modulus, bench=True)
    }


def test_text_of_the_block_is_what_the_link_carries(bench):
    written = provision.block_text(SERIAL, bench.authority.modulus_hex, bench=True)
    assert provisioning.parse_text(written.encode()).serial == SERIAL


class Memory:
    """A part of the pump that is only read: bytes from an address on, blank elsewhere."""

    def __init__(self, at, data):
        self.at = at
        self.data = data

    def read_into(self, address, buffer):
        for i in range(len(buffer)):
            place = address + i - self.at
            buffer[i] = self.data[place] if 0 <= place < len(self.data) else 0

    def ioctl(self, op, arg):
        assert op == 5
        return 4096

    def readblocks(self, block, buffer, offset=0):
        for i in range(len(buffer)):
            place = block * 4096 + offset + i
            buffer[i] = self.data[place] if place < len(self.data) else 0xFF


def test_simulated_pump_starts_with_people_and_library(bench):
    config = provision.bench_target_config(SERIAL, bench)
    assert config == provision.bench_target_config(SERIAL, bench), "the same each time"
    address, block = next(iter(config["fram_image"].items()))
    flash = Memory(0, bytes.fromhex(config["vault_image"]))
    known = trust.restore(Memory(int(address), bytes.fromhex(block)), vault.Vault(flash))
    assert (known.provisioning.serial, known.people_number, known.library_number) == (SERIAL, 1, 1)
    assert known.key("prescriber", "prescriber", "rx") == int(bench.prescriber.modulus_hex, 16)
    assert known.library_in_force() == LIBRARY
    for kind, document in ((vault.PEOPLE, "people"), (vault.LIBRARY, "library")):
        _, written, signature = vault.Vault(flash).read(kind)
        assert keys.is_signature(written, signature, bench.authority.modulus_hex), document


# Key files

BENCH = ("authority", *keys.PEOPLE)


def moduli(folder):
    """What one process gets of the bench keys; at module level, so that it can run in another one."""
    made = keys.bench_keys(folder)
    return tuple(getattr(made, name).modulus_hex for name in BENCH)


def test_bench_keys_stay(tmp_path):
    first = moduli(tmp_path / "keys")
    assert first == moduli(tmp_path / "keys")
    assert len(set(first)) == len(BENCH)
    assert {len(modulus) for modulus in first} == {768}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_bench_keys_are_for_this_user_only(tmp_path):
    moduli(tmp_path / "keys")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {f"bench-{name}.pem": 0o600 for name in BENCH}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_two_processes_at_once_get_the_same_keys(tmp_path):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
        got = list(pool.map(moduli, [tmp_path / "keys"] * 3))
    assert len(set(got)) == 1
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {f"bench-{name}.pem" for name in BENCH}


def test_file_that_is_no_key(tmp_path):
    (tmp_path / "bench-prescriber.pem").write_text("no key")
    with pytest.raises(CisternaError, match=r"bench-prescriber\.pem.*RSA-3072"):
        keys.bench_keys(tmp_path)


def test_key_that_is_too_short(tmp_path):
    short = rsa.generate_private_key(65537, 2048)
    pem = short.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "bench-prescriber.pem").write_bytes(pem)
    with pytest.raises(keys.KeyFileError, match="RSA-3072"):
        keys.bench_keys(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(keys.KeyFileError, match="allowed"):
        keys.bench_keys(tmp_path / "file" / "keys")


def test_bench_keys_of_before_stay_valid(tmp_path):
    """Two files were there before the others came: they are kept, and the others made beside them."""
    first = keys.generate()
    (tmp_path / "bench-prescriber.pem").write_bytes(first.pem(None))
    assert keys.bench_keys(tmp_path).prescriber.modulus_hex == first.modulus_hex
