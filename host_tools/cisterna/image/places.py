"""The folders and files of the image build. All its output is under one folder."""

from dataclasses import dataclass
from pathlib import Path

from cisterna import paths

VARIANTS = ("therapy", "development")


@dataclass(frozen=True)
class Places:
    """`firmware`: the sources, only read. `build`: all output. `fetched`: downloaded packages."""

    firmware: Path
    build: Path
    fetched: Path

    @property
    def board(self) -> Path:
        return self.firmware / "image" / "board"

    def manifest(self, variant: str) -> Path:
        return self.firmware / "image" / f"manifest_{variant}.py"

    def work(self, variant: str) -> Path:
        """The folder in which a variant is compiled; the next build reuses its files."""
        return self.build / "work" / variant

    def made(self, variant: str) -> Path:
        """The folder of the generated sources of a variant."""
        return self.work(variant) / "made"

    def product(self, variant: str, ending: str) -> Path:
        """The published image of a variant; ending: uf2, elf or json."""
        return self.build / f"cisterna-{variant}.{ending}"


def of_checkout() -> Places:
    """The places of this checkout: its firmware, and build/image. Raises InstallError outside a checkout."""
    firmware = paths.firmware_of_checkout()
    build = firmware.parent / "build" / "image"
    return Places(firmware, build, build / "fetched")
