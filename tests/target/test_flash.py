"""A pump gets a new image over its cables: whole or not at all, with any interruption."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest
from cisterna.errors import CisternaError, PumpRefused
from cisterna.flash import factory, uf2
from cisterna.flash.flash_context import FlashBroken, FlashRefused
from cisterna.flash.flashing import STAGES
from cisterna.flash.journal import NEW_BOARD
from cisterna.image import image_files
from cisterna.pharmacy import keys
from support.chip.flash_bench import CODE_END, LOG, SERIAL, VAULT, FlashBench, renamed

pytestmark = pytest.mark.target

NAMES = [name for name, _ in STAGES]


class Interrupted(Exception):
    """Ctrl-C, at a moment that a test chooses."""


@pytest.fixture(scope="module")
def newer(therapy, tmp_path_factory):
    """The image that is put on the pump, as it is now: `make image` may replace it meanwhile."""
    return Path(shutil.copy(therapy, tmp_path_factory.mktemp("newer") / "newer.uf2"))


@pytest.fixture(scope="module")
def older(newer, tmp_path_factory):
    """An image of another build, which the pump runs before."""
    return renamed(newer, tmp_path_factory.mktemp("older") / "older.uf2")


@pytest.fixture(scope="module")
def build(newer):
    return image_files.facts(newer)["build"]


@pytest.fixture(scope="module")
def older_build(older, build):
    found = image_files.facts(older)["build"]
    assert found != build
    return found


@pytest.fixture
def desk(newer, older, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    return FlashBench(older, newer, folder)


def raising_at(wanted):
    def stage(name):
        if name == wanted:
            raise Interrupted(name)

    return stage


def test_a_pump_takes_a_signed_image_and_keeps_all_else(desk, build, older_build):
    """The image is there, the counters go on, people and library and the log stay."""
    before = bytes(desk.chip.mcu.flash[VAULT]), bytes(desk.chip.mcu.flash[LOG])
    assert desk.build() == older_build
    done, path = desk.flash()
    assert desk.stages == NAMES and done.passed
    assert desk.build() == build
    record = json.loads(path.read_text())
    assert record["from"]["build"] == older_build and record["to"]["build"] == build
    assert record["who"] == "service" and record["serial"] == SERIAL and record["passed"]
    assert record["uf2_sha256"] == image_files.facts(desk.wanted)["uf2_sha256"]
    after = desk.chip.mcu.flash
    assert bytes(after[VAULT]) == before[0]
    written = [offset for offset in range(len(before[1])) if before[1][offset] != 0xFF]
    assert written and all(after[LOG.start + offset] == before[1][offset] for offset in written)
    assert desk.journal.unfinished() == []


def test_a_flashed_pump_passes_the_factory_test(desk):
    """Every line of it, on the board that a pump has."""
    desk.flash()
    with contextlib.closing(desk.connect()) as pump:
        authority = desk.keys.authority.modulus_hex
        report = factory.examine(pump, "desk", desk.signed, authority, lambda done: None, desk.wall_s)
    assert [check for check in report.checks if not check.passed] == [] and report.passed


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_flash_is_completed_by_running_it_again(desk, build, name, older_build):
    """At the beginning of each stage; what was done is not done again."""
    with pytest.raises(Interrupted):
        desk.flash(stage=raising_at(name))
    desk.sleep(1)
    done, _ = desk.flash()
    assert done.passed and desk.build() == build
    assert (
        desk.stages
        == {
            "check": NAMES,
            "enter": NAMES,
            "await drive": NAMES[2:],
            "copy": NAMES[2:],
            "await pump": NAMES[4:],
            "verify": NAMES[4:],
        }[name]
    )
    assert done.before["build"] == older_build and desk.journal.unfinished() == []


@pytest.mark.parametrize("power_fails", [False, True])
def test_a_partial_copy_does_not_start(desk, build, power_fails):
    """In the middle of the copy the host ends, or the board's power: it waits in its boot loader for a whole image."""

    def half(done):
        desk.boards()
        if done > 0.5:
            raise Interrupted

    with pytest.raises(Interrupted):
        desk.flash(progress=half)
    if power_fails:
        desk.power_cycle()
    desk.sleep(10)
    assert desk.boards() == [desk.drive]
    done, _ = desk.flash()
    assert [check for check in done.checks if not check["passed"]] == []
    assert desk.build() == build and desk.stages == NAMES[2:]


def test_a_board_that_loses_power_during_the_copy(desk, build):
    """The host writes to a drive that is no more; it says so, and the next run ends well."""
    cut = []

    def cut_once(done):
        desk.boards()
        if done > 0.5 and not cut:
            cut.append(done)
            desk.power_cycle()

    with pytest.raises(FlashBroken, match="run the same command again"):
        desk.flash(progress=cut_once)
    done, _ = desk.flash()
    assert done.passed and desk.build() == build


def test_another_image_does_not_resume_the_first_ones_flash(desk, newer, tmp_path):
    """Nor is it mixed with what is there: the two are of one length, so they are one file to the ROM."""

    def nearly(done):
        desk.boards()
        if done > 0.9:
            raise Interrupted

    with pytest.raises(Interrupted):
        desk.flash(progress=nearly)
    other = renamed(newer, tmp_path / "other.uf2", by=2)
    with pytest.raises(FlashRefused, match="name that image"):
        desk.flash(image=other)
    desk.flash(is_new=True, image=other)
    desk.sleep(3)
    assert desk.build() == image_files.facts(other)["build"]
    code = b"".join(block[32:288] for block in uf2.read(other, CODE_END).blocks)
    assert bytes(desk.chip.mcu.flash[: len(code)]) == code


