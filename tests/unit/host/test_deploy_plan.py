"""The plan of a deployment: files to send and refusals; without a board."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from cisterna import paths
from cisterna.errors import DeployRefused
from cisterna.flash import plan as plans
from cisterna.flash import ports
from cisterna.flash.plan import FOLDER, MAIN, NEW_MAIN, Board, Plan
from cisterna.image import firmware_set
from cisterna.image.frozen import FrozenFile
from cisterna.image.places import Places, of_checkout

FROZEN = {"main": "main()", "pump.base.clock": "S = 1", "pump.base.units": "NL = 1", "drivers": ""}
ROOM = 200_000


def compiled(source: str, path: str) -> bytes:
    """What stands for mpy-cross: one byte of output for each of input, and the name is in it."""
    return f"{path}:{source}".encode()


@pytest.fixture
def firmware(tmp_path):
    """A firmware as `FROZEN` has it, whose files a test changes."""
    return [written(tmp_path, name, text) for name, text in FROZEN.items()]


def written(folder, name: str, text: str) -> FrozenFile:
    path = folder / f"{name}.py"
    path.write_text(text)
    return FrozenFile(name, path)


def board(**facts) -> Board:
    sources = {name: firmware_set.digest(text.encode()) for name, text in FROZEN.items()}
    known = {"machine": "Pico", "mpy": 4870, "build": "b1", "sources": sources, "root": [], "files": {}, "free": ROOM}
    return Board(**{**known, **facts})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def after(plan: Plan, before: Board) -> Board:
    """The board once `plan` was carried out."""
    files = {path: digest for path, digest in before.files.items() if path not in plan.drop}
    files |= {path: sha256(data) for path, data in plan.send.items()}
    if plan.switch:
        files.pop(MAIN, None)
        if NEW_MAIN in files:
            files[MAIN] = files.pop(NEW_MAIN)
    return replace(before, files=files)


def modules_sent(plan: Plan) -> list[str]:
    return [path.removeprefix(FOLDER + "/").rpartition("-")[0] for path in plan.send if path != NEW_MAIN]


def test_a_board_whose_image_has_it_all_is_sent_nothing(firmware):
    plan = plans.make(firmware, board(), compiled)
    assert plan.is_empty and plan.build == "b1" and not plan.modules


def test_only_what_differs_from_the_image_is_sent_and_the_loader_last(firmware):
    firmware[2].path.write_text("NL = 2")
    plan = plans.make(firmware, board(), compiled)
    assert plan.modules == ["pump.base.units"] and modules_sent(plan) == ["units"]
    assert list(plan.send)[-1] == NEW_MAIN and plan.switch
    assert plan.build.endswith(" over b1") and plan.build.encode() in plan.send[NEW_MAIN]


def test_what_the_board_has_is_not_sent_again(firmware):
    firmware[2].path.write_text("NL = 2")
    first = plans.make(firmware, board(), compiled)
    deployed = after(first, board())
    assert plans.make(firmware, deployed, compiled).is_empty
    firmware[1].path.write_text("S = 2")
    second = plans.make(firmware, deployed, compiled)
    assert modules_sent(second) == ["clock"] and second.modules == ["pump.base.clock", "pump.base.units"]
    assert second.build != first.build and not second.drop


def test_a_new_version_lies_beside_the_old_one_until_the_switch(firmware):
    firmware[2].path.write_text("NL = 2")
    deployed = after(plans.make(firmware, board(), compiled), board())
    old = next(path for path in deployed.files if path != MAIN)
    firmware[2].path.write_text("NL = 3")
    plan = plans.make(firmware, deployed, compiled)
    assert old not in plan.send and plan.drop == [old]


def test_a_file_that_reads_back_wrong_is_sent_again(firmware):
    firmware[2].path.write_text("NL = 2")
    deployed = after(plans.make(firmware, board(), compiled), board())
    path = next(path for path in deployed.files if path != MAIN)
    plan = plans.make(firmware, replace(deployed, files={**deployed.files, path: "0" * 64}), compiled)
    assert list(plan.send) == [path] and not plan.switch


def test_everything_is_sent_when_everything_is_asked_for(firmware):
    firmware[2].path.write_text("NL = 2")
    deployed = after(plans.make(firmware, board(), compiled), board())
    assert modules_sent(plans.make(firmware, deployed, compiled, everything=True)) == ["units"]


def test_an_interrupted_deployment_resumes(firmware):
    for file in firmware[1:3]:
        file.path.write_text("X = 9")
    whole = plans.make(firmware, board(), compiled)
    paths = list(whole.send)
    for arrived in range(len(paths)):
        files = {path: sha256(whole.send[path]) for path in paths[:arrived]}
        files[paths[arrived]] = sha256(b"half of it")
        root = [NEW_MAIN[1:]] if files.pop(NEW_MAIN, None) else []
        again = plans.make(firmware, board(files=files, root=root), compiled)
        assert list(again.send) == paths[arrived:] and again.switch and not again.drop


def test_leftovers_of_an_interrupted_deployment_are_removed(firmware):
    left = {f"{FOLDER}/units-0123.mpy": "0" * 64}
    plan = plans.make(firmware, board(files=left, root=[NEW_MAIN[1:], "deployed"]), compiled)
    assert plan.drop == [f"{FOLDER}/units-0123.mpy", NEW_MAIN] and not plan.switch and not plan.is_empty


def test_back_to_the_image_removes_the_loader_and_then_the_modules(firmware):
    firmware[2].path.write_text("NL = 2")
    deployed = after(plans.make(firmware, board(), compiled), board())
    firmware[2].path.write_text(FROZEN["pump.base.units"])
    plan = plans.make(firmware, deployed, compiled)
    assert plan.switch and not plan.send and len(plan.drop) == 1 and plan.build == "b1"
    assert not after(plan, deployed).files


def test_new_and_vanished_modules_are_known_to_the_loader(firmware, tmp_path):
    new = written(tmp_path, "pump.dawn", "D = 1")
    plan = plans.make([file for file in firmware if file.name != "pump.base.clock"] + [new], board(), compiled)
    assert plan.modules == ["pump.dawn"] and plan.gone == ["pump.base.clock"]
    assert b"'pump.base.clock': None" in plan.send[NEW_MAIN] and b"'pump.dawn': 'dawn-" in plan.send[NEW_MAIN]


def test_only_files_that_hide_the_firmware_are_removed(firmware):
    root = ["main.py", "main.mpy", "pump", "drivers.mpy", "notes.txt", "data", "pumps"]
    plan = plans.make(firmware, board(root=root), compiled)
    assert plan.clear == ["/drivers.mpy", "/main.py", "/pump"]


def test_too_little_room_is_reported_before_sending(firmware):
    firmware[2].path.write_text("#" * 9000)
    with pytest.raises(DeployRefused, match=r"1 modules? differ.* KiB are free.*make image.*--format"):
        plans.make(firmware, board(free=20_000), compiled)
    assert plans.make(firmware, board(free=40_000), compiled).send


SAID = {"machine": "Pico", "mpy": 4870, "build": "b1", "variant": "development", "sources": [["main", "0"]], "root": []}


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"machine": "Raspberry Pi Pico with RP2040", "mpy": 4870}, "no Cisterna image, it says it is 'Raspb"),
        ({**SAID, "variant": "therapy"}, "build b1, a therapy image; only a development image"),
        ({key: value for key, value in SAID.items() if key != "sources"}, "does not say which sources"),
    ],
)
def test_boards_that_are_not_for_deploying(said, refused):
    with pytest.raises(DeployRefused, match=refused):
        Board.read(said)


def test_answers_of_a_board():
    said = {**SAID, "files": {MAIN: None, f"{FOLDER}/a-1.mpy": "12"}, "free": 8}
    read = Board.read(said)
    assert read.files == {f"{FOLDER}/a-1.mpy": "12"} and read.sources == {"main": "0"} and read.free == 8
    assert Board.read({key: value for key, value in SAID.items() if key != "root"}).root is None


def test_one_board_or_its_name(monkeypatch):
    for found, refused in ([], "no board found"), (["/dev/a", "/dev/b"], "2 boards found, name one.*: /dev/a, /dev/b"):
        monkeypatch.setattr(ports, "boards", lambda found=found: found)
        with pytest.raises(DeployRefused, match=refused):
            ports.only_board()
    monkeypatch.setattr(ports, "boards", lambda: ["/dev/a"])
    assert ports.only_board() == "/dev/a"


def test_the_firmware_is_what_both_images_freeze():
    places = of_checkout()
    names = [file.name for file in firmware_set.sources(places)]
    assert {"main", "board", "pump.base.units", "drivers.stepper", "boards.pico"} <= set(names)
    assert not {"_boot", "start", "build_info", "rp2", "boards.unix"} & set(names)
    assert names == sorted(names)


def test_the_listing_changes_with_a_source(tmp_path):
    here = of_checkout()
    copy = Places(tmp_path / "firmware", tmp_path / "build", tmp_path / "fetched")
    shutil.copytree(here.firmware, copy.firmware, ignore=shutil.ignore_patterns("__pycache__"))
    assert firmware_set.listing(copy) == firmware_set.listing(here)
    with (copy.firmware / "pump" / "base" / "units.py").open("a") as file:
        file.write("# changed\n")
    different = set(firmware_set.listing(copy)) ^ set(firmware_set.listing(here))
    assert {name for name, _ in different} == {"pump.base.units"}


@pytest.mark.parametrize("command", ["deploy", "emulate"])
def test_help_has_an_example_and_the_exit_statuses(command):
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent), "COLUMNS": "200"}
    asked = [sys.executable, "-m", "cisterna", command, "--help"]
    ran = subprocess.run(asked, capture_output=True, text=True, env=environment, timeout=60)
    assert ran.returncode == 0 and f"Example:  cisterna {command}" in ran.stdout and "Exit status: 0" in ran.stdout
