"""`cisterna emulate`: an emulated board that other programs use as they would a real one."""

import contextlib
import signal
import time

import pytest
from support.chip import deploy_bench, storage
from support.chip.deploy_bench import BoardProcess
from support.simulated.pump_process import SERIAL, PumpProcess, provision_arguments, wait_until, write_clinic_files

pytestmark = pytest.mark.target


@pytest.fixture(scope="module", autouse=True)
def _tools():
    deploy_bench.require_tools()


@pytest.fixture
def firmware(tmp_path):
    return deploy_bench.firmware_copy(tmp_path)


def test_the_pump_in_it_passes_its_self_test(development, tmp_path, firmware):
    """Its chips answer: the records in its flash say so."""
    flash = tmp_path / "flash"
    board = BoardProcess(development, flash)
    deploy_bench.deploy(board, firmware, "--format")
    tested = []
    last_s = time.monotonic() + 60
    while not tested and time.monotonic() < last_s:
        time.sleep(0.5)
        tested = [record for record in storage.log(bytearray(flash.read_bytes())) if record.name == "self_test"]
    assert board.end() == 0
    assert [record.payload["passed"] for record in tested] == [1]


def test_a_restart_is_a_power_cycle(development, tmp_path):
    board = BoardProcess(development, tmp_path / "flash", "--bare")
    code = "import rp2, vfs; f = rp2.Flash(start=0, len=0x30000); vfs.VfsLfs2.mkfs(f, progsize=256)"
    deploy_bench.mpremote(board, "exec", code)
    deploy_bench.mpremote(board, "exec", "with open('kept', 'w') as file: file.write('well')")
    board.cut_power()
    board.switch_on()
    assert deploy_bench.mpremote(board, "exec", "print(open('kept').read())") == "well"
    assert board.end() == 0


def test_a_new_image_leaves_the_files_alone(development, therapy, tmp_path):
    flash = tmp_path / "flash"
    BoardProcess(development, flash, "--bare").end()
    data = bytearray(flash.read_bytes())
    data[0xC0000:0xC0004] = b"mine"
    flash.write_bytes(data)
    BoardProcess(therapy, flash, "--bare").end()
    after = flash.read_bytes()
    assert after[0xC0000:0xC0004] == b"mine" and after[:0x40000] != data[:0x40000]


def test_after_power_on_the_board_runs_its_last_files(therapy, tmp_path):
    """After a flash and a power cycle the board has the flashed image, not the image of the checkout."""
    from cisterna.bench import emulator

    flash = tmp_path / "flash"
    BoardProcess(therapy, flash, "--bare").end()
    with contextlib.closing(emulator._board(emulator.Options(pump=False, flash=flash))) as board:
        assert b"variant=therapy" in bytes(board.chip.mcu.flash[:0xC0000]) and board.usb is None


def test_what_a_program_writes_is_not_echoed_by_the_port(development, tmp_path):
    """Programs find a raw serial port, each time one opens it."""
    import serial

    board = BoardProcess(development, tmp_path / "flash", "--bare")
    for _ in range(2):
        with open(board.port, "r+b", buffering=0) as port:
            time.sleep(0.1)
            port.write(b"\x01")
        time.sleep(0.1)
    with serial.Serial(board.port, timeout=5) as port:
        port.write(b"\r\x03\x02\rprint(6 * 7)\r")
        assert b"\r\n42\r\n" in port.read_until(b"\n42\r\n")
    board.end()


def test_a_therapy_image_has_its_line_and_nothing_else(therapy, tmp_path):
    pump = PumpProcess(tmp_path, "--image", str(therapy), "--bench", board="rp2040")
    assert pump.announced["console"] is None and pump.announced["port"] == pump.link
    hello = wait_until(lambda: pump.status()["hello"])
    assert hello["board"] == "pico-therapy" and hello["serial"] == "BENCH-0001" and hello["self_test"] == "passed"
    assert pump.end() == 0


def test_a_development_image_has_both_at_once(development, tmp_path):
    """While a program has the console open, another talks to the pump."""
    import serial

    pump = PumpProcess(tmp_path, "--image", str(development), "--bench", board="rp2040")
    pump.output_of("deploy", "--port", pump.announced["console"], "--format")  # the pump begins with it
    with serial.Serial(pump.announced["console"], timeout=0.1) as console:
        console.read(100)
        wait_until(lambda: pump.cisterna("status", "rp2040:").returncode == 0, 60)
        assert pump.status()["state"]["state"] == "stopped"
    assert pump.end() == 0


def test_provisioning_survives_a_power_cycle(therapy, tmp_path):
    """SEC-06: FRAM and flash are kept, so a killed process is a power cut; a confirmed provisioning stays."""
    pump = PumpProcess(tmp_path, "--image", str(therapy), "--state", str(tmp_path / "state"), board="rp2040")
    work = pump.start("provision", *["rp2040:", *provision_arguments(write_clinic_files(tmp_path))[1:]])
    assert "hold START" in work.stderr.readline()
    pump.wait(0.6)  # for which the display must have been seen
    pump.hand("press start 2.5")
    printed, complained = work.communicate(timeout=120)
    assert work.returncode == 0, complained
    pump.cut_power()
    pump.switch_on()
    assert pump.announced["serial"] == SERIAL
    hello = pump.status()["hello"]
    assert (hello["boot"], hello["serial"], hello["people"], hello["library"]) == (2, SERIAL, 1, 1)
    assert pump.end() == 0


def test_ctrl_c_ends_it(development, tmp_path):
    board = BoardProcess(development, tmp_path / "flash", "--bare")
    board._process.send_signal(signal.SIGINT)
    assert board.end() == 0


def test_an_image_that_cannot_run_is_named(development, tmp_path):
    (tmp_path / "no.uf2").write_bytes(b"no image" * 64)
    taken = BoardProcess(development, tmp_path / "flash", "--bare")
    for arguments, said in (
        (["--image", str(tmp_path / "none.uf2")], "--image held"),
        (["--image", str(tmp_path / "no.uf2")], "it is no .uf2 image"),
        (["--image", str(development), "--flash", str(tmp_path / "no" / "flash")], "--flash held"),
        (["--image", str(development), "--flash", str(tmp_path / "flash")], "another emulated board has it"),
    ):
        ran = deploy_bench.cisterna("emulate", *arguments)
        assert ran.returncode == 2 and said in ran.stderr and len(ran.stderr.splitlines()) == 1
    taken.end()
