"""Finds MicroPython's sources: the checkout that MICROPYTHON names, or a tree unpacked from Debian's packages."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import InstallError
from cisterna.image import apt
from cisterna.image.places import Places

WANTED = "1.25"  # the release that the board's files are written for
_SUFFIXES = {".c", ".h", ".s", ".S", ".cpp", ".py", ".cmake", ".txt", ".ld", ".csv", ".mk", ".pio", ".in", ".template"}
_IGNORED_FOLDERS = {".git", "tests", "docs", "build", "examples"}  # of a checkout: not inputs of an image
_LIBRARIES = {"lib/pico-sdk": "src/common", "lib/tinyusb": "src/tusb.h", "lib/mbedtls": "library/sha256.c"}


@dataclass(frozen=True)
class Sources:
    """The tree of MicroPython, its version, and the SHA-256 of its files or of the packages it was unpacked from."""

    tree: Path
    version: str
    sha256: str


def find(places: Places) -> Sources:
    """The sources, downloaded and unpacked if missing. Raises InstallError if they are unfit, BuildFailed."""
    named = os.environ.get("MICROPYTHON")
    if named:
        tree = Path(named).resolve()
        return Sources(tree, _check(tree, f"MICROPYTHON held {named}"), _hash_tree(tree))
    if not places.fetched.is_dir():
        apt.fetch(places.fetched)
    archives = [_only_match(places.fetched, pattern) for pattern in _ARCHIVES]
    sha256 = hash_files(archives)
    tree = places.build / "source" / sha256[:16]
    if not tree.is_dir():
        _unpack(archives, tree)
    return Sources(tree, _check(tree, f"{places.fetched} held other sources"), sha256)


_ARCHIVES = ("micropython_*.orig.tar.*", "mbedtls_*.orig.tar.*", "pico-sdk-source_*.deb", "tinyusb-source_*.deb")


def _only_match(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InstallError(f"{folder}: {pattern} is there {len(found)} times, must be once; remove the folder")
    return found[0]


def hash_files(paths: list[Path]) -> str:
    """SHA-256 over the names and contents of the files, in the given order; 64 hex digits."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _hash_tree(tree: Path) -> str:
    """SHA-256 over the input files of a checkout; its state in git does not matter."""
    total = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in _IGNORED_FOLDERS)
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix in _SUFFIXES:
                total.update(str(path.relative_to(tree)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _check(tree: Path, what: str) -> str:
    """The version of the tree. Raises InstallError if it is not WANTED or a library is missing.

    what: begins the message.
    """
    config = tree / "py" / "mpconfig.h"
    if not config.is_file():
        raise InstallError(f"{what}: no MicroPython there (py/mpconfig.h is missing); {WANTED} is needed")
    text = config.read_text()
    parts = [re.search(rf"#define MICROPY_VERSION_{part} (\d+)", text) for part in ("MAJOR", "MINOR", "MICRO")]
    version = ".".join(part[1] if part else "?" for part in parts)
    if not version.startswith(WANTED + "."):
        raise InstallError(f"{what}: MicroPython {version}; allowed: {WANTED}, for which the board's files are written")
    for library, marker in _LIBRARIES.items():
        if not (tree / library / marker).exists():
            modules = " ".join((*_LIBRARIES, "lib/micropython-lib"))
            raise InstallError(f"{what}: {library} is empty; run `git submodule update --init {modules}` there")
    return version


def _unpack(archives: list[Path], tree: Path) -> None:
    """Unpack four archives into one tree: the other three go to empty folders of Debian's MicroPython."""
    micropython, mbedtls, pico_sdk, tinyusb = archives
    partial = tree.with_name(tree.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _untar(micropython, partial / "micropython")
    root = next((partial / "micropython").iterdir())
    for library in _LIBRARIES:
        shutil.rmtree(root / library, ignore_errors=True)
    _untar(mbedtls, partial / "mbedtls")
    next((partial / "mbedtls").iterdir()).rename(root / "lib/mbedtls")
    for package, name in ((pico_sdk, "pico-sdk"), (tinyusb, "tinyusb")):
        subprocess.run(["dpkg", "-x", package, partial / name], check=True)
        (partial / name / "usr/src" / name).rename(root / "lib" / name)
    for library in ("lib/pico-sdk", "lib/micropython-lib"):  # the port looks for their README.md
        (root / library).mkdir(exist_ok=True)
        (root / library / "README.md").touch()
    root.rename(tree)
    shutil.rmtree(partial)


def _untar(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
        else:
            tar.extractall(into)
