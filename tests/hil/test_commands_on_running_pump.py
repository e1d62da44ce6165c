"""Every command that talks to a pump, on a simulated pump in real time on a pseudo-terminal."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import tty

import pytest
from cisterna import paths
from cisterna.link import workflows
from cisterna.link.protocol import Requests
from cisterna.link.pump_client import PumpClient
from cisterna.link.records import Chain
from cisterna.link.transport import SerialTransport
from cisterna.pharmacy import documents, keys, order_files, rx_files, signed_files
from support.simulated.pump_process import SERIAL, PumpProcess, provision_arguments, wait_until, write_clinic_files


@pytest.fixture
def pump(tmp_path):
    pump = PumpProcess(tmp_path, "--bench", "--serial", SERIAL)
    yield pump
    pump.end()


ACK = 4  # of the key records
READ_S = 0.6  # before a hand does what a display says
AS_CLINICIAN = ("--by", "clinician", "--key", "bench:clinician")
AS_SERVICE = ("--by", "service", "--key", "bench:service")

FLUID = {
    "drug": "test-fluid", "concentration_ug_per_ml": 1000, "route": "intrathecal", "site": "lumbar",
    "basal_ug_per_day": 14400, "bolus_ug": 100, "bolus_duration_s": 120, "lockout_s": 1800,
    "limit_1h_ug": 1200, "limit_4h_ug": 2650, "limit_24h_ug": 20000,
    "syringe": "bd-10", "fill_ul": 10000, "deadspace_ul": 50, "compliance_nl_per_kpa": 9000,
}  # fmt: skip


def prescription(path, serial=SERIAL, signed_by=("prescriber", "second"), sequence=1, **changes) -> str:
    """Path of a prescription that these people of the bench have signed."""
    text = documents.prescription({**FLUID, **changes}, serial=serial, patient="bench", sequence=sequence)
    rx = rx_files.new(text)
    for role in signed_by:
        rx = rx_files.add_signature(rx, role, role, getattr(keys.bench_keys(), role))
    signed_files.write(path, rx.params(), replace=True)
    return str(path)


# --- looking


def test_the_only_pump_is_found_and_says_what_it_is(pump):
    said = json.loads(pump.output_of("status", "--json"))
    assert said["hello"]["serial"] == SERIAL and said["hello"]["board"] == "unix"
    assert said["state"]["state"] == "stopped"
    for address in ("unix:", f"unix:{SERIAL}", pump.link):
        assert f"{SERIAL} (bench)  STOPPED" in pump.output_of("status", address)


def test_pump_time_follows_real_time(pump):
    pump.status()  # the bench keys may have to be made first
    began_s, before = time.monotonic(), pump.status()["state"]
    time.sleep(2)
    after, took_s = pump.status()["state"], time.monotonic() - began_s
    passed_s = after["mono_s"] - before["mono_s"] + (after["mono_ms"] - before["mono_ms"]) / 1000
    assert 1 <= passed_s <= took_s + 0.1  # a slow computer loses time, none gains it


def test_watch_continues_after_a_pump_restart(tmp_path):
    """A lost link is shown, comes back by itself, and Ctrl-C is no failure."""
    pump = PumpProcess(tmp_path, "--bench", "--state", str(tmp_path / "state"))
    watch = pump.start("watch", "unix:", "--every", "1", "--json")
    looks = (json.loads(line) for line in watch.stdout)
    first = next(looks)
    pump.cut_power()
    lost = next(look for look in looks if look["lost"])
    pump.switch_on()
    back = next(look for look in looks if look["state"])
    watch.send_signal(signal.SIGINT)
    watch.stdout.read()
    assert watch.wait(10) == 0 and watch.stderr.read() == ""
    assert first["state"]["boot"] == 1 and lost["state"] is None and back["state"]["boot"] == 2
    assert pump.end() == 0


def test_the_log_is_read_whole_and_verified(pump, tmp_path):
    out = tmp_path / "log.jsonl"
    said = json.loads(pump.output_of("log", "unix:", "--out", str(out), "--json"))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert said["verified"] and said["problems"] == [] and said["records"] == len(lines) >= 3
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert lines[0]["type"] == "boot"


def test_the_example_client_reads_state_and_records(pump):
    """Fifty lines of anybody's are enough, by PROTOCOL.md."""
    client = paths.PACKAGE / "link" / "example_client.py"
    ran = subprocess.run([sys.executable, client, pump.link], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    told, *records = ran.stdout.splitlines()
    assert json.loads(told)["state"]["state"] == "stopped"
    chain = Chain()
    chain.add(bytes.fromhex("".join(records)))
    assert chain.verified and len(records) >= 3
    source = client.read_text().splitlines()
    assert len(source) <= 50 and not any("cisterna" in line for line in source if "import" in line)


def test_watch_on_a_terminal_is_a_page(pump):
    """Redrawn at each reading; Ctrl-C ends it with status 0."""
    seen = b""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "cisterna", "watch", pump.link, "--every", "1"],
                  {**pump.environment, "TERM": "xterm"})  # fmt: skip
    until_s = time.monotonic() + 20
    while seen.count(b"STOPPED") < 3 and time.monotonic() < until_s:
        seen += os.read(master, 4096)
    os.write(master, b"\x03")
    with contextlib.suppress(OSError):
        while os.read(master, 4096):
            pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)
    assert seen.count(b"STOPPED") >= 3 and b"Traceback" not in seen


