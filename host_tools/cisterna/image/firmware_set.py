"""The files of the firmware, and the digests by which an image states the versions it was built from.

The firmware is the files that both variants freeze. Files of only one (its start, its build info) change with the image
alone.
"""

from __future__ import annotations

import hashlib

from cisterna.image import frozen
from cisterna.image.frozen import FrozenFile
from cisterna.image.places import VARIANTS, Places

_DIGITS = 12  # of a SHA-256: enough to distinguish versions of a file, and short in a file name


def sources(places: Places) -> list[FrozenFile]:
    """The files of the firmware, sorted by module name. Raises CisternaError for a faulty manifest."""
    first, *others = ({file.path: file for file in frozen.files(places, variant)} for variant in VARIANTS)
    common = [file for path, file in first.items() if all(path in other for other in others) and not file.of_port]
    return sorted(common, key=lambda file: file.name)


def digest(data: bytes) -> str:
    """The first 12 hex digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def source_digest(file: FrozenFile) -> str:
    """The digest that `build_info.SOURCES` has for this version of the file."""
    return digest(file.path.read_bytes())


def listing(places: Places) -> tuple[tuple[str, str], ...]:
    """`build_info.SOURCES`: module and digest of each file. A tuple, because MicroPython freezes tuples into flash."""
    return tuple((file.name, source_digest(file)) for file in sources(places))
