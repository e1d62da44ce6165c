"""Keys of persons: protected files, passphrases, fingerprints; no private half leaves its file."""

import base64
import fcntl
import hashlib
import os
import pty
import select
import stat
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from cisterna.errors import OutputError
from cisterna.pharmacy import keys, passphrase, signed_files, signers
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.simulated import clinic_files

PASSPHRASE = "correct horse battery"


def never(what):
    raise AssertionError(f"asked for {what}")


def protected(folder, name="rossi.key", secret=PASSPHRASE):
    key = keys.generate()
    path = folder / name
    signed_files.write_bytes(path, key.pem(secret), replace=False, mode=0o600)
    return key, path


def pkcs8(key, secret=PASSPHRASE):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret.encode()),
    )


# Files


def test_a_protected_key_signs(tmp_path):
    key, path = protected(tmp_path)
    with signers.opened(str(path), lambda what: PASSPHRASE) as signer:
        assert signer.modulus_hex == key.modulus_hex
        signature = signer.sign(b"text")
    assert len(signature) == 384
    assert keys.is_signature(b"text", signature, key.modulus_hex)
    assert not keys.is_signature(b"texts", signature, key.modulus_hex)
    assert not keys.is_signature(b"text", signature, clinic_files.foreign_key().modulus_hex)


def test_the_file_is_pkcs8_with_aes(tmp_path):
    _, path = protected(tmp_path)
    lines = path.read_text().splitlines()
    assert lines[0] == "-----BEGIN ENCRYPTED PRIVATE KEY-----"
    assert bytes.fromhex("060960864801650304012a") in base64.b64decode("".join(lines[1:-1]))  # aes256-CBC


def test_wrong_passphrase(tmp_path):
    _, path = protected(tmp_path)
    with pytest.raises(keys.KeyFileError, match=r"rossi\.key: the passphrase is wrong"):
        signers.of_file(path, lambda what: "wrong horse battery")


def test_a_key_that_decrypts_to_nonsense(tmp_path):
    """As one wrong passphrase in 256 does: the padding fits by chance, and what is inside is no key."""
    _, path = protected(tmp_path)
    head, *body, foot = path.read_text().splitlines()
    middle = len(body) // 2
    body[middle] = body[middle].translate(str.maketrans("ABCDEFGH", "HGFEDCBA"))
    path.write_text("\n".join([head, *body, foot]) + "\n")
    with pytest.raises(keys.KeyFileError, match=r"rossi\.key: the passphrase is wrong, or the file holds no whole"):
        signers.of_file(path, lambda what: PASSPHRASE)