# --- what cannot be


@pytest.mark.parametrize(
    ("address", "said"),
    [("unix:NOBODY", "no such simulated pump"), ("rp2040:", "no such simulated pump"), ("pump", "address held"),
     ("/dev/no-such-port", "there is no such port"), ("serial:X1", "no adapter has this serial number")],
)  # fmt: skip
def test_an_address_that_leads_nowhere(pump, address, said):
    ran = pump.cisterna("status", address)
    assert ran.returncode == 2 and said in ran.stderr and ran.stdout == "" and "Traceback" not in ran.stderr


def test_two_pumps_need_an_address(pump, tmp_path):
    other = PumpProcess(tmp_path, "--bench", "--serial", "CB-0008")
    ran = pump.cisterna("status", "unix:")
    assert ran.returncode == 2 and SERIAL in ran.stderr and "CB-0008" in ran.stderr
    assert pump.cisterna("status").returncode == 2
    assert "CB-0008 (bench)" in pump.output_of("status", "unix:CB-0008")
    assert other.end() == 0
    assert f"{SERIAL} (bench)" in pump.output_of("status")


def test_a_pump_that_was_killed_is_passed_over(pump, tmp_path):
    other = PumpProcess(tmp_path, "--bench", "--serial", "CB-0008")
    other.cut_power()
    assert f"{SERIAL} (bench)" in pump.output_of("status")
    assert len(list((tmp_path / "cisterna").glob("*.json"))) == 1


def test_one_program_at_a_time(pump):
    """Two that talk at once would end each other's log-on."""
    with SerialTransport(pump.link):
        ran = pump.cisterna("status", pump.link)
    assert ran.returncode == 2 and "another program has it open" in ran.stderr and "STOP" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_port_in_use_is_waited_for_briefly(pump):
    with SerialTransport(pump.link):
        status = pump.start("status", pump.link)
        time.sleep(2)
        assert status.poll() is None
    printed, complained = status.communicate(timeout=20)
    assert status.returncode == 0 and "STOPPED" in printed, complained


def test_watch_leaves_the_port_to_other_programs(pump):
    """Between its looks the line is anybody's, and it loses none by that."""
    watch = pump.start("watch", pump.link, "--json")
    looks = (json.loads(line) for line in watch.stdout)
    next(looks)
    for _ in range(3):
        pump.output_of("pause", pump.link, *AS_CLINICIAN)
    seen = [next(looks) for _ in range(3)]
    watch.kill()
    watch.communicate()
    assert [look["lost"] for look in seen] == [None] * 3


def test_two_emulated_pumps_do_not_share_a_state_file(tmp_path):
    state = str(tmp_path / "state")
    pump = PumpProcess(tmp_path, "--state", state)
    ran = pump.cisterna("emulate", "--board", "unix", "--state", state)
    assert ran.returncode == 2 and "another simulated pump has it" in ran.stderr
    pump.end()
    (tmp_path / "text").write_text("no state at all, but a good deal longer than nothing\n" * 100)
    ran = pump.cisterna("emulate", "--board", "unix", "--state", str(tmp_path / "text"))
    assert ran.returncode == 2 and "--state held" in ran.stderr


# --- people at work