def test_a_new_board_is_flashed_by_its_button(desk, build):
    """BOOTSEL is held by hand; no log-on, and the previous content is unknown."""
    with pytest.raises(FlashRefused, match="no board waits in its boot loader"):
        desk.flash(is_new=True)
    desk.chip.hold_bootsel()
    done, path = desk.flash(is_new=True)
    assert done.passed and path.parent.name == NEW_BOARD and desk.stages == NAMES[2:]
    desk.sleep(3)
    assert desk.build() == build


def test_the_pump_refuses_an_image_that_another_has_signed(older, newer, tmp_path_factory, older_build):
    """The pump alone decides: the host knows no authority."""
    desk = FlashBench(older, newer, tmp_path_factory.mktemp("forged"), signer=keys.generate())
    with pytest.raises(PumpRefused) as refused:
        desk.flash()
    assert refused.value.code == "image_signature"
    assert desk.boards() == [] and desk.build() == older_build and desk.journal.unfinished() == []


def test_a_board_already_in_its_boot_loader_is_not_taken_for_the_pump(desk):
    desk.chip.hold_bootsel()
    desk.sleep(1)
    with pytest.raises(FlashRefused, match="a board waits in its boot loader"):
        desk.flash()


# -- the command, and a board in a process of its own


@dataclass(frozen=True)
class Bench:
    """A running pump: its port, its drive, and scripted hands."""

    link: str
    drive: Path
    hands: TextIO


@pytest.fixture
def bench(older, tmp_path, monkeypatch):
    """Journals and keys lie in the test's folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    drive = tmp_path / "drive"
    command = [*CISTERNA, "emulate", "--json", "--bench", "--image", str(older), "--drive", str(drive)]
    pump = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = json.loads(pump.stdout.readline())
    yield Bench(told["link"], drive, pump.stdin)
    pump.terminate()
    pump.stdout.close()
    pump.stdin.close()
    assert pump.wait(10) == 0


CISTERNA = (sys.executable, "-m", "cisterna")


def signed(newer, tmp_path):
    image = tmp_path / "new.uf2"
    image.write_bytes(newer.read_bytes())
    command = [*CISTERNA, "image", "sign", str(image), "--key", "bench:authority", "--dirty"]
    ran = subprocess.run(command, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    return image


def command_of(bench, image):
    options = ["--image", str(image), "--by", "service", "--key", "bench:service", "--authority", "bench:authority"]
    return [*CISTERNA, "flash", bench.link, *options, "--drive", str(bench.drive), "--yes", "--json"]


def test_the_command(bench, newer, tmp_path, build, older_build):
    image = signed(newer, tmp_path)
    ran = subprocess.run(command_of(bench, image), capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)
    assert record["passed"] and record["to"]["build"] == build and record["from"]["build"] == older_build
    assert ran.stderr == ""


def test_the_button_and_a_new_image(bench, newer, build):
    """BOOTSEL is held by hand while the board starts; then no log-on is needed."""
    bench.hands.write("bootsel\n")
    bench.hands.flush()
    wait_until(lambda: (bench.drive / "INFO_UF2.TXT").exists())
    command = [*CISTERNA, "flash", "--new", "--image", str(newer), "--drive", str(bench.drive), "--yes", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)
    assert record["passed"] and record["who"] is None and record["to"]["build"] == build
    assert list(bench.drive.iterdir()) == []


def wait_until(holds, wait_s=60):
    last_s = time.monotonic() + wait_s
    while not holds():
        assert time.monotonic() < last_s
        time.sleep(0.01)


@pytest.mark.parametrize("stage", ["await drive", "await pump"])
def test_the_command_is_killed(bench, newer, tmp_path, build, stage):
    """SIGKILL, as soon as the journal names the stage; the same command then ends well."""
    image = signed(newer, tmp_path)
    journal = tmp_path / "data" / "cisterna" / "flash" / SERIAL / "journal.json"
    first = subprocess.Popen(command_of(bench, image), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: stage_of(journal) == stage or first.poll() is not None)
    first.kill()
    assert first.wait() == -signal.SIGKILL, first.stderr.read()
    first.stderr.close()
    time.sleep(3)  # the board ends what it has begun
    again = subprocess.run(command_of(bench, image), capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr or failed(again.stdout)
    assert json.loads(again.stdout)["to"]["build"] == build and not journal.exists()


def failed(record):
    """The checks of a record that did not hold."""
    return [check for check in json.loads(record)["checks"] if not check["passed"]]


def stage_of(journal):
    try:
        return json.loads(journal.read_text())["stage"]
    except (FileNotFoundError, ValueError):
        return None


def test_what_stops_the_command_is_one_line(bench, newer, tmp_path):
    unsigned = tmp_path / "unsigned.uf2"
    unsigned.write_bytes(newer.read_bytes())
    ran = subprocess.run(command_of(bench, unsigned), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "not signed" in ran.stderr and len(ran.stderr.splitlines()) == 1
    ran = subprocess.run(command_of(bench, tmp_path / "none.uf2"), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "cannot be read" in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert issubclass(FlashRefused, CisternaError) and FlashRefused.exit_status == 2
