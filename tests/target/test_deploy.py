"""Deploying to a development board: what reaches it, what runs there, and what a broken deployment leaves."""

import os
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from cisterna.bench.rp2040.board import EmulatedBoard
from cisterna.bench.rp2040.chip import Chip
from cisterna.bench.rp2040.usb import UsbHost
from cisterna.errors import BoardSilent, CisternaError, DeployRefused
from cisterna.image.places import Places
from target import desk
from target.desk import MARK, Board

pytestmark = pytest.mark.target
MS = 1_000_000
STORAGE = slice(0xC0000, 0xF0000)  # of the flash: the files of a development board


@pytest.fixture(scope="module", autouse=True)
def _tools():
    desk.need()


@pytest.fixture(scope="module")
def switched_on(development, tmp_path_factory):
    """A board that has just been made: there is no file system on it."""
    board = Board(development, tmp_path_factory.mktemp("board") / "flash")
    yield board
    assert board.end() == 0


@pytest.fixture
def firmware(tmp_path):
    return desk.firmware_copy(tmp_path)


@pytest.fixture
def board(switched_on, firmware):
    """A board with a file system, and this checkout's firmware on it."""
    desk.deploy(switched_on, firmware, "--format")
    return switched_on


def places(firmware) -> Places:
    return Places(firmware, firmware.parent / "build", firmware.parent / "fetched")


# -- what reaches it, and what runs


def test_a_board_without_a_file_system_is_told_apart_and_gets_one(development, tmp_path, firmware):
    board = Board(development, tmp_path / "flash")
    refused = desk.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert refused.returncode == 2 and "no file system" in refused.stderr and "--format" in refused.stderr
    made = desk.deploy(board, firmware, "--format")
    assert not made["removed"] and desk.deploy(board, firmware)["sent"] == []
    board.end()


def test_a_deployed_module_runs_in_place_of_the_frozen_one(board, firmware):
    before = desk.deploy(board, firmware)
    desk.mark(firmware, 42)
    told = desk.deploy(board, firmware)
    assert set(told["modules"]) == {*before["modules"], "pump.units"} and len(told["sent"]) == 2
    assert told["build"].endswith(f" over {told['over']}")
    assert desk.what_runs(board) == (told["build"], "42")


def test_the_start_itself_can_be_deployed(board, firmware):
    desk.mark(firmware, "main", "main")
    desk.mark(firmware, "package", "drivers/__init__")
    desk.deploy(board, firmware)
    assert desk.what_runs(board, "main", "drivers")[1:] == ("main", "package")


def test_nothing_changed_sends_nothing(board, firmware):
    desk.mark(firmware, 1)
    first = desk.deploy(board, firmware)
    again = desk.deploy(board, firmware)
    assert again["sent"] == [] and again["removed"] == [] and again["build"] == first["build"]
    assert desk.deploy(board, firmware, "--full")["sent"] == first["sent"][:-1]  # all but the loader, which stays


def test_one_changed_file_sends_one_and_removes_its_last_version(board, firmware):
    desk.mark(firmware, 1)
    desk.mark(firmware, 1, "pump/clock")
    first = desk.deploy(board, firmware)
    desk.mark(firmware, 2)
    second = desk.deploy(board, firmware)
    assert len(second["sent"]) == 2 and len(second["removed"]) == 1
    assert second["removed"][0] in first["sent"]
    assert desk.what_runs(board, "pump.units", "pump.clock")[1:] == ("2", "1")


def test_back_to_what_the_image_has_leaves_nothing(board, firmware, tmp_path):
    plain = desk.deploy(board, firmware)
    other = desk.firmware_copy(tmp_path / "other")
    desk.mark(other, 1)
    desk.deploy(board, other)
    back = desk.deploy(board, firmware)
    assert back["build"] == plain["build"] and desk.what_runs(board) == (plain["build"], "None")


def test_new_modules_come_and_removed_ones_go(board, firmware):
    (firmware / "pump" / "dawn.py").write_text(f"{MARK} = 'dawn'\n")
    main = firmware / "main.py"
    main.write_text(main.read_text().replace("import gc\n", "import gc\nimport pump.dawn\n", 1))
    desk.deploy(board, firmware)
    assert desk.what_runs(board, "pump.dawn")[1] == "dawn"
    (firmware / "pump" / "dawn.py").unlink()
    main.write_text(main.read_text().replace("import pump.dawn", "import sys\nX = 'pump.dawn' in sys.modules", 1))
    told = desk.deploy(board, firmware)
    assert any("dawn" in path for path in told["removed"])


