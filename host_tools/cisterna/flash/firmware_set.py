"""Which files are the firmware, and how an image says which versions of them it was made from.

The list is the image's own manifest. What both images freeze is the firmware; what only one has (its way to start, what
the build writes into it) changes with the image alone.
"""

from __future__ import annotations

import hashlib

from cisterna.image import frozen
from cisterna.image.frozen import FrozenFile
from cisterna.image.places import VARIANTS, Places

_DIGITS = 12  # of a SHA-256: enough to tell the versions of a file apart, and short in a file name


def sources(places: Places) -> list[FrozenFile]:
    """By their module name. CisternaError when the manifest names what is not there."""
    first, *others = ({file.path: file for file in frozen.files(places, variant)} for variant in VARIANTS)
    common = [file for path, file in first.items() if all(path in other for other in others) and not file.of_port]
    return sorted(common, key=lambda file: file.name)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def source_digest(file: FrozenFile) -> str:
    """What `build_info.SOURCES` of an image says of this file if it was frozen as it is now."""
    return digest(file.path.read_bytes())


def listing(places: Places) -> tuple[tuple[str, str], ...]:
    """`build_info.SOURCES`: module and digest of each. A tuple, because MicroPython freezes that into flash, whole."""
    return tuple((file.name, source_digest(file)) for file in sources(places))
