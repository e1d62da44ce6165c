"""The wheel, installed into an empty environment outside the checkout, gives the same summary as the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = "hydromorphone-pca-day"
OF_CHECKOUT = ("PYTHONPATH", "PYTHONHOME", "CISTERNA_FIRMWARE", "CISTERNA_IMAGE", "VIRTUAL_ENV")


def run(*command: str | Path, cwd: Path, status: int = 0) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in OF_CHECKOUT}
    ran = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    assert ran.returncode == status, f"{command}: status {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def summary(cisterna: Path, cwd: Path) -> dict:
    return json.loads(run(cisterna, "sim", SCENARIO, "--json", cwd=cwd).stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources: a build in the checkout would leave its folders there."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    for name in ("firmware", "host_tools"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, sources, cwd=folder)
    return next(folder.glob("cisterna-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `cisterna` of an environment that holds the wheel and its dependencies, and nothing else."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", environment, cwd=wheel.parent)
    run(environment / "bin" / "pip", "install", "-q", wheel, cwd=wheel.parent)
    return environment / "bin" / "cisterna"


def test_the_wheel_holds_every_source_of_the_firmware_and_of_the_package(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "firmware", "host_tools/cisterna", cwd=ROOT).stdout.splitlines()
    wanted = {
        path.replace("firmware/", "cisterna/_firmware/", 1)
        if path.startswith("firmware/")
        else path.removeprefix("host_tools/")
        for path in tracked
        if (ROOT / path).is_file()
    }
    assert wanted <= inside, sorted(wanted - inside)
    assert not any("__pycache__" in path or path.startswith("wheel_contents") for path in inside)


def test_an_installed_wheel_gives_the_summary_of_the_checkout(installed, tmp_path):
    there = summary(installed, tmp_path)
    here = summary(Path(sys.executable).with_name("cisterna"), ROOT)
    del there["wall_s"], here["wall_s"]
    assert there == here
    assert there["boluses"] and there["booked_ul"] > 0


def test_what_needs_the_checkout_says_so(installed, tmp_path):
    ran = run(installed, "image", "build", cwd=tmp_path, status=2)
    assert "without its checkout" in ran.stderr and "Traceback" not in ran.stderr
