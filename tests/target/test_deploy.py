"""`cisterna deploy` to a development board: files sent, what runs, and the state after an interruption."""

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
from cisterna.errors import BoardFailed, CisternaError, DeployRefused
from cisterna.image.places import Places
from support.chip import deploy_bench
from support.chip.deploy_bench import MARK, BoardProcess

pytestmark = pytest.mark.target
MS = 1_000_000
STORAGE = slice(0xC0000, 0xF0000)  # of the flash: the files of a development board


@pytest.fixture(scope="module", autouse=True)
def _tools():
    deploy_bench.require_tools()


@pytest.fixture(scope="module")
def switched_on(development, tmp_path_factory):
    """A board that has just been made: there is no file system on it."""
    board = BoardProcess(development, tmp_path_factory.mktemp("board") / "flash")
    yield board
    assert board.end() == 0


@pytest.fixture
def firmware(tmp_path):
    return deploy_bench.firmware_copy(tmp_path)


@pytest.fixture
def board(switched_on, firmware):
    """A board with a file system, and this checkout's firmware on it."""
    deploy_bench.deploy(switched_on, firmware, "--format")
    return switched_on


def places(firmware) -> Places:
    return Places(firmware, firmware.parent / "build", firmware.parent / "fetched")


# -- what reaches it, and what runs


def test_a_board_without_a_file_system_is_told_apart_and_gets_one(development, tmp_path, firmware):
    board = BoardProcess(development, tmp_path / "flash")
    refused = deploy_bench.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert refused.returncode == 2 and "no file system" in refused.stderr and "--format" in refused.stderr
    made = deploy_bench.deploy(board, firmware, "--format")
    assert not made["removed"] and deploy_bench.deploy(board, firmware)["sent"] == []
    board.end()


def test_a_deployed_module_runs_in_place_of_the_frozen_one(board, firmware):
    before = deploy_bench.deploy(board, firmware)
    deploy_bench.mark(firmware, 42)
    told = deploy_bench.deploy(board, firmware)
    assert set(told["modules"]) == {*before["modules"], "pump.base.units"} and len(told["sent"]) == 2
    assert told["build"].endswith(f" over {told['over']}")
    assert deploy_bench.what_runs(board) == (told["build"], "42")


def test_the_start_itself_can_be_deployed(board, firmware):
    deploy_bench.mark(firmware, "main", "main")
    deploy_bench.mark(firmware, "package", "drivers/__init__")
    deploy_bench.deploy(board, firmware)
    assert deploy_bench.what_runs(board, "main", "drivers")[1:] == ("main", "package")


def test_nothing_changed_sends_nothing(board, firmware):
    deploy_bench.mark(firmware, 1)
    first = deploy_bench.deploy(board, firmware)
    again = deploy_bench.deploy(board, firmware)
    assert again["sent"] == [] and again["removed"] == [] and again["build"] == first["build"]
    assert (
        deploy_bench.deploy(board, firmware, "--full")["sent"] == first["sent"][:-1]
    )  # all but the loader, which stays


def test_one_changed_file_sends_one_and_removes_its_last_version(board, firmware):
    deploy_bench.mark(firmware, 1)
    deploy_bench.mark(firmware, 1, "pump/base/clock")
    first = deploy_bench.deploy(board, firmware)
    deploy_bench.mark(firmware, 2)
    second = deploy_bench.deploy(board, firmware)
    assert len(second["sent"]) == 2 and len(second["removed"]) == 1
    assert second["removed"][0] in first["sent"]
    assert deploy_bench.what_runs(board, "pump.base.units", "pump.base.clock")[1:] == ("2", "1")


def test_back_to_what_the_image_has_leaves_nothing(board, firmware, tmp_path):
    plain = deploy_bench.deploy(board, firmware)
    other = deploy_bench.firmware_copy(tmp_path / "other")
    deploy_bench.mark(other, 1)
    deploy_bench.deploy(board, other)
    back = deploy_bench.deploy(board, firmware)
    assert back["build"] == plain["build"] and deploy_bench.what_runs(board) == (plain["build"], "None")


