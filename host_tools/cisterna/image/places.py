"""Where the build of the image takes from and puts to. Everything it makes is under one folder."""

from dataclasses import dataclass
from pathlib import Path

from cisterna import paths

VARIANTS = ("therapy", "development")


@dataclass(frozen=True)
class Places:
    """`firmware` is read only; `build` is where everything goes; `fetched` holds what was downloaded."""

    firmware: Path
    build: Path
    fetched: Path

    @property
    def board(self) -> Path:
        return self.firmware / "image" / "board"

    def manifest(self, variant: str) -> Path:
        return self.firmware / "image" / f"manifest_{variant}.py"

    def work(self, variant: str) -> Path:
        """Where one image is compiled; kept, so that the next build has less to do."""
        return self.build / "work" / variant

    def made(self, variant: str) -> Path:
        """What is generated for one image before it is compiled."""
        return self.work(variant) / "made"

    def product(self, variant: str, ending: str) -> Path:
        return self.build / f"cisterna-{variant}.{ending}"


def of_checkout() -> Places:
    """The places of this checkout: its firmware, and build/image."""
    firmware = paths.firmware()
    build = firmware.parent / "build" / "image"
    return Places(firmware, build, build / "fetched")
