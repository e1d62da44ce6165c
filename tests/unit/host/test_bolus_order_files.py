"""Order files of a clinician's bolus from the prescriber to the pump; volumes and times as people type them."""

import json
import os
import pty
import re
import select
import sys

import pytest
from cisterna.commands import bedside
from cisterna.errors import CisternaError
from cisterna.link import workflows
from cisterna.pharmacy import documents, order_files, provision, sign, signed_files, verification
from pump.authority.trust import Trust
from pump.base.refusal import Refused
from pump.documents.provisioning import Provisioning
from pump.prescribing import bolus_order as pump_order
from support.simulated.clinic_files import SERIAL, clinic_keys, foreign_key, run, secret_file, text

COMMANDS = ["prime", "refill", "clock", "bolus new", "bolus sign", "bolus show", "bolus load"]


def order_text(sequence=2, ug=20, over_s=600):
    return documents.clinician_bolus(serial=SERIAL, sequence=sequence, rx=sign.hash8(text()), ug=ug, over_s=over_s)


def signed_order(document=None):
    return order_files.add_signature(order_files.new(document or order_text()), "prescriber", clinic_keys().prescriber)


def admitted(call):
    """What the pump's own code makes of the parameters of `bolus.clinician`."""
    trust = Trust(None, verification.people(provision.bench_people_text(clinic_keys())))
    trust.provisioning = Provisioning(SERIAL, True, int(clinic_keys().authority.modulus_hex, 16))
    rx = verification.prescription(text())
    return pump_order.admit_order(call["document"], call["by"], call["signature"], trust, 1, rx)


# --- the file


def test_a_signed_order_is_accepted_by_the_pump():
    order = signed_order()
    taken = admitted(order.params())
    assert (taken.ug, taken.over_s, taken.sequence) == (20, 600, 2)
    assert order_files.values(order) == {
        "serial": SERIAL, "sequence": 2, "rx": sign.hash8(text()), "ug": 20, "over_s": 600,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"document": order_text(ug=21)}, "order_signature"),
        ({"by": "second"}, "person_role"),
        ({"signature": sign.signature_hex(order_text(), foreign_key())}, "order_signature"),
    ],
)
def test_orders_that_the_pump_refuses(change, code):
    with pytest.raises(Refused) as refused:
        admitted({**signed_order().params(), **change})
    assert refused.value.code == code


def test_an_order_that_nobody_has_signed_is_no_call():
    with pytest.raises(order_files.OrderUnsigned, match="bolus sign"):
        order_files.new(order_text()).params()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"document": order_text(), "by": "rossi", "signature": None}, 'by held "rossi"; allowed: a name and its'),
        ({"document": order_text(), "by": None, "signature": "0" * 768}, "by held null"),
        ({"document": order_text(), "by": "rossi", "signature": "0"}, "signature held"),
        ({"document": order_text(), "by": None}, "signature is missing"),
        ({"document": order_text(), "by": None, "signature": None, "also": 1}, "also is an unknown key"),
        ({"document": text(), "by": None, "signature": None}, "order: order_type"),
        ({"document": order_text().replace('"ug":20', '"ug":0'), "by": None, "signature": None}, "order_value_range"),
    ],
)
def test_a_file_with_a_fault(tmp_path, content, said):
    path = tmp_path / "x.order"
    path.write_text(json.dumps(content))
    for command in ("show", "sign"):
        signing = ("--by", "rossi", "--key", "none") if command == "sign" else ()
        status, out, error = run("bolus", command, path, *signing)
        assert (status, out) == (2, "") and said in error and len(error.splitlines()) == 1


# --- signing


@pytest.fixture
def desk(tmp_path):
    """An order, and the prescriber's key in a file."""
    signed_files.write(tmp_path / "x.order", order_files.new(order_text()).model_dump(), replace=False)
    (tmp_path / "rossi.key").write_bytes(clinic_keys().prescriber.pem("correct horse battery"))
    secret_file(tmp_path)
    return tmp_path


def sign_it(desk, *also, by="rossi", typed=""):
    key = ("--key", desk / "rossi.key", "--passphrase-file", desk / "passphrase")
    return run("bolus", "sign", desk / "x.order", "--by", by, *key, *also, input=typed)


def test_the_dose_that_was_read_is_typed(desk):
    """Who signs sees each value, and that the prescription it names says of what."""
    status, out, _ = sign_it(desk, typed="20\n")
    assert status == 0
    for said in (SERIAL, "number                      2", sign.hash8(text()), "20 ug", "600 s (10 min)", "nobody yet"):
        assert said in out
    order = signed_files.read(order_files.OrderFile, desk / "x.order")
    assert order.params()["signature"] == sign.signature_hex(order_text(), clinic_keys().prescriber)
    assert "rossi" in run("bolus", "show", desk / "x.order")[1]
    shown = json.loads(run("bolus", "show", desk / "x.order", "--json")[1])
    assert shown["by"] == "rossi" and shown["values"]["ug"] == 20
    assert shown["sha256"] == sign.sha256_hex(order_text())


