"""Imports follow the layers of pyproject.toml: host tools (command line to base) and firmware (controller to base)."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SOURCES = ("host_tools/cisterna", "firmware/pump")
HOST_LAYERS = "Host tools: the command line, the commands, the rooms, the base"
FIRMWARE_LAYERS = "Firmware: the controller, its parts, the rooms, the base"


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    paths = os.pathsep.join(str(folder / path) for path in ("host_tools", "firmware"))
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True, text=True, cwd=folder, timeout=120,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path):
    """The sources and their contracts, in a folder that a test may change."""
    for path in SOURCES:
        shutil.copytree(CHECKOUT / path, tmp_path / path, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def private_imports(source: str) -> list[str]:
    """Names with a leading underscore that `source` takes from modules of the host tools."""
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").split(".")[0] == "cisterna"]
    modules = {alias.asname or alias.name for node in ours for alias in node.names if alias.name.islower()}
    uses = [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    ]
    names = [f"{node.module}.{alias.name}" for node in ours for alias in node.names] + uses
    return [name for name in names if name.rpartition(".")[2].startswith("_") and not name.endswith("__")]


def test_no_module_takes_a_private_name_of_another():
    sources = sorted((CHECKOUT / "host_tools").rglob("*.py"))
    taken = {str(path): private_imports(path.read_text(encoding="utf-8")) for path in sources}
    assert len(taken) > 90 and {path: names for path, names in taken.items() if names} == {}


@pytest.mark.parametrize(
    "source", ["from cisterna.commands.pump import _pump", "from cisterna.link import records\nrecords._FIELDS"]
)
def test_a_private_name_of_another_module_is_found(source):
    assert len(private_imports(source)) == 1


def test_every_import_follows_the_layers():
    ran = lint_imports(CHECKOUT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        ("host_tools/cisterna/pharmacy/documents.py", "cisterna.sim.scenario_file", HOST_LAYERS),
        ("host_tools/cisterna/link/protocol.py", "cisterna.bench.target", HOST_LAYERS),
        ("host_tools/cisterna/commands/pump.py", "cisterna.cli", HOST_LAYERS),
        ("host_tools/cisterna/sim/report.py", "cisterna.console", HOST_LAYERS),
        ("firmware/pump/delivery/ledger.py", "pump.monitoring.monitors", FIRMWARE_LAYERS),
        ("firmware/pump/panel/keys.py", "pump.controller", FIRMWARE_LAYERS),
        ("firmware/pump/base/units.py", "pump.storage.records", FIRMWARE_LAYERS),
    ],
)
def test_an_import_against_the_layers_is_found(copy, importer, imported, contract):
    """The import stands in a function: such imports count, too."""
    file = copy / importer
    file.write_text(file.read_text(encoding="utf-8") + f"\n\ndef _later():\n    import {imported}\n", encoding="utf-8")
    ran = lint_imports(copy)
    module = ".".join(file.relative_to(copy).with_suffix("").parts[1:])
    assert ran.returncode == 1 and f"{contract} BROKEN" in ran.stdout
    assert f"{module} -> {imported} (l." in ran.stdout


def test_a_module_without_a_layer_is_found(copy):
    (copy / "firmware/pump/extra.py").touch()
    ran = lint_imports(copy)
    assert ran.returncode == 1 and "extra" in ran.stdout