def test_new_modules_are_added_and_removed_ones_deleted(board, firmware):
    (firmware / "pump" / "dawn.py").write_text(f"{MARK} = 'dawn'\n")
    main = firmware / "main.py"
    main.write_text(main.read_text().replace("import gc\n", "import gc\nimport pump.dawn\n", 1))
    deploy_bench.deploy(board, firmware)
    assert deploy_bench.what_runs(board, "pump.dawn")[1] == "dawn"
    (firmware / "pump" / "dawn.py").unlink()
    main.write_text(main.read_text().replace("import pump.dawn", "import sys\nX = 'pump.dawn' in sys.modules", 1))
    told = deploy_bench.deploy(board, firmware)
    assert any("dawn" in path for path in told["removed"])


def test_what_was_copied_there_by_hand_does_not_hide_the_firmware(board, firmware, tmp_path):
    (tmp_path / "units.py").write_text(f"{MARK} = 'by hand'\n")
    deploy_bench.mpremote(
        board,
        "mkdir",
        ":pump",
        "+",
        "mkdir",
        ":pump/base",
        "+",
        "cp",
        str(tmp_path / "units.py"),
        ":pump/base/units.py",
    )
    deploy_bench.mpremote(board, "cp", str(tmp_path / "units.py"), ":notes.py")
    deploy_bench.mark(firmware, "deployed")
    told = deploy_bench.deploy(board, firmware)
    assert told["removed"] == ["/pump"] and deploy_bench.what_runs(board)[1] == "deployed"
    assert "notes.py" in deploy_bench.mpremote(board, "ls", ":")


def test_mpremote_works_beside_it(board, firmware):
    deploy_bench.mark(firmware, 1)
    deploy_bench.deploy(board, firmware)
    assert deploy_bench.mpremote(board, "exec", "print(6 * 7)") == "42"
    listed = deploy_bench.mpremote(board, "ls", ":")
    assert "main.mpy" in listed and "deployed/" in listed
    assert deploy_bench.deploy(board, firmware)["sent"] == []


def test_a_dry_run_changes_nothing(board, firmware):
    deploy_bench.mark(firmware, 1)
    told = deploy_bench.deploy(board, firmware, "--dry-run")
    assert len(told["sent"]) == 2
    assert deploy_bench.deploy(board, firmware)["sent"] == told["sent"]


def test_the_board_can_be_left_at_its_prompt(board, firmware):
    deploy_bench.deploy(board, firmware, "--no-restart")
    assert deploy_bench.mpremote(board, "resume", "exec", "import sys; print('main' in sys.modules)") == "False"


def test_another_image_does_not_run_what_was_deployed_over_this_one(board, firmware):
    """What lies in the file system must not follow a board to the next image."""
    deploy_bench.mark(firmware, 1)
    deploy_bench.deploy(board, firmware)
    line = "import sys; sys.path[:] = ('.frozen',); import build_info; build_info.BUILD = 'another'"
    line += "; sys.path[:] = ('', '.frozen'); import main; main.use(); import pump.base.units as u"
    told = deploy_bench.mpremote(board, "exec", f"{line}; print(hasattr(u, '{MARK}'))")
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
    for module in ("pump/base/units", "pump/base/clock", "pump/delivery/ledger"):
        deploy_bench.mark(firmware, os.urandom(3000).hex(), module)


@pytest.mark.parametrize("done", [0.1, 0.5, 0.999])
def test_a_killed_host_leaves_the_old_files_and_the_next_run_continues(board, firmware, done):
    before = deploy_bench.deploy(board, firmware)
    make_large_changes(firmware)
    break_off(board, firmware, done)
    deploy_bench.mpremote(board, "reset")
    assert deploy_bench.what_runs(board) == (before["build"], "None")
    told = deploy_bench.deploy(board, firmware)
    sizes = {0.1: 4, 0.5: 3, 0.999: 1}
    assert len(told["sent"]) == sizes[done]
    assert deploy_bench.what_runs(board)[0] == told["build"]