def test_a_new_pump_is_provisioned_by_a_finger_on_it(tmp_path):
    """The link alone cannot provision a pump: START held at the pump does."""
    pump = PumpProcess(tmp_path)
    assert pump.status()["hello"]["serial"] is None
    work = pump.start("provision", *provision_arguments(write_clinic_files(tmp_path)))
    told = work.stderr.readline()
    assert SERIAL in told and "hold START" in told
    shows = [SERIAL, keys.fingerprint(keys.bench_keys().authority.modulus_hex), "hold START"]
    assert all(row in told for row in shows)
    wait_until(lambda: set(shows) <= {row.strip() for row in pump.display()})
    pump.hold_start()
    printed, complained = work.communicate(timeout=60)
    assert work.returncode == 0, complained
    hello = pump.status()["hello"]
    assert (hello["serial"], hello["people"], hello["library"], hello["library_source"]) == (SERIAL, 1, 1, "document")
    wait_until(lambda: f"unix:{SERIAL}" in pump.cisterna("status", "unix:nobody").stderr)  # checked once a second
    again = pump.output_of("provision", *provision_arguments(write_clinic_files(tmp_path)))
    assert again.count("already") == 3
    other = [SERIAL + "X" if word == SERIAL else word for word in provision_arguments(write_clinic_files(tmp_path))]
    ran = pump.cisterna("provision", *other)
    assert ran.returncode == 2 and "for good" in ran.stderr
    pump.end()


def test_a_prescription_is_read_back_and_confirmed_at_the_pump(pump, tmp_path):
    """What the pump reads back is compared with what was signed; nothing is in force before START was held."""
    path = prescription(tmp_path / "x.rx")
    work = pump.start("rx", "load", "unix:", path, *AS_CLINICIAN)
    told = work.stderr.readline()
    assert "hold START" in told
    pump.hold_start()
    printed, complained = work.communicate(timeout=60)
    assert work.returncode == 0, complained
    assert "14400 ug/day" in printed and "reads back exactly what was signed" in printed
    state = pump.status()["state"]
    assert state["rx"] in printed and state["staged"] is None
    assert pump.status()["hello"]["session"] is None


def test_a_command_that_waits_for_a_key_leaves_the_port_to_others(pump, tmp_path):
    """No session is open while it waits; another command can run, and the key press is still seen."""
    work = pump.start("rx", "load", "unix:", prescription(tmp_path / "x.rx"), *AS_CLINICIAN)
    assert "press STOP" in work.stderr.readline()
    for _ in range(2):
        said = pump.status()
        assert said["hello"]["session"] is None and said["state"]["staged"] is not None
    assert "stopped" in pump.output_of("pause", "unix:", *AS_CLINICIAN)
    pump.hold_start()
    printed, complained = work.communicate(timeout=60)
    assert work.returncode == 0 and "is in force" in printed, complained


def order(pump: PumpProcess, path) -> str:
    """Path of an order of 20 ug that the prescriber has signed."""
    with PumpClient(SerialTransport(pump.link)) as line:
        line.connect()
        text = documents.clinician_bolus(**workflows.order_header(line), ug=20, over_s=600)
    signed = order_files.add_signature(order_files.new(text), "prescriber", keys.bench_keys().prescriber)
    signed_files.write(path, signed.model_dump(), replace=True)
    return str(path)


@pytest.mark.parametrize("end", ["Ctrl-C", "power"])
def test_an_interrupted_command_reports_the_pending_confirmation(tmp_path, end):
    """What START would still do, for how long, and how to end that."""
    pump = PumpProcess(tmp_path, "--bench", "--serial", SERIAL, "--speed", "10", "--state", str(tmp_path / "state"))

    def left(command: list[str], said: str) -> None:
        work = pump.start(*command, *AS_CLINICIAN)
        assert work.stderr.readline().startswith("at the pump: ")
        if end == "power":
            pump.cut_power()
        else:
            time.sleep(READ_S)
            work.send_signal(signal.SIGINT)
        _, complained = work.communicate(timeout=60)
        told, *why = complained.splitlines()
        assert said in told and told.endswith("; STOP ends that")
        assert work.returncode == 70 and "may or may not" in why[0] if end == "power" else work.returncode == 130
        if end == "power":
            pump.switch_on()

    path = prescription(tmp_path / "x.rx")
    left(["rx", "load", pump.link, path], "up to 3 min: START held confirms it")
    if end == "power":
        pump.end()
        return
    assert pump.status()["state"]["staged"] is not None
    pump.hand("press stop")
    wait_until(lambda: pump.status()["state"]["staged"] is None)
    confirmed(pump, path)
    left(["prime", pump.link, "--disconnected"], "up to 3 min: START fills the line")
    pump.hand("press stop")
    started(pump)
    left(["bolus", "load", pump.link, order(pump, tmp_path / "x.order")], "up to 60 s: START gives the bolus")
    pump.hand("press start")
    wait_until(lambda: pump.status()["state"]["state"] == "bolus")
    pump.end()


