"""`cisterna factory` on the simulated pump, and `cisterna doctor` on this computer."""

import json
import subprocess
import sys

import pytest
from cisterna.bench.target_transport import TargetTransport
from cisterna.bench.unix_target import UnixTarget
from cisterna.cli import app
from cisterna.flash import doctor, factory
from cisterna.link.pump_client import PumpClient
from cisterna.pharmacy import keys, provision
from typer.testing import CliRunner

RTC_S = 1_790_000_000
SIMULATED = ["real board", "heap in use, bytes"]  # it says so of itself; and the world around it is on its heap, too


def examined(config, authority=None):
    target = UnixTarget()
    target.start(config | {"rtc_unix_s": RTC_S})
    try:
        target.run_until(3_000)
        pump = PumpClient(TargetTransport(target))
        return factory.examine(pump, "unix", None, authority, lambda done: None, lambda: RTC_S)
    finally:
        target.close()


def failing(report):
    return [check.check for check in report.checks if not check.passed]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return keys.bench_keys(tmp_path_factory.mktemp("keys"))


def test_a_provisioned_simulated_pump_passes_every_line_but_the_board_only_ones(bench):
    report = examined(provision.bench_target_config("CB-0001", bench), bench.authority.modulus_hex)
    assert failing(report) == SIMULATED and not report.passed
    assert report.serial == "CB-0001" and len(report.checks) == 17


def test_an_unprovisioned_pump_fails_the_provisioning_line(bench):
    report = examined({}, bench.authority.modulus_hex)
    assert {"provisioned: serial number", "provisioned: people document", "authority"} <= set(failing(report))


def test_another_authority_fails(bench):
    report = examined(provision.bench_target_config("CB-0001", bench), bench.second.modulus_hex)
    assert set(failing(report)) == {*SIMULATED, "authority"}


def test_a_silent_chip_fails_its_line(bench):
    target = UnixTarget()
    target.start(provision.bench_target_config("CB-0001", bench) | {"rtc_unix_s": RTC_S})
    try:
        target.run_until(3_000)
        target.act("sensor", name="pressure", fault="open")
        target.act("power", off_for_s=1)
        target.run_until(8_000)
        pump = PumpClient(TargetTransport(target))
        report = factory.examine(pump, "unix", None, None, lambda done: None, lambda: RTC_S)
    finally:
        target.close()
    assert "self-test: every chip answers, the motor is powered" in failing(report)


def test_the_report_is_written(bench, tmp_path):
    report = factory.Report("2026", "unix", "CB-0001", "b", [factory.Check("a thing", 1, "2", False)])
    factory.write(report, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False
    factory.write(report, tmp_path / "report.md")
    assert "| FAILED | a thing | 1 | 2 |" in (tmp_path / "report.md").read_text()
    refused = CliRunner().invoke(app, ["factory", "--out", str(tmp_path / "report.txt")])
    assert refused.exit_code == 2 and "a .json or .md file" in refused.stderr


def test_the_doctor_finds_the_tools_of_this_computer():
    result = CliRunner().invoke(app, ["doctor", "--json"])
    lines = {line["what"]: line for line in json.loads(result.stdout)}
    assert result.exit_code == 0
    for what in ("Python", "cisterna", "MicroPython, Unix port", "tests"):
        assert lines[what]["state"] == "ok" and lines[what]["found"]
    assert all(line["do"] for line in lines.values() if line["state"] == "missing")


def test_the_doctor_names_what_is_missing(tmp_path):
    """A checkout whose firmware is not there: the two commands cannot work."""
    env = {"CISTERNA_FIRMWARE": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-m", "cisterna", "doctor"], capture_output=True, text=True, env=env)
    assert ran.returncode == 1 and "MISSING" in ran.stdout and "CISTERNA_FIRMWARE" in ran.stdout
    assert ran.stderr == ""


def test_only_what_is_needed_decides():
    needed = doctor.Finding("a", doctor.OK, "", needed=True)
    other = doctor.Finding("b", doctor.MISSING, "", "install it")
    assert doctor.is_ready([needed, other])
    assert not doctor.is_ready([doctor.Finding("a", doctor.MISSING, "", "do", needed=True), other])