@pytest.mark.parametrize("typed", ["200\n", "2\n", "y\n", ""])
def test_another_dose_signs_nothing(desk, typed):
    before = (desk / "x.order").read_bytes()
    status, _, error = sign_it(desk, typed=typed)
    assert status == 2 and "nothing was signed" in error
    assert (desk / "x.order").read_bytes() == before


def test_a_signature_is_kept_and_no_file_is_overwritten(desk):
    assert sign_it(desk, "--yes")[0] == 0
    before = (desk / "x.order").stat()
    status, _, error = sign_it(desk, "--yes", by="weber")
    assert status == 2 and "rossi has signed already" in error
    status, _, error = sign_it(desk, "--yes", by="Dr. Rossi")
    assert status == 2 and "1 to 16 of a-z" in error
    assert sign_it(desk, "--yes")[0] == 0
    after = (desk / "x.order").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


# --- what people type


@pytest.mark.parametrize(
    ("typed", "ul"), [("10", 10_000), ("9.75", 9_750), ("0.001", 1), ("2.3", 2_300), ("1.001", 1_001), ("0", 0)]
)
def test_volumes_in_ml_become_exact_nl(typed, ul):
    assert bedside.ul_of_ml("--ml", typed) == ul


@pytest.mark.parametrize("typed", ["", "1.0005", "9,75", "-1", "+1", "1e1", ".5", "5.", "10 ", "nan", "1000", "\u0661"])
def test_invalid_volumes(typed):
    with pytest.raises(CisternaError, match="--ml held .*; allowed: mL with at most 3 decimals"):
        bedside.ul_of_ml("--ml", typed)


@pytest.mark.parametrize(
    ("typed", "unix_s"),
    [
        ("2026-11-27T08:00:00Z", 1_795_766_400),
        ("2026-11-27T09:00:00+01:00", 1_795_766_400),
        ("2026-11-27 08:00", 1_795_766_400),
        ("2026-11-27T08:00:00.9Z", 1_795_766_400),
    ],
)
def test_valid_times(typed, unix_s):
    assert bedside.unix_s_of("--utc", typed) == unix_s


@pytest.mark.parametrize("typed", ["", "now", "2026-11-27", "08:00:00", "27.11.2026 08:00", "2026-02-30T08:00:00Z"])
def test_invalid_times(typed):
    with pytest.raises(CisternaError, match="--utc held .*; allowed: date and time"):
        bedside.unix_s_of("--utc", typed)


@pytest.mark.parametrize(
    ("alarms", "needs_rx", "returned_ul", "said"),
    [
        ([], False, None, ["10.000 mL are in it now", "8.123 mL expected, not measured"]),
        ([], True, 8_000, ["8.000 mL came back", "a new prescription is needed"]),
        (["refill"], False, 500, ["0.500 mL came back", "off by more than 0.1 mL and 5 %", "ACK at the pump"]),
    ],
)
def test_output_of_a_refill(alarms, needs_rx, returned_ul, said):
    done = workflows.Refilled(8_123_456, 10_000_000, {"alarms": alarms, "needs_rx": needs_rx})
    lines = bedside.refill_lines(SERIAL, done, returned_ul)
    assert len(lines) == 2 + 2 * ("refill" in alarms) + needs_rx
    for words in said:
        assert words in "\n".join(lines)


# --- the command line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_its_exit_statuses(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(*command.split(), "--help")
    said = re.sub(r"\s+", " ", out)
    assert status == 0 and f"Example: cisterna {command}" in said and "Exit status: 0" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prime"], "--disconnected is missing"),
        (
            ["refill", "--ml", "10.0001", "--drug", "morphine", "--concentration", "500", "--syringe", "bd-10"],
            "--ml held",
        ),
        (
            ["refill", "--ml", "1", "--returned-ml", "x", "--drug", "a", "--concentration", "5", "--syringe", "bd-5"],
            "--returned-ml held",
        ),
        (["clock", "--utc", "soon"], "--utc held"),
        (["bolus", "load", "unix:", "none.order"], "none.order: cannot be read"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_pump_or_a_key_is_opened(arguments, said):
    status, out, error = run(*arguments, "--by", "meier", "--key", "none.key")
    assert (status, out) == (2, "") and said in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [("yes", "nothing was done"), ("", "nothing was done"), ("disconnected", "there is no such port")],
)
def test_priming_requires_the_disconnected_option(typed, said):
    """Only the whole option leads to the pump, which does not exist here."""
    pid, master = pty.fork()
    if pid == 0:
        command = ["prime", "/dev/no-such-port", "--by", "meier", "--key", "none.key"]
        os.execv(sys.executable, [sys.executable, "-m", "cisterna", *command])
    seen = until_seen(master, b"Type: disconnected")
    os.write(master, typed.encode() + (b"\n" if typed else b"\x04"))
    seen += until_seen(master, said.encode())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    os.close(master)
    assert b"Traceback" not in seen


def until_seen(terminal, words):
    seen = b""
    while words not in seen:
        assert select.select([terminal], [], [], 20)[0], seen
        seen += os.read(terminal, 4096)
    return seen