def test_keys_that_are_no_persons_key(tmp_path):
    """Each is refused before anybody is asked for a passphrase."""
    key, path = protected(tmp_path)
    plain, public, text = (tmp_path / name for name in ("plain.key", "public.pem", "text"))
    plain.write_bytes(key.pem(None))
    public.write_bytes(keys.public_pem(key.modulus_hex))
    text.write_text("no key")
    for refused, said in (
        (plain, "private key"),
        (public, "public key"),
        (text, "no PEM"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(keys.KeyFileError, match=said):
            signers.of_file(refused, never)


@pytest.mark.parametrize(
    "made",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: rsa.generate_private_key(3, 3072),
        lambda: ec.generate_private_key(ec.SECP256R1()),
    ],
    ids=["2048 bits", "exponent 3", "elliptic curve"],
)
def test_a_key_of_another_kind(tmp_path, made):
    path = tmp_path / "other.key"
    key = made()
    path.write_bytes(pkcs8(key))
    with pytest.raises(keys.KeyFileError, match="RSA-3072"):
        signers.of_file(path, lambda what: PASSPHRASE)
    public = tmp_path / "other.pem"
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(keys.KeyFileError, match="RSA-3072"):
        signers.public_modulus_of_file(public)


def test_a_damaged_key_is_found(tmp_path):
    """One number of it changed: it would sign, but nothing that counts."""
    broken = clinic_files.foreign_key()._key.private_numbers()
    numbers = rsa.RSAPrivateNumbers(
        p=broken.p, q=broken.q, d=broken.d ^ 2, dmp1=broken.dmp1, dmq1=broken.dmq1, iqmp=broken.iqmp,
        public_numbers=broken.public_numbers,
    )  # fmt: skip
    path = tmp_path / "damaged.key"
    path.write_bytes(pkcs8(numbers.private_key(unsafe_skip_rsa_key_validation=True)))
    with pytest.raises(keys.KeyFileError, match="RSA-3072"):
        signers.of_file(path, lambda what: PASSPHRASE)


def test_public_half_as_pem(tmp_path):
    path = tmp_path / "public.pem"
    path.write_bytes(keys.public_pem(clinic_files.foreign_key().modulus_hex))
    assert (
        signers.public_modulus(str(path), never)
        == signers.public_modulus_of_file(path)
        == clinic_files.foreign_key().modulus_hex
    )


def test_fingerprint_is_of_the_modulus_as_text():
    modulus = clinic_files.foreign_key().modulus_hex
    assert keys.fingerprint(modulus) == hashlib.sha256(modulus.encode()).hexdigest()[:16]


def test_keys_of_the_bench_have_names():
    with signers.opened("bench:clinician", never) as signer:
        assert (
            signer.modulus_hex
            == keys.bench_keys().clinician.modulus_hex
            == signers.public_modulus("bench:clinician", never)
        )
    with pytest.raises(keys.KeyFileError, match="bench:authority, bench:prescriber"):
        signers.public_modulus("bench:nurse", never)


# Passphrases


def test_passphrase_of_a_file(tmp_path):
    path = clinic_files.secret_file(tmp_path, "first line\nsecond")
    assert passphrase.source(path)("what") == "first line"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r", "\r\nsecond"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_passphrase_is_what_would_be_typed(tmp_path, mark, ending):
    path = clinic_files.secret_file(tmp_path)
    path.write_bytes((mark + "correct horse 1" + ending).encode())
    assert passphrase.of_file(path) == "correct horse 1"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_passphrase_that_others_may_read(tmp_path):
    path = clinic_files.secret_file(tmp_path)
    path.chmod(0o640)
    with pytest.raises(passphrase.PassphraseError, match="chmod 600"):
        passphrase.of_file(path)


def test_a_passphrase_is_in_a_small_file(tmp_path):
    """What never ends is not read, and what is no file could be anybody's."""
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(passphrase.PassphraseError, match="is no file"):
            passphrase.of_file(path)
    path = clinic_files.secret_file(tmp_path, "x" * 4095)
    assert len(passphrase.of_file(path)) == 4095
    path.write_text("x" * 5000)
    with pytest.raises(passphrase.PassphraseError, match="longer than 4096 bytes"):
        passphrase.of_file(path)


@pytest.mark.parametrize("text", ["", "\n", "\nsecond", "\ufeff", "\ufeff\r\n"])
def test_empty_passphrase(tmp_path, text):
    path = clinic_files.secret_file(tmp_path)
    path.write_text(text)
    with pytest.raises(passphrase.PassphraseError, match="empty"):
        passphrase.of_file(path)


def test_short_passphrase():
    assert passphrase.checked("1234567890") == "1234567890"
    with pytest.raises(passphrase.PassphraseError, match="9 characters; allowed: 10"):
        passphrase.checked("123456789")


# Writing


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / "there"
    path.write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        signed_files.write_bytes(path, b"other", replace=False)
    assert path.read_text() == "mine"
    signed_files.write_bytes(path, b"other", replace=True)
    assert path.read_text() == "other"
    assert [found.name for found in tmp_path.iterdir()] == ["there"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        signed_files.write_bytes(tmp_path / "no" / "file", b"x", replace=False)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        signed_files.write_bytes(tmp_path / "folder", b"x", replace=True)
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]


# The command


def test_key_new_and_show(tmp_path):
    out, public, secret = tmp_path / "rossi.key", tmp_path / "rossi.pem", clinic_files.secret_file(tmp_path)
    status, said, _ = clinic_files.run(
        "key", "new", "rossi", "--out", out, "--public", public, "--passphrase-file", secret
    )
    fingerprint = keys.fingerprint(signers.public_modulus_of_file(public))
    assert (status, said.splitlines()[-1].split()) == (0, ["fingerprint", fingerprint])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for shown in (out, public):
        assert clinic_files.run("key", "show", shown, "--passphrase-file", secret)[:2] == (
            0,
            f"fingerprint  {fingerprint}\n",
        )
    before = out.read_bytes()
    status, _, said = clinic_files.run("key", "new", "rossi", "--out", out, "--passphrase-file", secret)
    assert status == 2 and "is there already" in said
    assert out.read_bytes() == before


def test_both_halves_in_one_file(tmp_path):
    out, secret = tmp_path / "rossi.key", clinic_files.secret_file(tmp_path)
    status, _, said = clinic_files.run(
        "key", "new", "rossi", "--out", out, "--public", out, "--passphrase-file", secret
    )
    assert status == 2 and said == f"--public held {out}, which --out held too; allowed: another file\n"
    assert not out.exists()


def test_key_new_with_a_short_passphrase(tmp_path):
    secret = clinic_files.secret_file(tmp_path, "short")
    status, _, said = clinic_files.run(
        "key", "new", "rossi", "--out", tmp_path / "rossi.key", "--passphrase-file", secret
    )
    assert (status, said) == (2, "passphrase: held 5 characters; allowed: 10 or more\n")
    assert not (tmp_path / "rossi.key").exists()


def test_key_new_for_no_name_of_a_person(tmp_path):
    status, _, said = clinic_files.run("key", "new", "Dr. Rossi", "--out", tmp_path / "rossi.key")
    assert status == 2 and said == 'NAME held "Dr. Rossi"; allowed: 1 to 16 of a-z 0-9 . -\n'


def test_no_terminal_to_ask_at(tmp_path):
    """In a pipe there is no prompt and no wait."""
    command = [sys.executable, "-m", "cisterna", "key", "new", "rossi", "--out", str(tmp_path / "rossi.key")]
    result = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, start_new_session=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert "no terminal to ask at; use --passphrase-file" in result.stderr and result.stderr.count("\n") == 1


def at_a_terminal(arguments, answers):
    """Runs the command at a terminal, types each answer when something is asked; exit status and all that was shown."""
    ours, theirs = pty.openpty()

    def take_terminal():
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "cisterna", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=take_terminal, close_fds=True, pass_fds=(theirs,),
    )  # fmt: skip
    os.close(theirs)
    shown, asked = b"", 0
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if shown.count(b": ") > asked and asked < len(answers):
            os.write(ours, answers[asked].encode() + b"\n")
            asked += 1
    os.close(ours)
    return process.wait(60), shown.decode()


