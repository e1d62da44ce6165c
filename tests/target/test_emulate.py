"""`cisterna emulate`: an emulated board that other programs use as they would a real one."""

import signal
import time

import pytest
from target import desk, storage
from target.desk import Board

pytestmark = pytest.mark.target


@pytest.fixture(scope="module", autouse=True)
def _tools():
    desk.need()


@pytest.fixture
def firmware(tmp_path):
    return desk.firmware_copy(tmp_path)


def test_the_pump_in_it_passes_its_self_test(development, tmp_path, firmware):
    """Its chips answer: the records in its flash say so."""
    flash = tmp_path / "flash"
    board = Board(development, flash)
    desk.deploy(board, firmware, "--format")
    tested = []
    last_s = time.monotonic() + 60
    while not tested and time.monotonic() < last_s:
        time.sleep(0.5)
        tested = [record for record in storage.log(bytearray(flash.read_bytes())) if record.name == "self_test"]
    assert board.end() == 0
    assert [record.payload["passed"] for record in tested] == [1]


def test_a_restart_is_a_power_cycle(development, tmp_path):
    board = Board(development, tmp_path / "flash", "--bare")
    code = "import rp2, vfs; f = rp2.Flash(start=0, len=0x40000); vfs.VfsLfs2.mkfs(f, progsize=256)"
    desk.mpremote(board, "exec", code)
    desk.mpremote(board, "exec", "with open('kept', 'w') as file: file.write('well')")
    board.cut_power()
    board.switch_on()
    assert desk.mpremote(board, "exec", "print(open('kept').read())") == "well"
    assert board.end() == 0


def test_a_new_image_leaves_the_files_alone(development, therapy, tmp_path):
    flash = tmp_path / "flash"
    Board(development, flash, "--bare").end()
    data = bytearray(flash.read_bytes())
    data[0xC0000:0xC0004] = b"mine"
    flash.write_bytes(data)
    Board(therapy, flash, "--bare").end()
    after = flash.read_bytes()
    assert after[0xC0000:0xC0004] == b"mine" and after[:0x40000] != data[:0x40000]


def test_what_a_program_writes_is_not_echoed_by_the_port(development, tmp_path):
    """Programs find a raw serial port, each time one opens it."""
    import serial

    board = Board(development, tmp_path / "flash", "--bare")
    for _ in range(2):
        with open(board.port, "r+b", buffering=0) as port:
            time.sleep(0.1)
            port.write(b"\x01")
        time.sleep(0.1)
    with serial.Serial(board.port, timeout=5) as port:
        port.write(b"\r\x03\x02\rprint(6 * 7)\r")
        assert b"\r\n42\r\n" in port.read_until(b"\n42\r\n")
    board.end()


def test_ctrl_c_ends_it(development, tmp_path):
    board = Board(development, tmp_path / "flash", "--bare")
    board._process.send_signal(signal.SIGINT)
    assert board.end() == 0


def test_what_cannot_be_run_is_named(development, tmp_path):
    (tmp_path / "no.uf2").write_bytes(b"no image" * 64)
    taken = Board(development, tmp_path / "flash", "--bare")
    for arguments, said in (
        (["--image", str(tmp_path / "none.uf2")], "--image held"),
        (["--image", str(tmp_path / "no.uf2")], "it is no .uf2 image"),
        (["--image", str(development), "--flash", str(tmp_path / "no" / "flash")], "--flash held"),
        (["--image", str(development), "--flash", str(tmp_path / "flash")], "another emulated board has it"),
    ):
        ran = desk.cisterna("emulate", *arguments)
        assert ran.returncode == 2 and said in ran.stderr and len(ran.stderr.splitlines()) == 1
    taken.end()
