"""A copy of the firmware to do harm to, and sources of MicroPython that are not MicroPython's."""

import shutil
from pathlib import Path

import pytest
from cisterna import paths
from cisterna.image.places import Places
from cisterna.image.sources import Sources


def copy_of_firmware(into: Path) -> Places:
    firmware = into / "firmware"
    shutil.copytree(paths.firmware(), firmware, ignore=shutil.ignore_patterns("__pycache__"))
    return Places(firmware, into / "build", into / "fetched")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return copy_of_firmware(tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Places:
    """The same firmware in another folder."""
    return copy_of_firmware(tmp_path / "elsewhere")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Identity reads one file of the tree; nothing is compiled here."""
    modules = tmp_path / "micropython" / "ports" / "rp2" / "modules"
    modules.mkdir(parents=True)
    (modules / "rp2.py").write_text("from _rp2 import *\n")
    return Sources(tmp_path / "micropython", "1.25.0", "0" * 64)