def test_a_new_passphrase_is_asked_twice_and_not_shown(tmp_path):
    out = tmp_path / "rossi.key"
    status, shown = at_a_terminal(["key", "new", "rossi", "--out", str(out)], [PASSPHRASE, PASSPHRASE])
    assert status == 0 and "again" in shown and PASSPHRASE not in shown
    assert signers.of_file(out, lambda what: PASSPHRASE).modulus_hex
    other = tmp_path / "other.key"
    status, shown = at_a_terminal(["key", "new", "rossi", "--out", str(other)], [PASSPHRASE, PASSPHRASE + "!"])
    assert status == 2 and "the two differ; nothing was written" in shown
    assert not other.exists()


# Nothing private gets out


def test_no_private_half_and_no_passphrase_in_any_output_or_file(tmp_path):
    """A whole round by the command line, then every byte of it is searched."""
    secret = clinic_files.secret_file(tmp_path)
    people = {"clinic": "", "rossi": "prescriber", "bianchi": "second", "verdi": "service"}
    said = []

    def run(*arguments):
        status, out, err = clinic_files.run(*arguments, "--passphrase-file", secret)
        assert status == 0, err
        said.append(out + err)

    for name in people:
        run("key", "new", name, "--out", tmp_path / f"{name}.key", "--public", tmp_path / f"{name}.pem")
        run("key", "show", tmp_path / f"{name}.key", "--json")
    stated = [f'[[person]]\nname = "{name}"\nroles = ["{role}"]\nkey = "{name}.pem"\n' for name, role in people.items()]
    (tmp_path / "people.toml").write_text('clinic = "Ward"\n' + "".join(stated[1:]))
    source, rx, clinic = tmp_path / "people.toml", tmp_path / "x.rx", tmp_path / "clinic.key"
    run("people", "make", source, "--number", 1, "--key", clinic, "--out", tmp_path / "c.people")
    rx.write_text(clinic_files.write(tmp_path / "draft.rx", clinic_files.signed_rx(people=())).read_text())
    for name, role in list(people.items())[1:3]:
        run("rx", "sign", rx, "--as", role, "--by", name, "--key", tmp_path / f"{name}.key", "--yes")
    open_files = [path for path in tmp_path.iterdir() if path != secret]
    text = "".join(said).encode() + b"".join(path.read_bytes() for path in open_files)
    assert len(open_files) == 12 and len(text) > 20_000
    assert b"PRIVATE KEY" in text and text.count(b"PRIVATE KEY") == text.count(b"ENCRYPTED PRIVATE KEY") == 8
    assert PASSPHRASE.encode() not in text
    for name in people:
        key = signers.of_file(tmp_path / f"{name}.key", lambda what: PASSPHRASE)
        numbers = key._key.private_numbers()
        body = b"".join(key.pem(None).splitlines()[1:-1])
        for number in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp):
            assert f"{number:x}"[8:72].encode() not in text and str(number)[8:72].encode() not in text
            assert number.to_bytes(384, "big")[-64:] not in text
        # The modulus stands at the beginning of the same structure; what follows it is private.
        assert not any(body[i : i + 64] in text for i in range(700, len(body) - 64, 64))
        assert key.modulus_hex.encode() in text, "what was searched is what was written"
