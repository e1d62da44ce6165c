"""MicroPython's sources: a checkout that is named, or a tree made of Debian's packages."""

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
_READ = {".c", ".h", ".s", ".S", ".cpp", ".py", ".cmake", ".txt", ".ld", ".csv", ".mk", ".pio", ".in", ".template"}
_UNREAD = {".git", "tests", "docs", "build", "examples"}  # of a checkout: no input of an image
_LIBRARIES = {"lib/pico-sdk": "src/common", "lib/tinyusb": "src/tusb.h", "lib/mbedtls": "library/sha256.c"}


@dataclass(frozen=True)
class Sources:
    """The tree of MicroPython, its version, and the SHA-256 of what it was made of."""

    tree: Path
    version: str
    sha256: str


def find(places: Places) -> Sources:
    """Fetches and unpacks only what is not there yet. InstallError when the sources are not what is needed."""
    named = os.environ.get("MICROPYTHON")
    if named:
        tree = Path(named).resolve()
        return Sources(tree, _check(tree, f"MICROPYTHON held {named}"), _hash_tree(tree))
    if not places.fetched.is_dir():
        apt.fetch(places.fetched)
    archives = [_one(places.fetched, pattern) for pattern in _ARCHIVES]
    sha256 = hash_files(archives)
    tree = places.build / "source" / sha256[:16]
    if not tree.is_dir():
        _unpack(archives, tree)
    return Sources(tree, _check(tree, f"{places.fetched} held other sources"), sha256)


_ARCHIVES = ("micropython_*.orig.tar.*", "mbedtls_*.orig.tar.*", "pico-sdk-source_*.deb", "tinyusb-source_*.deb")


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InstallError(f"{folder}: {pattern} is there {len(found)} times, must be once; remove the folder")
    return found[0]


def hash_files(paths: list[Path]) -> str:
    """SHA-256 over names and contents, in this order."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _hash_tree(tree: Path) -> str:
    """A checkout counts by what is in it, so that its state in git does not matter."""
    total = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in _UNREAD)
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix in _READ:
                total.update(str(path.relative_to(tree)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _check(tree: Path, what: str) -> str:
    """The version of the tree. InstallError if it is another or not whole."""
    config = tree / "py" / "mpconfig.h"
    if not config.is_file():
        raise InstallError(f"{what}: no MicroPython there (py/mpconfig.h is missing); {WANTED} is needed")
    text = config.read_text()
    parts = [re.search(rf"#define MICROPY_VERSION_{part} (\d+)", text) for part in ("MAJOR", "MINOR", "MICRO")]
    version = ".".join(part[1] if part else "?" for part in parts)
    if not version.startswith(WANTED + "."):
        raise InstallError(f"{what}: MicroPython {version}; allowed: {WANTED}, for which the board's files are written")
    for library, sign in _LIBRARIES.items():
        if not (tree / library / sign).exists():
            modules = " ".join((*_LIBRARIES, "lib/micropython-lib"))
            raise InstallError(f"{what}: {library} is empty; run `git submodule update --init {modules}` there")
    return version


def _unpack(archives: list[Path], tree: Path) -> None:
    """One tree of four archives: Debian's MicroPython has empty folders where the other three belong."""
    micropython, mbedtls, pico_sdk, tinyusb = archives
    partial = tree.with_name(tree.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _untar(micropython, partial / "micropython")
    whole = next((partial / "micropython").iterdir())
    for library in _LIBRARIES:
        shutil.rmtree(whole / library, ignore_errors=True)
    _untar(mbedtls, partial / "mbedtls")
    next((partial / "mbedtls").iterdir()).rename(whole / "lib/mbedtls")
    for package, name in ((pico_sdk, "pico-sdk"), (tinyusb, "tinyusb")):
        subprocess.run(["dpkg", "-x", package, partial / name], check=True)
        (partial / name / "usr/src" / name).rename(whole / "lib" / name)
    for library in ("lib/pico-sdk", "lib/micropython-lib"):  # the port looks for this file to see that one is there
        (whole / library).mkdir(exist_ok=True)
        (whole / library / "README.md").touch()
    whole.rename(tree)
    shutil.rmtree(partial)


def _untar(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
        else:
            tar.extractall(into)