def test_what_was_copied_there_by_hand_does_not_hide_the_firmware(board, firmware, tmp_path):
    (tmp_path / "units.py").write_text(f"{MARK} = 'by hand'\n")
    desk.mpremote(board, "mkdir", ":pump", "+", "cp", str(tmp_path / "units.py"), ":pump/units.py")
    desk.mpremote(board, "cp", str(tmp_path / "units.py"), ":notes.py")
    desk.mark(firmware, "deployed")
    told = desk.deploy(board, firmware)
    assert told["removed"] == ["/pump"] and desk.what_runs(board)[1] == "deployed"
    assert "notes.py" in desk.mpremote(board, "ls", ":")


def test_mpremote_works_beside_it(board, firmware):
    desk.mark(firmware, 1)
    desk.deploy(board, firmware)
    assert desk.mpremote(board, "exec", "print(6 * 7)") == "42"
    listed = desk.mpremote(board, "ls", ":")
    assert "main.mpy" in listed and "deployed/" in listed
    assert desk.deploy(board, firmware)["sent"] == []


def test_a_dry_run_changes_nothing(board, firmware):
    desk.mark(firmware, 1)
    told = desk.deploy(board, firmware, "--dry-run")
    assert len(told["sent"]) == 2
    assert desk.deploy(board, firmware)["sent"] == told["sent"]


def test_the_board_can_be_left_at_its_prompt(board, firmware):
    desk.deploy(board, firmware, "--no-restart")
    assert desk.mpremote(board, "resume", "exec", "import sys; print('main' in sys.modules)") == "False"


def test_another_image_does_not_run_what_was_deployed_over_this_one(board, firmware):
    """What lies in the file system must not follow a board to the next image."""
    desk.mark(firmware, 1)
    desk.deploy(board, firmware)
    line = "import sys; sys.path[:] = ('.frozen',); import build_info; build_info.BUILD = 'another'"
    line += "; sys.path[:] = ('', '.frozen'); import main; main.use(); import pump.units as u"
    told = desk.mpremote(board, "exec", f"{line}; print(hasattr(u, '{MARK}'))")
    assert "this image is another: they are not used" in told and told.endswith("False")


# -- what a broken deployment leaves

DYING = """
import os, signal, sys
from pathlib import Path
from cisterna.flash import deploy
from cisterna.image.places import Places
def progress(done):
    if done >= float(sys.argv[3]):
        os.kill(int(sys.argv[4]) or os.getpid(), signal.SIGKILL)
places = Places(Path(sys.argv[2]), Path("build"), Path("fetched"))
deploy.deploy(places, deploy.Options(port=sys.argv[1]), lambda text: None, progress)
"""


