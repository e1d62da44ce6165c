"""The factory test on the simulated pump, and what the doctor says of this computer."""

import json
import subprocess
import sys

import pytest
from cisterna.bench.unix_target import UnixTarget
from cisterna.cli import app
from cisterna.flash import doctor, factory
from cisterna.link.pump import Pump
from cisterna.link.transport import TargetTransport
from cisterna.pharmacy import keys, provision
from typer.testing import CliRunner

RTC_S = 1_790_000_000
SIMULATED = ["real board", "heap in use, bytes"]  # it says so of itself; and the world around it is on its heap, too


def examined(config, authority=None):
    target = UnixTarget()
    target.start(config | {"rtc_unix_s": RTC_S})
    try:
        target.run_until(3_000)
        pump = Pump(TargetTransport(target))
        return factory.examine(pump, "unix", None, authority, lambda done: None, lambda: RTC_S)
    finally:
        target.close()


def failing(report):
    return [check.check for check in report.checks if not check.passed]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return keys.bench_keys(tmp_path_factory.mktemp("keys"))


def test_a_provisioned_pump_passes_every_line_but_what_only_a_board_can(bench):
    report = examined(provision.bench_target_config("CB-0001", bench), bench.authority.modulus_hex)
    assert failing(report) == SIMULATED and not report.passed
    assert report.serial == "CB-0001" and len(report.checks) == 17


def test_a_pump_that_is_not_provisioned_fails_by_that(bench):
    report = examined({}, bench.authority.modulus_hex)
    assert {"provisioned: serial number", "provisioned: people document", "authority"} <= set(failing(report))


def test_another_authority_is_seen(bench):
    report = examined(provision.bench_target_config("CB-0001", bench), bench.second.modulus_hex)
    assert set(failing(report)) == {*SIMULATED, "authority"}


def test_a_chip_that_does_not_answer_is_seen(bench):
    target = UnixTarget()
    target.start(provision.bench_target_config("CB-0001", bench) | {"rtc_unix_s": RTC_S})
    try:
        target.run_until(3_000)
        target.act("sensor", name="pressure", fault="open")
        target.act("power", off_for_s=1)
        target.run_until(8_000)
        pump = Pump(TargetTransport(target))
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


def test_the_doctor_finds_what_these_tests_run_on():
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
    needed = doctor.Line("a", doctor.OK, "", needed=True)
    other = doctor.Line("b", doctor.MISSING, "", "install it")
    assert doctor.is_well([needed, other])
    assert not doctor.is_well([doctor.Line("a", doctor.MISSING, "", "do", needed=True), other])