@pytest.mark.parametrize(
    ("change", "code"),
    [({"signed_by": ("prescriber",)}, "rx_"), ({"serial": "CB-9999"}, "rx_serial"),
     ({"limit_1h_ug": 1}, "rx_basal_over_limit_1h")],
)  # fmt: skip
def test_a_prescription_that_the_pump_refuses(pump, tmp_path, change, code):
    ran = pump.cisterna("rx", "load", "unix:", prescription(tmp_path / "x.rx", **change), *AS_CLINICIAN)
    assert ran.returncode == 2 and f"the pump refused: {code}" in ran.stderr
    assert pump.status()["state"]["staged"] is None


def infusing(pump: PumpProcess, path: str) -> dict:
    """Loads, fills the line and starts, with a clinician's fingers. The state then."""
    confirmed(pump, path)
    return started(pump)


def confirmed(pump: PumpProcess, path: str) -> None:
    work = pump.start("rx", "load", "unix:", path, *AS_CLINICIAN)
    work.stderr.readline()
    pump.hold_start()
    assert work.wait(60) == 0
    work.communicate()


def started(pump: PumpProcess) -> dict:
    with PumpClient(SerialTransport(pump.link)) as line:
        with line.logged_on("clinician", keys.bench_keys().clinician, "clinician"):
            line.command("prime", {"disconnected": True})
            time.sleep(READ_S)
            pump.hand("press start")
            wait_until(lambda: line.state()["state"] == "priming")
        wait_until(lambda: line.state()["primed"] and line.state()["state"] == "stopped")
        pump.hand("connect")
        pump.hand("press start")
        return wait_until(lambda: (state := line.state())["state"] == "infusing" and state)


def test_stop_needs_a_person_and_pause_does_not(tmp_path):
    """SEC-01, SEC-02: another role, another person's key: refused, and the therapy continues; a pause needs none."""
    pump = PumpProcess(tmp_path, "--bench", "--serial", SERIAL, "--speed", "10")
    infusing(pump, prescription(tmp_path / "x.rx"))
    ran = pump.cisterna("pause", "unix:", "--by", "second", "--key", "bench:second")
    assert ran.returncode == 2 and "person_role" in ran.stderr
    ran = pump.cisterna("pause", "unix:", "--by", "clinician", "--key", "bench:service")
    assert ran.returncode == 2 and "signature" in ran.stderr
    assert pump.status()["state"]["state"] == "infusing"
    assert "stopped" in pump.output_of("pause", "unix:", *AS_CLINICIAN)
    assert pump.status()["state"]["needs_rx"] is False
    pump.hand("press start")
    wait_until(lambda: pump.status()["state"]["state"] == "infusing")
    ran = pump.cisterna("pause", "unix:", "--by", "clinician")
    assert ran.returncode == 2 and "--by and --key" in ran.stderr
    assert "stopped" in pump.output_of("pause", "unix:")
    assert pump.cisterna("stop", "unix:").returncode == 2
    assert pump.status()["state"]["needs_rx"] is False
    ran = pump.cisterna("stop", "unix:", *AS_SERVICE)
    assert ran.returncode == 2 and "person_role" in ran.stderr
    assert pump.status()["state"]["needs_rx"] is False
    assert "stopped" in pump.output_of("stop", "unix:", *AS_CLINICIAN)
    assert pump.status()["state"]["needs_rx"] is True
    pump.end()


def test_people_and_library_never_go_back(pump, tmp_path):
    """A newer document is taken, an older one refused, the same one passed over."""
    bench = keys.bench_keys()
    write_clinic_files(tmp_path)
    for number, said in ((2, "people 2 loaded"), (2, "people 2 is there already")):
        old = signed_files.read_signed(tmp_path / "ward.people", "people").document
        text = old.replace('"number":1', f'"number":{number}')
        signed_files.write(
            tmp_path / "new.people", signed_files.signed("people", text, bench.authority).model_dump(), replace=True
        )
        assert said in pump.output_of("people", "load", "unix:", str(tmp_path / "new.people"), *AS_SERVICE)
    ran = pump.cisterna("people", "load", "unix:", str(tmp_path / "ward.people"), *AS_SERVICE)
    assert ran.returncode == 2 and "people_rollback" in ran.stderr
    ran = pump.cisterna("library", "load", "unix:", str(tmp_path / "ward.library"))
    assert ran.returncode == 2 and "--by and --key" in ran.stderr
    assert "already" in pump.output_of("library", "load", "unix:", str(tmp_path / "ward.library"), *AS_SERVICE)


