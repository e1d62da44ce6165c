"""Build hook of setuptools: a wheel carries the firmware sources as `cisterna/_firmware`.

A checkout and an editable install use the firmware beside the package (`cisterna.paths`); nothing is copied for them.
"""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

FIRMWARE = Path("firmware")  # setuptools builds in the folder of pyproject.toml
HOOK = Path("host_tools", Path(__file__).name)
CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def firmware_files() -> list[Path]:
    """Every file below `firmware`, without caches, in a fixed order."""
    return sorted(path for path in FIRMWARE.rglob("*") if path.is_file() and CACHES.isdisjoint(path.parts))


class BuildPy(build_py):
    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(Path(self.build_lib, "cisterna"), ignore_errors=True)  # an earlier build may hold removed modules
        super().run()
        for path in firmware_files():
            target = self._in_wheel(path)
            self.mkpath(str(target.parent))
            self.copy_file(str(path), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        return outputs + [str(self._in_wheel(path)) for path in firmware_files()]

    def get_source_files(self) -> list[str]:
        """What an sdist must hold, so that a wheel can be built from it."""
        return [*super().get_source_files(), str(HOOK), *map(str, firmware_files())]

    def _in_wheel(self, path: Path) -> Path:
        return Path(self.build_lib, "cisterna", "_firmware", path.relative_to(FIRMWARE))
