"""Reasons to refuse flashing, and the checks afterwards; without a board."""

import contextlib
import json
import os
import pty
import sys

import pytest
from cisterna.cli import app
from cisterna.errors import CisternaError, OutputError
from cisterna.flash import flashing, pump_checks, uf2
from cisterna.flash.flash_context import FlashContext, FlashRefused
from cisterna.flash.journal import JOURNAL, FlashRun, Journal
from cisterna.image import image_files
from cisterna.pharmacy import keys
from support.chip.uf2_blocks import CODE_END, image_blocks
from typer.testing import CliRunner

RESTS = {
    "build": "aaaaaaaaaaaaaaaa", "commit": "abc", "serial": "CB-0001", "bench": False, "people": 3, "library": 5,
    "authority": "0" * 16, "self_test": "passed", "state": "stopped", "boot": 4, "booked_nl": 1_000, "next_seq": 90,
    "rx": None, "needs_rx": True,
}  # fmt: skip
IMAGE = {"build": "bbbbbbbbbbbbbbbb", "commit": "def", "variant": "therapy", "uf2_sha256": "0" * 64}


@pytest.fixture(scope="module")
def authority():
    return keys.generate()


def desk(folder, signer, variant="therapy", **other) -> FlashContext:
    path = folder / "image.uf2"
    path.write_bytes(b"".join(image_blocks(variant=variant)))
    signed = image_files.sign(path, signer)
    values = {"by": "lind", "signer": signer, "signed": signed} | other
    return FlashContext(uf2.read(path, CODE_END), journal=Journal(folder / "journal"), boards=list, **values)


@pytest.mark.parametrize("state", ["off", "self_test", "priming", "infusing", "bolus"])
def test_a_pump_that_does_something_is_refused(state):
    with pytest.raises(FlashRefused, match=f"in state {state}; allowed: stopped or alarm"):
        pump_checks.refuse_busy(RESTS | {"state": state})


def test_a_pump_that_start_would_resume_is_refused():
    with pytest.raises(FlashRefused, match="confirmed prescription"):
        pump_checks.refuse_busy(RESTS | {"rx": "12345678", "needs_rx": False})
    pump_checks.refuse_busy(RESTS | {"rx": "12345678", "needs_rx": True})
    pump_checks.refuse_busy(RESTS | {"state": "alarm"})


def test_an_image_for_the_bench_stays_there(tmp_path, authority):
    there = desk(tmp_path, authority, variant="development")
    with pytest.raises(FlashRefused, match="is no bench pump"):
        pump_checks.refuse_image(there, RESTS)
    pump_checks.refuse_image(there, RESTS | {"bench": True})


def test_no_session_or_no_signature_is_refused(tmp_path, authority):
    with pytest.raises(FlashRefused, match="not signed"):
        pump_checks.refuse_image(desk(tmp_path, authority, signed=None), RESTS)
    with pytest.raises(FlashRefused, match="--by and --key"):
        pump_checks.refuse_image(desk(tmp_path, authority, by=None), RESTS)


def test_the_authority_is_the_pumps_own(tmp_path, authority):
    """One that is not the pump's is named; the pump's own must have signed exactly this image."""
    print_of = keys.fingerprint
    with pytest.raises(FlashRefused, match=f"the one that was named is {print_of(authority.modulus_hex)}"):
        pump_checks.refuse_image(desk(tmp_path, authority, authority=authority.modulus_hex), RESTS)
    other = keys.generate()
    said = RESTS | {"authority": print_of(other.modulus_hex)}
    with pytest.raises(image_files.SignatureWrong):
        pump_checks.refuse_image(desk(tmp_path, authority, authority=other.modulus_hex), said)
    said = RESTS | {"authority": print_of(authority.modulus_hex)}
    pump_checks.refuse_image(desk(tmp_path, authority, authority=authority.modulus_hex), said)


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, []),
        ({"booked_nl": 999}, ["booked_nl kept"]),
        ({"next_seq": 89}, ["next_seq kept"]),
        ({"boot": 3}, ["boot kept"]),
        ({"serial": None}, ["serial kept"]),
        ({"people": 2}, ["people kept"]),
        ({"library": None}, ["library kept"]),
        ({"authority": None}, ["authority kept"]),
        ({"self_test": "failed"}, ["self-test"]),
        ({"state": "infusing"}, ["state"]),
        ({"build": "aaaaaaaaaaaaaaaa"}, ["build"]),
    ],
)
def test_each_value_that_must_be_kept_is_compared(changed, failing):
    after = RESTS | {"build": IMAGE["build"], "boot": 5, "next_seq": 95} | changed
    found = pump_checks.compare(RESTS, after, IMAGE)
    assert [check["check"] for check in found if not check["passed"]] == failing