# --- what a pump keeps, and what it does not care about


def test_killing_the_process_is_a_power_cut(tmp_path):
    """Owner, log, prescription and books of the pump survive it."""
    pump = PumpProcess(tmp_path, "--bench", "--serial", SERIAL, "--speed", "10", "--state", str(tmp_path / "state"))
    fast = {"basal_ug_per_day": 120_000, "limit_1h_ug": 6_000, "limit_4h_ug": 24_000, "limit_24h_ug": 140_000}
    infusing(pump, prescription(tmp_path / "x.rx", **fast))
    before = wait_until(lambda: (state := pump.status()["state"])["booked_nl"] > 3000 and state)
    pump.cut_power()
    pump.switch_on()
    said = pump.status()
    state = said["state"]
    assert said["hello"]["serial"] == SERIAL and said["hello"]["people"] == 1 and state["boot"] == 2
    assert state["rx"] == before["rx"] and state["booked_nl"] >= before["booked_nl"] and state["state"] != "infusing"
    assert json.loads(pump.output_of("log", "unix:", "--out", str(tmp_path / "log"), "--json"))["verified"]
    pump.end()


def test_a_reader_that_never_reads_costs_the_pump_nothing(pump):
    """COM-01: its lines are dropped, the pump's time continues, and a later proper request is answered."""
    port = os.open(pump.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(port)
    requests = Requests()
    until_s, sent = time.monotonic() + 3, 0
    while time.monotonic() < until_s:
        try:
            sent += os.write(port, requests.line("state")[1])
        except BlockingIOError:
            time.sleep(0.01)
    rows = pump.display()
    os.close(port)
    assert sent > 20_000 and any("STOPPED" in row for row in rows)
    time.sleep(3)  # what the port still holds of three seconds of requests is read first
    state = pump.status()["state"]
    assert state["alarms"] == [] and state["boot"] == 1 and state["mono_s"] >= 3


def test_garbage_on_the_line_changes_nothing(pump):
    with open(pump.link, "r+b", buffering=0) as port:
        tty.setraw(port)
        port.write(b"\x00\xff\x03\r\n{}\n" * 200 + b"x" * 20_000 + b"\n")
        time.sleep(1)
    assert pump.status()["state"]["state"] == "stopped"


def test_crashed_firmware_ends_the_emulator_with_its_error(tmp_path):
    """The error of the firmware is printed."""
    firmware = tmp_path / "firmware"
    shutil.copytree(paths.firmware(), firmware, ignore=shutil.ignore_patterns("__pycache__"))
    with (firmware / "main.py").open("a") as file:
        file.write("\n\ndef main():\n    raise ValueError('of no use')\n")
    ran = subprocess.run(
        [sys.executable, "-m", "cisterna", "emulate", "--board", "unix"], capture_output=True, text=True, timeout=30,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "CISTERNA_FIRMWARE": str(firmware)},
    )  # fmt: skip
    assert ran.returncode == 70 and "ValueError: of no use" in ran.stderr and "Traceback" not in ran.stderr


# --- hands


def test_hand_commands_act_on_the_pump(pump, tmp_path):
    wait_until(lambda: pump.status()["hello"]["self_test"] == "passed")
    pump.hand("press ack 0.5")
    out = tmp_path / "log"

    def keys_heard() -> list[dict]:
        pump.output_of("log", "unix:", "--out", str(out))
        return [record for record in map(json.loads, out.read_text().splitlines()) if record["type"] == "key"]

    assert wait_until(keys_heard)[0]["key"] == ACK
    pump.hand("quit")
    assert pump.process.wait(10) == 0


def test_an_unknown_hand_command_is_named(tmp_path):
    pump = PumpProcess(tmp_path)
    ran = pump.cisterna("emulate", "--board", "tin")
    assert ran.returncode == 2 and "--board held tin" in ran.stderr
    ran = pump.cisterna("emulate", "--board", "unix", "--flash", "x")
    assert ran.returncode == 2 and "--flash" in ran.stderr
    pump.end()
