"""Documents, keys and signatures of the host, against the pump's own reading of them."""

import concurrent.futures
import json
import multiprocessing
import os
import stat

import pytest
from cisterna.errors import CisternaError
from cisterna.pharmacy import documents, keys, provision, sign
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pump import form, order, override, prescription, provisioning
from pump.library import LIBRARY
from pump.refusal import Refused

SERIAL = "CB-0001"
PUMP = {"syringe": "bd-10", "fill_ml": 10.0}
MORPHINE = {
    "drug": "morphine",
    "concentration_ug_per_ml": 200,
    "route": "intrathecal",
    "site": "cisternal",
    "basal_ug_per_day": 200,
    "bolus_ug": 20,
    "bolus_duration_s": 300,
    "lockout_s": 3600,
    "max_boluses_per_24h": 6,
    "limit_24h_ug": 320,
}


@pytest.fixture(scope="module")
def two_keys():
    return keys.Keys(keys.generate(), keys.generate())


def text(sequence=1, pump=PUMP, **changes):
    values = MORPHINE | documents.pump_keys(pump) | changes
    return documents.prescription(values, serial=SERIAL, patient="bench", sequence=sequence)


def admit(call, pump_keys, last_sequence=0):
    known = provisioning.parse(provision.block(SERIAL, pump_keys, bench=True))
    return prescription.admit(
        call["document"], call["signatures"], call.get("override"), known, LIBRARY, last_sequence, None
    )


# Documents


def test_keys_are_the_pumps_keys_in_its_order():
    for host, pump in (
        (documents.PRESCRIPTION_KEYS, prescription.FIELDS),
        (documents.ORDER_KEYS, order.FIELDS),
        (documents.OVERRIDE_KEYS, override.FIELDS),
    ):
        assert list(host) == [key for key, _ in pump]
    assert set(documents.OPTIONAL) == {key for key, kind in prescription.FIELDS if kind == form.COUNT_OR_NONE}


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
    stated = documents.pump_keys(
        {
            "syringe": "bd-5",
            "fill_ml": 2.3,
            "deadspace_ul": 299.6,
            "compliance_known_as": 9.1234,
            "tip_kpa": 1.3,
        }
    )
    assert stated == {"syringe": "bd-5", "fill_ul": 2300, "deadspace_ul": 300, "compliance_nl_per_kpa": 9123}
    assert documents.pump_keys({"syringe": "bd-5", "fill_ml": 4.9999}) == {
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
    with pytest.raises(documents.DocumentError, match=said):
        text(**changes)


def test_missing_key():
    values = MORPHINE | documents.pump_keys(PUMP)
    del values["lockout_s"]
    with pytest.raises(documents.DocumentError, match="lockout_s: missing"):
        documents.prescription(values, serial=SERIAL, patient="bench", sequence=1)


# Signatures


def test_pump_admits_what_the_host_signs(two_keys):
    """SEC-01, RX-04."""
    call = sign.prescription_call(text(), two_keys)
    rx = admit(call, two_keys)
    assert rx.hash8 == sign.hash8(call["document"])
    assert rx.sha256 == sign.sha256_hex(call["document"])
    assert rx.values() == json.loads(call["document"])


def test_pump_refuses_another_users_signature(two_keys):
    """SEC-01."""
    stranger = keys.Keys(keys.generate(), two_keys.second)
    with pytest.raises(Refused) as refused:
        admit(sign.prescription_call(text(), stranger), two_keys)
    assert refused.value.code == "rx_signature"


def test_second_person_lifts_the_first_dose_ceiling(two_keys):
    """H06."""
    high = text(basal_ug_per_day=700, limit_24h_ug=1000)
    with pytest.raises(Refused) as refused:
        admit(sign.prescription_call(high, two_keys), two_keys)
    assert refused.value.code == "rx_first_dose"
    assert admit(sign.overridden_call(high, two_keys, SERIAL), two_keys).basal_ug_per_day == 700


def test_one_person_with_both_hands(two_keys):
    """H06: the prescriber's own override does not count."""
    high = text(basal_ug_per_day=700, limit_24h_ug=1000)
    alone = keys.Keys(two_keys.prescriber, two_keys.prescriber)
    with pytest.raises(Refused) as refused:
        admit(sign.overridden_call(high, alone, SERIAL), two_keys)
    assert refused.value.detail["override"] == "override_signature"


def test_signed_order(two_keys):
    known = provisioning.parse(provision.block(SERIAL, two_keys, bench=True))
    rx = prescription.parse(text())
    ordered = documents.clinician_bolus(serial=SERIAL, sequence=2, rx=rx.hash8, ug=50, over_s=600)
    call = sign.order_call(ordered, two_keys)
    admitted = order.admit_order(call["document"], call["signature"], known, LIBRARY, 1, rx)
    assert (admitted.ug, admitted.over_s) == (50, 600)


# Provisioning


def test_block_tells_the_pump_who_it_is(two_keys):
    block = provision.block(SERIAL, two_keys, bench=False)
    known = provisioning.parse(block.ljust(provisioning.BLOCK_BYTES, b"\x00"))
    assert (known.serial, known.bench) == (SERIAL, False)
    assert known.prescriber == two_keys.prescriber.public_key().public_numbers().n
    assert known.second == two_keys.second.public_key().public_numbers().n


def test_longest_block_fits(two_keys):
    assert provision.FRAM_ADDRESS == provisioning.FRAM_ADDRESS
    assert len(provision.block("C" * 20, two_keys, bench=False)) <= provisioning.BLOCK_BYTES
    image = provision.fram_image(SERIAL, two_keys, bench=True)
    assert {int(address): bytes.fromhex(image[address]) for address in image} == {
        provisioning.FRAM_ADDRESS: provision.block(SERIAL, two_keys, bench=True)
    }


# Key files


def moduli(folder):
    """What one process gets of the bench keys; at module level, so that it can run in another one."""
    made = keys.bench_keys(folder)
    return keys.modulus_hex(made.prescriber), keys.modulus_hex(made.second)


def test_bench_keys_stay(tmp_path):
    first = moduli(tmp_path / "keys")
    assert first == moduli(tmp_path / "keys")
    assert first[0] != first[1]
    assert [len(modulus) for modulus in first] == [768, 768]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_bench_keys_are_for_this_user_only(tmp_path):
    moduli(tmp_path / "keys")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {"bench-prescriber.pem": 0o600, "bench-second.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_two_processes_at_once_get_the_same_keys(tmp_path):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
        got = list(pool.map(moduli, [tmp_path / "keys"] * 3))
    assert len(set(got)) == 1
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "bench-prescriber.pem",
        "bench-second.pem",
    ]


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
