"""The process: firmware and world inside the real MicroPython."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from cisterna.bench import engines
from cisterna.bench.engines import find_micropython
from cisterna.bench.target import TargetError
from cisterna.bench.unix_target import UnixTarget

FIRMWARE = Path(__file__).resolve().parents[3] / "firmware"


def started(target, **config):
    target.start(config)
    return target


def test_a_pump_day(stub):
    with started(stub("loop"), pump={"movement_kpa": 3}) as target:
        target.run_until(1000)
        target.act("connect")
        target.act("mark_start")
        target.run_until(3_601_000)
        truth = target.truth()
    assert truth["firmware_error"] is None
    assert truth["steps"] == 8 * 360
    assert truth["pumped_ul"] == pytest.approx(truth["steps"] * 0.041282 - 3.3, abs=0.5)
    assert truth["peak_window_ug"]["24h"] == pytest.approx(truth["pumped_ug"])
    assert truth["reboots"] == 0 and truth["motor_power"]


def test_same_seed_gives_the_same_run_and_reading_changes_nothing(stub):
    def run(seed, look):
        with started(stub("loop"), seed=seed, pump={"movement_kpa": 3}) as target:
            target.run_until(1000)
            target.act("connect")
            target.act("mark_start")
            for t_ms in range(60_000, 1_200_000, 60_000) if look else ():
                target.run_until(t_ms + 777)
                target.truth()
            target.run_until(1_200_000)
            truth = target.truth()
            truth.pop("heap_used")
            return json.dumps(truth, sort_keys=True)

    assert run(1, False) == run(1, False) == run(1, True) != run(2, False)


def test_the_host_acts_before_the_pump_at_the_same_instant(stub):
    with started(stub("loop"), ticks_at_power_up_ms=2**30 - 5000) as target:
        target.run_until(10_000)
        target.act("press", button="stop", hold_ms=100)
        target.run_until(10_001)
        target.run_until(10_500)
        said = b"".join(target.lines()).decode()
    # ticks have wrapped; the edge is stamped with its own time, and so is the release
    assert said == "[(10, 0, 5000)]\n[(10, 1, 5100)]\n"


def test_exchange_takes_world_time(stub):
    with started(stub("loop")) as target:
        target.run_until(12_345)
        assert target.exchange(b"hello\n", timeout_ms=20_000) == b"echo hello\n"
        assert target.now_ms == 12_347  # six bytes there, an interrupt, eleven back at 115 200 baud
        with pytest.raises(TimeoutError):
            target.exchange(b"", timeout_ms=700)
        assert target.now_ms == 13_047
        target.act("press", hold_ms=50)
        target.run_until(14_000)
        assert len(target.lines()) >= 1
        assert target.lines() == []


def test_a_power_cut_ends_all_but_fram_and_clock(stub):
    with started(stub("crash"), ticks_at_power_up_ms=77) as target:
        target.run_until(1000)
        assert target.lines() == [b"boot 1 77 0\n"]
        assert target.exchange(b"count\n") == b"count 1\n"
        target.act("power", off_for_s=60)
        target.run_until(30_000)
        assert target.truth()["powered"] is False
        with pytest.raises(TimeoutError):
            target.exchange(b"count\n", timeout_ms=1000)
        target.run_until(62_000)
        assert target.lines() == [b"boot 1 77 0\n"]
        assert target.exchange(b"count\n") == b"count 2\n"
        truth = target.truth()
    assert truth["powered"] and truth["reboots"] == 1 and truth["firmware_error"] is None


def test_power_may_be_cut_again_while_it_is_off(stub):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.act("power", off_for_s=10)
        target.run_until(5000)
        target.act("power", off_for_s=10)
        target.run_until(14_000)
        assert not target.truth()["powered"]
        target.run_until(16_000)
        assert target.truth()["reboots"] == 1


@pytest.mark.parametrize("emit", ["native", "bytecode"])
def test_firmware_that_raises_is_dead_until_the_watchdog_resets_it(stub, emit):
    with started(stub("crash", emit=emit)) as target:
        target.run_until(1000)
        target.lines()
        target.send(b"raise\n")
        target.run_until(8000)
        truth = target.truth()
        assert "ValueError: on purpose" in truth["firmware_error"]
        assert ("line" in truth["firmware_error"]) == (emit == "bytecode")
        assert truth["reboots"] == 0
        target.run_until(10_000)
        assert target.truth()["reboots"] == 1
        assert re.match(rb"boot 3 0 0\n", target.lines()[0])


@pytest.mark.parametrize("word", [b"return\n", b"hang\n", b"spin\n", b"reset\n"])
def test_firmware_that_hangs_is_reset(stub, word):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.send(word)
        target.run_until(10_000)
        truth = target.truth()
        assert truth["reboots"] == 1
        assert ("returned" in (truth["firmware_error"] or "")) == (word == b"return\n")


def test_a_handler_that_raises_is_reported_and_the_loop_continues(stub):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.lines()
        assert target.exchange(b"handler\n") == b"armed\n"
        target.run_until(3000)
        assert target.exchange(b"count\n") == b"count 1\n"
        assert "in a handler" in target.truth()["firmware_error"]


def test_power_fails_inside_a_write(stub):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.lines()
        target.act("cut_at_write", n=2, byte=0, off_for_s=5)
        assert target.exchange(b"count\n") == b"count 1\n"
        target.send(b"count\n")
        target.run_until(10_000)
        assert target.lines() == [b"boot 1 0 0\n"]
        assert target.exchange(b"count\n") == b"count 2\n"


def test_hang_stops_the_loop_but_not_the_world(stub):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.lines()
        target.act("hang", for_s=5)
        with pytest.raises(TimeoutError):
            target.exchange(b"count\n", timeout_ms=4000)
        target.run_until(6500)
        assert target.lines() == [b"count 1\n"]
        assert target.truth()["reboots"] == 0


def test_provisioned_memory_is_there(stub):
    with started(stub("crash"), fram_image={"0": "29"}) as target:
        target.run_until(1000)
        target.lines()
        assert target.exchange(b"count\n") == b"count 42\n"


def test_a_vault_that_holds_something_is_there(stub):
    """It keeps what is written over it, bits only falling, through a power cut."""
    with started(stub("vault"), vault_image=b"abcdef".hex()) as target:
        target.run_until(1000)
        assert target.exchange(b"\xff\xff`\n") == b"ab`def\xff\xff\n"
        target.act("power", off_for_s=1)
        target.run_until(5000)
        assert target.exchange(b"\xff\n") == b"ab`def\xff\xff\n"


def test_the_console_is_kept_apart(stub):
    with started(stub("crash")) as target:
        target.run_until(1000)
        target.lines()
        assert target.exchange(b"print\n") == b"printed\n"
        assert "to the console" in target.console


def test_errors_name_what_is_wrong(stub, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="bd-11"):
        stub("loop").start({"pump": {"syringe": "bd-11"}})
    with pytest.raises(ValueError, match="vault_image is 'f0f'..., 3 characters; an even number"):
        stub("loop").start({"vault_image": "f0f"})
    with started(stub("loop")) as target:
        with pytest.raises(ValueError, match="allowed here: .*press"):
            target.act("explode")
        target.run_until(10)
        with pytest.raises(ValueError, match="10 ms already"):
            target.run_until(5)
    with pytest.raises(TargetError, match="not started"):
        target.truth()
    with pytest.raises(TargetError, match=r"main\.py"):
        UnixTarget(firmware=tmp_path).start({})
    (tmp_path / "main.py").write_text("def main(:\n")
    with UnixTarget(firmware=tmp_path, board=FIRMWARE / "unix") as target:
        target.start({})
        target.run_until(1000)
        assert "SyntaxError" in target.truth()["firmware_error"]
    monkeypatch.setattr(engines.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="pip install"):
        find_micropython()


def test_a_dead_or_hung_process_is_told_apart_from_the_pump(tmp_path):
    (tmp_path / "main.py").write_text("def main():\n    while True: pass\n")
    with UnixTarget(firmware=tmp_path, board=FIRMWARE / "unix", wall_limit_s=0.5) as target:
        target.start({})
        with pytest.raises(TargetError, match="hangs"):
            target.run_until(1000)
    (tmp_path / "main.py").write_text("def main():\n    print('last words')\n    raise SystemExit(3)\n")
    with UnixTarget(firmware=tmp_path, board=FIRMWARE / "unix") as target:
        target.start({})
        with pytest.raises(TargetError, match="last words"):
            target.run_until(1000)


def test_all_firmware_compiles_to_native_code():
    """The target runs it so; that compiler has no `raise` without an argument, nor `raise ... from`."""
    failed, sources = [], sorted(FIRMWARE.rglob("*.py"))
    assert len(sources) > 50
    for source in sources:
        command = [find_micropython(), "-X", "emit=native", "-X", "compile-only", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            failed.append(f"{source.relative_to(FIRMWARE)}: {done.stderr.strip().splitlines()[-1]}")
    assert not failed
