"""What people get: the account, the trace, the plot; and a command line that never shows a traceback."""

import csv
import io
import os
import subprocess
import sys

import pytest
from cisterna import paths
from cisterna.errors import InstallError, OutputError
from cisterna.sim import account, equivalence, plot, schema, trace
from cisterna.sim.trace import Row
from rich.console import Console
from unit.host.files import BASE, at, changed

SUMMARY = {
    "title": "A day",
    "target": "unix",
    "sim_s": 86400.0,
    "wall_s": 1.5,
    "state": "infusing",
    "pumped_ul": 3000.0,
    "delivered_ul": 2999.5,
    "booked_ul": 3000.1,
    "booked_ug": 150.0,
    "boluses": [
        {"kind": "pca", "t_request": 60.0, "t_start": 60.2, "t_end": 360.2, "result": "delivered", "reason": None,
         "ul": 280.0, "next_possible_s": 3960.2},
        {"kind": "pca", "t_request": 600.0, "t_start": None, "t_end": None, "result": "refused", "reason": "lockout",
         "ul": 0.0, "next_possible_s": 3960.2},
    ],
    "alarms": [{"code": "door", "priority": "high", "action": "stop", "t_on": 9.0, "t_ack": None, "t_off": 20.0}],
    "peak_window_ug": {"1h": 20.0, "4h": 40.0, "24h": 150.0},
    "primed_ul": 300.0,
    "released_ul": 0.0,
    "reboots": 0,
    "refusals": [{"t": 99.0, "do": "restart", "code": "door"}],
    "log": {"records": 12, "verified": True},
}  # fmt: skip
ROWS = [Row(30.0 * k, 10.0 * k, 9.5 * k, 10.1 * k, 1.3, "infusing") for k in range(20)]


def prescription(drug: str) -> schema.Prescription:
    values = {"drug": drug, "concentration_ug_per_ml": 50, "route": "intrathecal", "site": "lumbar"}
    values |= {"basal_ug_per_day": 140, "bolus_ug": 14, "bolus_duration_s": 300, "lockout_s": 3600, "limit_24h_ug": 224}
    return schema.Prescription(**values)


def shown(drug: str, drugs: list[str]) -> str:
    console = Console(file=io.StringIO(), width=160)
    account.show(SUMMARY, prescription(drug), drugs, console)
    return console.file.getvalue()


def test_the_account_of_hydromorphone():
    """H10."""
    text = shown("hydromorphone", ["hydromorphone"])
    assert "150.000 ug hydromorphone = 0.7500 mg morphine equivalent" in text
    assert "x5 by intrathecal mass" in text and "HYDROmorphone" in text
    for word in ("refused (lockout)", "01:06:00", "door", "restart", "Research and bench use only", "verified"):
        assert word in text


def test_no_equivalent_where_there_is_none():
    assert "mg morphine equivalent" not in shown("test-fluid", ["test-fluid"])
    rotated = shown("morphine", ["morphine", "hydromorphone"])
    assert "morphine, then hydromorphone" in rotated and "mg morphine equivalent" not in rotated


def test_ratios_are_opinions_not_mistakes():
    """H10."""
    assert equivalence.morphine_ug("hydromorphone", 140) == 700
    assert all(equivalence.LOWEST <= ratio <= equivalence.HIGHEST for ratio in equivalence.RATIO.values())


def test_the_trace_has_the_columns_of_the_contract(tmp_path):
    trace.write(tmp_path / "t.csv", ROWS)
    rows = list(csv.reader((tmp_path / "t.csv").open()))
    assert rows[0] == ["t_s", "pumped_ul", "delivered_ul", "booked_ul", "pressure_kpa", "state"]
    assert rows[2] == ["30.0", "10.0", "9.5", "10.1", "1.3", "infusing"] and len(rows) == 21
    with pytest.raises(OutputError, match="--trace"):
        trace.write(tmp_path / "no" / "t.csv", ROWS)


def test_the_plot_is_drawn(tmp_path):
    plot.draw(tmp_path / "p.png", ROWS, SUMMARY, prescription("hydromorphone"))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="--plot"):
        plot.draw(tmp_path / "no" / "p.png", ROWS, SUMMARY, prescription("hydromorphone"))


def test_what_the_plot_computes():
    rows = [Row(0, 0, 0, 0, 0, ""), Row(3600, 100, 0, 0, 0, ""), Row(7200, 400, 0, 0, 0, "")]
    assert plot.flows_ml_per_h(rows) == [0.0, 0.1, pytest.approx(0.3)]
    assert plot.rolling_ug(rows, 0.05, window_s=3600) == [0.0, 5.0, 15.0]


def test_firmware_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CISTERNA_FIRMWARE", str(tmp_path))
    with pytest.raises(InstallError, match="CISTERNA_FIRMWARE held"):
        paths.firmware()


def cisterna(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cisterna", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent), "COLUMNS": "200", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def test_help_is_there_with_an_example():
    ran = cisterna("sim", "--help")
    assert ran.returncode == 0 and "Example" in ran.stdout and "--trace-every" in ran.stdout
    assert "sim" in cisterna("--help").stdout


def test_help_is_quick_to_import():
    code = (
        "import sys, cisterna.cli; print([m for m in ('pydantic', 'matplotlib', 'cryptography') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={
        **os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)})  # fmt: skip
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sim", "none.toml"], "none.toml: cannot be read"),
        (["sim", "GOOD", "--target", "serial:A1"], "not yet"),
        (["sim", "GOOD", "--target", "moon"], '--target held "moon"; allowed: unix'),
        (["sim", "GOOD", "--trace-every", "0"], "--trace-every held 0"),
        (["sim", "GOOD", "--trace", "/nowhere/t.csv"], "--trace held /nowhere/t.csv; allowed: a file in a folder"),
        (["sim", "BAD"], "at.0.hold_ms held"),
        (["sim", "LATER"], "not yet"),
        (["sim", "--list-flips"], "not yet"),
        (["sim"], "Missing argument"),
        (["dance"], "No such command"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_run(tmp_path, arguments, said):
    files = {"GOOD": BASE, "BAD": changed(more=at("press", "hold_ms = 0")), "LATER": changed(more=at("air", "ul = 9"))}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ran = cisterna(*[str(tmp_path / word) if word in files else word for word in arguments])
    assert ran.returncode == 2
    assert said in ran.stderr and "Traceback" not in ran.stderr and ran.stdout == ""


def test_a_chip_without_an_image_says_how_to_make_one(tmp_path):
    (tmp_path / "good.toml").write_text(BASE)
    missing = tmp_path / "none.uf2"
    ran = cisterna("sim", str(tmp_path / "good.toml"), "--target", "rp2040", CISTERNA_IMAGE=str(missing))
    assert ran.returncode == 2 and ran.stdout == "" and "Traceback" not in ran.stderr
    assert "make image" in ran.stderr or "'.[target]'" in ran.stderr