def break_off(board, firmware, done: float, victim: int = 0) -> None:
    """Deploys, and kills itself (or `victim`) when so much has been sent."""
    arguments = [board.port, str(firmware), str(done), str(victim)]
    ran = subprocess.run([sys.executable, "-c", DYING, *arguments], capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0, ran.stdout


def make_large_changes(firmware) -> None:
    for module in ("pump/units", "pump/clock", "pump/ledger"):
        desk.mark(firmware, os.urandom(3000).hex(), module)


@pytest.mark.parametrize("done", [0.1, 0.5, 0.999])
def test_a_host_that_dies_leaves_the_old_set_and_the_next_run_goes_on(board, firmware, done):
    before = desk.deploy(board, firmware)
    make_large_changes(firmware)
    break_off(board, firmware, done)
    desk.mpremote(board, "reset")
    assert desk.what_runs(board) == (before["build"], "None")
    told = desk.deploy(board, firmware)
    sizes = {0.1: 4, 0.5: 3, 0.999: 1}
    assert len(told["sent"]) == sizes[done]
    assert desk.what_runs(board)[0] == told["build"]


def test_a_board_that_loses_power_meanwhile_starts_as_it_was(development, tmp_path, firmware):
    board = Board(development, tmp_path / "flash")
    before = desk.deploy(board, firmware, "--format")
    make_large_changes(firmware)
    break_off(board, firmware, 0.5, board._process.pid)
    board.cut_power()
    board.switch_on()
    assert desk.what_runs(board) == (before["build"], "None")
    desk.deploy(board, firmware)
    board.end()


class Recorder:
    """A board in this process, which keeps its file system as it was before each erasing and programming."""

    def __init__(self, image):
        self.board = EmulatedBoard(image, pump=False)
        self.states: list[bytes] = []
        ssi = self.board.chip.mcu.ssi
        apply = ssi._apply_command

        def watched():
            state = bytes(self.board.chip.mcu.flash[STORAGE])
            if ssi._tx_buffer and (not self.states or self.states[-1] != state):
                self.states.append(state)
            apply()

        ssi._apply_command = watched
        self._goes_on = True
        self._thread = threading.Thread(target=self.board.serve, args=(lambda: self._goes_on,))
        self._thread.start()

    def close(self) -> None:
        self._goes_on = False
        self._thread.join()
        self.board.close()


def started_with(image, state: bytes) -> str:
    """What a board with this file system runs, after power-up."""
    chip = Chip(image)
    chip.mcu.flash[STORAGE] = state
    host = UsbHost(chip)
    chip.power_on()
    heard = b""

    def run(ms: int, said: bytes = b"") -> bytes:
        nonlocal heard
        host.send(said)
        chip.run_until_ns(chip.now_ns + ms * MS)
        heard += host.take()
        return heard

    run(1500)
    run(100, b"\x03")
    run(50, b"\x01")
    code = f"import sys\nu = sys.modules['pump.units']\nprint('<', getattr(u, '{MARK}', None), '>')\x04".encode()
    run(200, code)
    return heard.rpartition(b"< ")[2].partition(b" >")[0].decode()


def test_a_power_cut_at_any_write_leaves_the_old_set_or_the_new(development, firmware):
    """Each state that the flash went through, from the first byte sent to the last file removed, is switched on."""
    from cisterna.flash import deploy

    with closing(Recorder(development)) as recorder:
        options = deploy.Options(port=recorder.board.path, format=True)
        desk.mark(firmware, "old")
        deploy.deploy(places(firmware), options, print, None)
        recorder.states.clear()
        desk.mark(firmware, "new")
        deploy.deploy(places(firmware), deploy.Options(port=recorder.board.path), print, None)
    states = recorder.states
    ran = [started_with(development, state) for state in states]
    assert len(states) > 10 and set(ran) == {"old", "new"} and ran == sorted(ran, reverse=True), ran


# -- what is refused


def test_a_running_pump_is_not_ended_unasked(board, firmware, monkeypatch):
    from cisterna.flash import deploy, ports

    monkeypatch.setattr(ports, "boards", lambda: [board.port])
    time.sleep(1)  # the pump is up again
    with pytest.raises(DeployRefused, match=f"a program runs on the board.*--port {board.port}"):
        deploy.deploy(places(firmware), deploy.Options(), print, None)
    assert desk.what_runs(board)[1] == "None"  # it had gone on
    warned = []
    deploy.deploy(places(firmware), deploy.Options(restart=False), warned.append, None)  # at its prompt now
    assert not warned
    deploy.deploy(places(firmware), deploy.Options(port=board.port), warned.append, None)
    time.sleep(1)
    deploy.deploy(places(firmware), deploy.Options(port=board.port), warned.append, None)
    assert len(warned) == 1 and "was ended" in warned[0]


def test_a_port_in_use_and_a_port_that_is_none(board, firmware, tmp_path):
    import serial

    with serial.Serial(board.port, exclusive=True):
        ran = desk.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 2 and "another program has it" in ran.stderr
    ran = desk.cisterna("deploy", "--port", "/dev/pts/none", firmware=firmware)
    assert ran.returncode == 2 and "no such port" in ran.stderr


def test_a_port_where_nobody_answers(therapy, firmware, tmp_path):
    """A therapy image is deaf: nothing but this could be heard of it."""
    board = Board(therapy, tmp_path / "flash")
    ran = desk.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 70 and "no answer to Ctrl-C" in ran.stderr and "Traceback" not in ran.stderr
    board.end()


def test_a_board_that_is_reset_again_and_again_is_given_up(monkeypatch, firmware):
    from cisterna.flash import deploy
    from cisterna.flash.repl import Gone

    class Coming:
        opened = 0

        def __init__(self, port):
            Coming.opened += 1
            if Coming.opened == 2:
                raise DeployRefused("there is no such port")

        def take_over(self):
            raise Gone

        def close(self):
            pass

    monkeypatch.setattr(deploy, "Repl", Coming)
    monkeypatch.setattr(deploy.time, "sleep", lambda seconds: None)
    with pytest.raises(BoardSilent, match="p: the board comes and goes: it is reset again and again"):
        deploy.deploy(places(firmware), deploy.Options(port="p"), print, None)
    assert Coming.opened == 3


def test_source_that_does_not_compile_is_named_and_nothing_is_sent(board, firmware):
    before = desk.deploy(board, firmware)
    desk.mark(firmware, 1)
    with (firmware / "pump" / "clock.py").open("a") as file:
        file.write("def (:\n")
    ran = desk.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 2 and "pump/clock.py: does not compile" in ran.stderr
    assert desk.what_runs(board) == (before["build"], "None")


def test_a_compiler_of_another_format_is_refused():
    from cisterna.flash.compiler import Compiler

    assert Compiler(4870).compile("x = 1", "x.py")[:2] == b"M\x06"
    with pytest.raises(CisternaError, match=r"version 6, the board's image loads version 5"):
        Compiler(4870 - 1).compile("x = 1", "x.py")