def test_a_board_that_loses_power_during_deploy_starts_with_the_old_files(development, tmp_path, firmware):
    board = BoardProcess(development, tmp_path / "flash")
    before = deploy_bench.deploy(board, firmware, "--format")
    make_large_changes(firmware)
    break_off(board, firmware, 0.5, board._process.pid)
    board.cut_power()
    board.switch_on()
    assert deploy_bench.what_runs(board) == (before["build"], "None")
    deploy_bench.deploy(board, firmware)
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
    code = f"import sys\nu = sys.modules['pump.base.units']\nprint('<', getattr(u, '{MARK}', None), '>')\x04".encode()
    run(200, code)
    return heard.rpartition(b"< ")[2].partition(b" >")[0].decode()


def test_a_power_cut_at_any_write_leaves_the_old_files_or_the_new(development, firmware):
    """Each state that the flash went through, from the first byte sent to the last file removed, is switched on."""
    from cisterna.flash import deploy

    with closing(Recorder(development)) as recorder:
        options = deploy.Options(port=recorder.board.path, format=True)
        deploy_bench.mark(firmware, "old")
        deploy.deploy(places(firmware), options, print, None)
        recorder.states.clear()
        deploy_bench.mark(firmware, "new")
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
    assert deploy_bench.what_runs(board)[1] == "None"  # it had gone on
    warned = []
    deploy.deploy(places(firmware), deploy.Options(restart=False), warned.append, None)  # at its prompt now
    assert not warned
    deploy.deploy(places(firmware), deploy.Options(port=board.port), warned.append, None)
    time.sleep(1)
    deploy.deploy(places(firmware), deploy.Options(port=board.port), warned.append, None)
    assert len(warned) == 1 and "was ended" in warned[0]


def test_a_port_in_use_and_a_missing_port_are_named(board, firmware, tmp_path):
    import serial

    with serial.Serial(board.port, exclusive=True):
        ran = deploy_bench.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 2 and "another program has it" in ran.stderr
    ran = deploy_bench.cisterna("deploy", "--port", "/dev/pts/none", firmware=firmware)
    assert ran.returncode == 2 and "no such port" in ran.stderr


def test_a_port_where_nobody_answers(therapy, firmware, tmp_path):
    """A therapy image does not answer."""
    board = BoardProcess(therapy, tmp_path / "flash")
    ran = deploy_bench.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 70 and "no answer to Ctrl-C" in ran.stderr and "Traceback" not in ran.stderr
    board.end()


def test_deploy_gives_up_on_a_board_that_keeps_resetting(monkeypatch, firmware):
    from cisterna.flash import deploy
    from cisterna.flash.repl import PortGone

    class Coming:
        opened = 0

        def __init__(self, port):
            Coming.opened += 1
            if Coming.opened == 2:
                raise DeployRefused("there is no such port")

        def take_over(self):
            raise PortGone

        def close(self):
            pass

    monkeypatch.setattr(deploy, "Repl", Coming)
    monkeypatch.setattr(deploy.time, "sleep", lambda seconds: None)
    with pytest.raises(BoardFailed, match="p: the board comes and goes: it is reset again and again"):
        deploy.deploy(places(firmware), deploy.Options(port="p"), print, None)
    assert Coming.opened == 3


def test_source_that_does_not_compile_is_named_and_nothing_is_sent(board, firmware):
    before = deploy_bench.deploy(board, firmware)
    deploy_bench.mark(firmware, 1)
    with (firmware / "pump" / "base" / "clock.py").open("a") as file:
        file.write("def (:\n")
    ran = deploy_bench.cisterna("deploy", "--port", board.port, firmware=firmware)
    assert ran.returncode == 2 and "pump/base/clock.py: does not compile" in ran.stderr
    assert deploy_bench.what_runs(board) == (before["build"], "None")


def test_a_compiler_of_another_format_is_refused():
    from cisterna.flash.compiler import Compiler

    assert Compiler(4870).compile("x = 1", "x.py")[:2] == b"M\x06"
    with pytest.raises(CisternaError, match=r"version 6, the board's image loads version 5"):
        Compiler(4870 - 1).compile("x = 1", "x.py")
