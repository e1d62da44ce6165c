"""The layout of the flash, read from the two files that define it: the board's header and the firmware's wiring."""

import re
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError

FLASH_BYTES = 2 * 1024 * 1024  # of a Raspberry Pi Pico
SECTOR = 4096  # bytes that the flash erases at once
HEADER = "image/board/mpconfigboard.h"
WIRING = "boards/wiring.py"


@dataclass(frozen=True)
class Region:
    """Bytes `start` to `end` (excluded) of the flash chip."""

    name: str
    start: int
    end: int

    @property
    def bytes(self) -> int:
        return self.end - self.start


def read(firmware: Path) -> list[Region]:
    """Code, files, vault, log, in this order. Raises CisternaError unless they fill the flash without a gap."""
    header = _numbers(firmware / HEADER, r"#define MICROPY_HW_FLASH_(STORAGE_\w+) \((\w+)\)")
    wiring = _numbers(firmware / WIRING, r"^((?:FILES|VAULT|LOG)_\w+) = const\((\w+)\)")
    base = header["STORAGE_BASE"]
    regions = [Region("code", 0, base)]
    for name in ("files", "vault", "log"):
        start = base + wiring[f"{name.upper()}_START"]
        regions.append(Region(name, start, start + wiring[f"{name.upper()}_LENGTH"]))
    ends = [region.end for region in regions]
    starts = [region.start for region in regions[1:]] + [min(FLASH_BYTES, base + header["STORAGE_BYTES"])]
    for region, end, next_start in zip(regions, ends, starts, strict=True):
        if end != next_start or end % SECTOR:
            raise CisternaError(
                f"flash: {region.name} ends at 0x{end:06x}; allowed: 0x{next_start:06x}, where the next region begins "
                f"or the flash ends, in sectors of {SECTOR} (firmware/{HEADER}, firmware/{WIRING})"
            )
    return regions


def _numbers(path: Path, pattern: str) -> dict[str, int]:
    return {name: int(number, 0) for name, number in re.findall(pattern, path.read_text(), re.MULTILINE)}
