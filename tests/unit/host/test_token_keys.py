"""Keys on a token (SoftHSM): the library, the URI, the PIN, and the errors when they do not fit."""

import os
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from cisterna.pharmacy import keys, signers, token
from support.simulated import clinic_files

PIN = "471147"
URI = "pkcs11:token=Clinic%203;object=rossi"
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so")


@cache
def soft_hsm():
    """Path of SoftHSM's library; None where it is not installed."""
    found = [path for path in LIBRARIES if Path(path).is_file()]
    return found[0] if found and shutil.which("softhsm2-util") else None


needs_token = pytest.mark.skipif(
    (soft_hsm() is None or find_spec("pkcs11") is None) and os.environ.get("CI") != "true",
    reason="SoftHSM (Debian: softhsm2) or the extra `token` is not installed",
)


def pin(what):
    return PIN


def never(what):
    raise AssertionError(f"asked for {what}")


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """SoftHSM's library, with a token of its own in which `rossi`, two `twin`, and the short key `short` are."""
    assert soft_hsm(), "SoftHSM and python-pkcs11 must be there in CI: apt-get install softhsm2, pip install .[token]"
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    make = ["softhsm2-util", "--init-token", "--free", "--label", "Clinic 3", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(make, check=True, capture_output=True)
    import pkcs11

    with pkcs11.lib(soft_hsm()).get_token(token_label="Clinic 3").open(rw=True, user_pin=PIN) as session:
        for name, bits, number in (("rossi", 3072, 1), ("twin", 3072, 2), ("twin", 3072, 3), ("short", 2048, 4)):
            session.generate_keypair(pkcs11.KeyType.RSA, bits, label=name, id=bytes([number]), store=True)
    yield soft_hsm()
    pkcs11.unload(soft_hsm())
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def said(uri, secret=pin, module=None):
    """What opening this key is refused with."""
    with pytest.raises(token.TokenError) as error, signers.opened(uri, secret, module):
        pass
    assert error.value.exit_status == 2 and "\n" not in str(error.value)
    return str(error.value)


@needs_token
def test_a_token_signs_as_a_key_file_does(module):
    with signers.opened(URI, pin, module) as signer:
        assert keys.is_signature(b"text", signer.sign(b"text"), signer.modulus_hex)
        assert signer.sign(b"text") == signer.sign(b"text"), "PKCS#1 v1.5 has no chance in it"
        modulus = signer.modulus_hex
    assert signers.public_modulus(URI, never, module) == modulus, "for the public half nobody is asked for a PIN"


@needs_token
def test_library_of_the_uri(module):
    with signers.opened(f"{URI}?module-path={module}", pin) as signer:
        assert len(signer.modulus_hex) == 768


@needs_token
def test_key_by_its_id(module):
    twins = [signers.public_modulus(f"pkcs11:token=Clinic%203;id=%0{number}", never, module) for number in (2, 3)]
    assert twins[0] != twins[1]
    assert "several keys are called so; add id=" in said("pkcs11:token=Clinic%203;object=twin", module=module)


@needs_token
def test_wrong_pin(module):
    assert "the PIN is wrong" in said(URI, lambda what: "000000", module)


@needs_token
def test_no_such_token_or_key(module):
    assert "there is no such token" in said("pkcs11:token=Other;object=rossi", never, module)
    assert "no RSA key that is called so" in said("pkcs11:token=Clinic%203;object=verdi", module=module)


@needs_token
def test_a_short_key(module):
    assert "RSA-2048" in said("pkcs11:token=Clinic%203;object=short", module=module)


@needs_token
def test_a_token_library_that_is_none(module, tmp_path):
    (tmp_path / "no.so").write_text("no library")
    for path in (tmp_path / "no.so", tmp_path / "absent.so"):
        assert "cannot be loaded" in said(URI, never, str(path))


@needs_token
def test_a_prescription_is_signed_on_a_token(module, tmp_path, monkeypatch):
    """By the command line, with the library from the environment and the PIN from a file."""
    monkeypatch.setenv("CISTERNA_PKCS11_MODULE", module)
    rx = clinic_files.write(tmp_path / "x.rx", clinic_files.signed_rx(people=("prescriber",)))
    asked = ("rx", "sign", rx, "--as", "second", "--by", "rossi", "--key", URI, "--yes", "--passphrase-file")
    status, _, error = clinic_files.run(*asked, clinic_files.secret_file(tmp_path, "000000", "wrong"))
    assert status == 2 and error == f"{URI}: the PIN is wrong; most tokens lock themselves after a few wrong ones\n"
    status, shown, error = clinic_files.run(*asked, clinic_files.secret_file(tmp_path, PIN, "pin"))
    assert (status, error) == (0, "") and PIN not in shown
    status, shown, _ = clinic_files.run("key", "show", URI, "--public", tmp_path / "rossi.pem")
    assert status == 0 and keys.fingerprint(signers.public_modulus_of_file(tmp_path / "rossi.pem")) in shown


# The URI, without a token


def test_uri_is_read():
    at = token.parse_uri("pkcs11:token=Clinic%203;object=a%3Bb;id=%01%ff;type=private?module-path=/usr/lib/x.so")
    assert (at.token, at.object, at.id, at.module) == ("Clinic 3", "a;b", b"\x01\xff", "/usr/lib/x.so")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("pkcs11:", "names no key"),
        ("pkcs11:token=Clinic", "names no key"),
        ("pkcs11:object=rossi", "names no key"),
        ("pkcs11:token=Clinic;objekt=rossi", "unknown objekt"),
        ("pkcs11:token=Clinic;token=Other;object=rossi", "once"),
        ("pkcs11:token=Clinic;object=rossi;type=public", "allowed: private"),
        ("pkcs11:token=Clinic;object", "cannot read"),
        ("pkcs11:token=Clinic;object=rossi", "which PKCS#11 library?"),
    ],
)
def test_uri_that_names_no_key(uri, expected):
    assert expected in said(uri, never)


def test_pin_in_the_uri_is_refused_and_not_repeated():
    """It stands in the list of processes, in the shell's history, and would stand in the error."""
    message = said(f"{URI}?pin-value={PIN}", never)
    assert "--passphrase-file" in message and PIN not in message