def test_a_journal_outlives_its_process(tmp_path):
    run = FlashRun("2026-01-01T00:00:00Z", "lind", "/dev/ttyUSB0", "CB-0001", IMAGE, RESTS, "copy")
    Journal(tmp_path).save(run)
    assert Journal(tmp_path).unfinished() == [run]
    run.checks = pump_checks.compare(RESTS, RESTS | {"build": IMAGE["build"]}, IMAGE)
    path = Journal(tmp_path).finish(run)
    record = json.loads(path.read_text())
    assert record["passed"] and record["from"]["build"] == RESTS["build"] and record["to"]["build"] == IMAGE["build"]
    assert Journal(tmp_path).unfinished() == []


def test_an_image_that_was_changed_while_it_was_read_is_refused(tmp_path, authority):
    """What is written to the board is what was checked: the bytes in memory, not the file as it is later."""
    path = tmp_path / "image.uf2"
    path.write_bytes(b"".join(image_blocks(variant="development")))
    read = uf2.read(path, CODE_END)
    path.write_bytes(b"".join(image_blocks(variant="therapy")))
    signed = image_files.sign(path, authority)
    with pytest.raises(FlashRefused, match="was changed while it was read"):
        FlashContext(read, signed, Journal(tmp_path / "journal"), list, by="lind", signer=authority)


@pytest.mark.parametrize("serial", ["../../x", "/tmp/x", "..", ".", "a/b"])
def test_a_serial_number_is_no_path(tmp_path, serial):
    begun = FlashRun("", None, "/dev/ttyUSB0", serial, IMAGE)
    journal = Journal(tmp_path / "flash")
    journal.save(begun)
    assert journal.unfinished() == [begun]
    assert journal.finish(begun).parent.parent == tmp_path / "flash"


def test_several_boards_during_a_flash_leave_it_unfinished(tmp_path, authority):
    """The pump has left for its boot loader: no exit status may say that nothing was changed."""
    there = desk(tmp_path, authority)
    there.boards = lambda: [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(flashing.FlashBroken, match="2 boards wait"):
        flashing.await_drive(there, FlashRun("", None, "/dev/ttyUSB0", "CB-0001", IMAGE))


def test_a_journal_that_cannot_be_read_or_written_is_named(tmp_path):
    (tmp_path / "CB-0001").mkdir()
    (tmp_path / "CB-0001" / JOURNAL).write_text("{")
    with pytest.raises(CisternaError, match="is no journal of a flashing"):
        Journal(tmp_path).unfinished()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="nothing is flashed without it"):
        Journal(tmp_path / "file").save(FlashRun("", None, None, "x", IMAGE))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["/dev/no-such-port"], 2, "no terminal to confirm on; say --yes"),
        (["/dev/no-such-port", "--by", "lind", "--yes"], 2, "--by and --key go together"),
        (["/dev/no-such-port", "--yes"], 2, "/dev/no-such-port"),
        (["--new"], 2, "no terminal to confirm on; say --yes"),
        (["--new", "--yes", "--authority", "bench:authority"], 2, "--authority: nothing to check"),
        (["--new", "--yes", "--drive", "/no/such/drive"], 2, "no board waits in its boot loader"),
    ],
)
def test_the_command_says_what_stops_it(tmp_path, monkeypatch, arguments, status, said):
    """In one line, before anything is sent."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "image.uf2"
    path.write_bytes(b"".join(image_blocks()))
    result = CliRunner().invoke(app, ["flash", "--image", str(path), *arguments])
    *before, why = result.stderr.splitlines()
    assert result.exit_code == status and said in why
    is_unchecked = "--new" in arguments and "--authority" not in arguments
    assert [line.partition(":")[0] for line in before] == ["the signature of this image is not checked"] * is_unchecked
    assert not (tmp_path / "cisterna" / "flash").exists()


def on_a_terminal(command: list[str], typed: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
    """Exit status and output of a command whose person types this when asked."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "cisterna", *command], {**os.environ, **environment})
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while data := os.read(master, 4096):
            if b"Type: unchecked" in data:
                os.write(master, typed)
            seen += data
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


@pytest.mark.parametrize(("typed", "said"), [(b"y\n", b"nothing was done"), (b"unchecked\n", b"no board waits")])
def test_an_unverified_image_needs_an_explicit_option(tmp_path, typed, said):
    """A yes is not enough for a board that accepts any image."""
    path = tmp_path / "image.uf2"
    path.write_bytes(b"".join(image_blocks()))
    command = ["flash", "--new", "--image", str(path), "--drive", "/no/such/drive"]
    status, seen = on_a_terminal(command, typed, {"XDG_DATA_HOME": str(tmp_path)})
    assert status == 2 and b"the signature of this image is not checked" in seen and said in seen
