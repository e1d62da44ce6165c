"""Output of `cisterna sim`: report, trace, plot; and a command line that never shows a traceback."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cisterna import paths
from cisterna.errors import InstallError, OutputError
from cisterna.pharmacy import prescription_model
from cisterna.sim import equivalence, plot, report, scenario_file, trace
from cisterna.sim.trace import Row
from rich.console import Console
from support.simulated.scenario_text import BASE, at, changed

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
    "peak_tip_ug": {"1h": 19.0, "4h": 39.0, "24h": 149.0},
    "primed_ul": 300.0,
    "released_ul": 0.0,
    "lost_ul": 0.0,
    "reboots": 0,
    "refusals": [{"t": 99.0, "do": "restart", "code": "door"}],
    "log": {"records": 12, "verified": True},
}  # fmt: skip
ROWS = [Row(30.0 * k, 10.0 * k, 9.5 * k, 10.1 * k, 1.3, "infusing") for k in range(20)]


def prescription(drug: str) -> prescription_model.Prescription:
    values = {"drug": drug, "concentration_ug_per_ml": 50, "route": "intrathecal", "site": "lumbar"}
    values |= {"basal_ug_per_day": 140, "bolus_ug": 14, "bolus_duration_s": 300, "lockout_s": 3600, "limit_24h_ug": 224}
    return prescription_model.Prescription(**values)


def shown(drug: str, drugs: list[str]) -> str:
    console = Console(file=io.StringIO(), width=160)
    report.show(SUMMARY, prescription(drug), drugs, console)
    return console.file.getvalue()


def test_report_of_the_hydromorphone_day():
    """H10."""
    text = shown("hydromorphone", ["hydromorphone"])
    assert "150.000 ug hydromorphone = 0.7500 mg morphine equivalent" in text
    assert "x5 by intrathecal mass" in text and "HYDROmorphone" in text
    for word in ("refused (lockout)", "01:06:00", "door", "restart", "Research and bench use only", "verified"):
        assert word in text


def test_no_equivalent_for_a_drug_without_one():
    assert "mg morphine equivalent" not in shown("test-fluid", ["test-fluid"])
    rotated = shown("morphine", ["morphine", "hydromorphone"])
    assert "morphine, then hydromorphone" in rotated and "mg morphine equivalent" not in rotated


def test_equivalence_ratios_lie_within_their_bounds():
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


TITLES = ["Case 7 [/PCA] second nurse", "dose $x_{$ done", "Tägliche Dosis 日本 😀", "bell \x07 and \x1b[2J"]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_text_and_no_markup(tmp_path, title, recwarn):
    console = Console(file=io.StringIO(), width=160)
    report.show(SUMMARY | {"title": title}, prescription("morphine"), ["morphine"], console)
    shown_title = console.file.getvalue().splitlines()[0]
    assert shown_title == title.replace("\x07", "\\x07").replace("\x1b", "\\x1b")
    plot.draw(tmp_path / "p.png", ROWS, SUMMARY | {"title": title}, prescription("morphine"))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG") and not recwarn.list


def test_the_plot_is_written_to_exactly_its_file(tmp_path):
    for name, start in (("noext", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("b.pdf", b"%PDF")):
        plot.draw(tmp_path / name, ROWS, SUMMARY, prescription("morphine"))
        assert (tmp_path / name).read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.PNG", "b.pdf", "noext"]
    with pytest.raises(OutputError, match=r"allowed: a file name that ends in \.png"):
        plot.format_of(tmp_path / "x.xyz")


@pytest.mark.parametrize("option", ["--trace", "--log", "--plot"])
def test_an_output_is_no_other_file_of_the_run(tmp_path, option):
    path, link = tmp_path / "own.toml", tmp_path / "hard.png"
    path.write_text(BASE)
    link.hardlink_to(path)
    ran = cisterna("sim", str(path), option, str(link))
    assert ran.returncode == 2 and f"{option} held {link}, which is the scenario" in ran.stderr
    assert path.read_text() == BASE
    twice = cisterna("sim", str(path), "--log", str(tmp_path / "t.png"), "--trace", str(tmp_path / "t.png"))
    assert twice.returncode == 2 and "which is --trace" in twice.stderr and not (tmp_path / "t.png").exists()


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("| true; exit ${PIPESTATUS[0]}", 0, ""),
        ("--json | true; exit ${PIPESTATUS[0]}", 0, ""),
        (">&-", 0, ""),
        ("> /dev/full", 2, "standard output: cannot be written: No space left on device\n"),
        ("--json > /dev/full", 2, "standard output: cannot be written: No space left on device\n"),
    ],
)
def test_a_standard_output_that_takes_nothing(tmp_path, end, status, said):
    path = tmp_path / "own.toml"
    path.write_text(BASE.replace('"8h"', '"1min"').replace("small", "kleine Tägliche 日本"))
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent), "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = f'"{sys.executable}" -m cisterna sim "{path}" {end}'
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=60)
    assert (ran.returncode, ran.stderr) == (status, said)


def test_values_of_the_plot():
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
        (["sim", "REFUSED", "--log", "/proc/t.jsonl"], "--log held /proc/t.jsonl"),
        (["sim", "GOOD", "--plot", "x.xyz"], "--plot held x.xyz; allowed: a file name that ends in .png"),
        (["sim", "BAD"], "at.0.hold_ms held"),
        (["sim", "LATER"], "not yet"),
        (["sim"], "Missing argument"),
        (["dance"], "No such command"),
    ],
)
def test_an_error_is_one_line_and_nothing_runs(tmp_path, arguments, said):
    files = {"GOOD": BASE, "BAD": changed(more=at("press", "hold_ms = 0")), "LATER": changed(more=at("air", "ul = 9"))}
    files["REFUSED"] = changed("lockout_s = 1800", "lockout_s = 10")  # by the pump, if the run begins
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


def test_a_shipped_scenario_is_found_by_its_bare_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("hydromorphone-pca-day", "occlusion-0.1-ml-h"):
        assert scenario_file.find(Path(name)) == paths.SCENARIOS / f"{name}.toml"


def test_a_file_of_that_name_comes_before_the_shipped_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ninety-days").write_text(BASE)
    for path in (Path("ninety-days"), Path("none.toml"), tmp_path / "ninety-days.toml", Path("no/pressed-all-day")):
        assert scenario_file.find(path) == path


def test_a_name_that_is_not_shipped_is_answered_with_those_that_are():
    ran = cisterna("sim", "no-such-day")
    assert ran.returncode == 2 and ran.stdout == ""
    assert "no-such-day: neither a file nor a shipped scenario" in ran.stderr and "ninety-days" in ran.stderr


def test_the_shipped_scenarios_are_listed():
    ran = cisterna("sim", "--list")
    assert ran.returncode == 0
    assert [line.split()[0] for line in ran.stdout.splitlines()] == sorted(p.stem for p in paths.SCENARIOS.glob("*"))
