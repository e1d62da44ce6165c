"""The products of a build: the files of one image, cached by its inputs, and their description."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cisterna.errors import CisternaError
from cisterna.image import sizes
from cisterna.image.identity import Identity
from cisterna.image.layout import Region
from cisterna.image.places import Places
from cisterna.image.sources import Sources

CACHED = 8  # images of each variant; going back to the inputs of one compiles nothing
ENDINGS = ("uf2", "elf", "json")


@dataclass(frozen=True)
class Image:
    """One image: the path of its UF2, and its description as in the JSON file beside it."""

    uf2: Path
    about: dict[str, Any]


def cache_folder(places: Places, identity: Identity) -> Path:
    """The folder of the cached image of this identity; it need not exist."""
    return places.build / "kept" / f"{identity.variant}-{identity.key}"


def describe(identity: Identity, sources: Sources, compiler: str, regions: list[Region], folder: Path) -> None:
    """Measure image.elf and write image.json, which completes the cached image. Raises TooLarge."""
    measured = sizes.measure(folder / "image.elf")
    code = next(region for region in regions if region.name == "code")
    sizes.check(measured, identity.variant, code.bytes)
    about = {
        "variant": identity.variant,
        "build": identity.build,
        "commit": identity.commit,
        "micropython": sources.version,
        "sources_sha256": sources.sha256,
        "compiler": compiler,
        "uf2_sha256": _sha256(folder / "image.uf2"),
        "sections": {name: {"bytes": size, "budget": sizes.BUDGETS[name]} for name, size in measured.sections.items()},
        "flash": {"used": measured.flash, "available": code.bytes},
        "heap": {"bytes": measured.heap, "least": sizes.MIN_HEAP},
        "layout": [asdict(region) for region in regions],
    }
    (folder / "image.json").write_text(json.dumps(about, indent=2) + "\n")


def publish(places: Places, identity: Identity) -> Image:
    """Copy a cached image to `build/image/cisterna-VARIANT.*`."""
    folder = cache_folder(places, identity)
    folder.touch()
    about = json.loads((folder / "image.json").read_text())
    uf2 = places.product(identity.variant, "uf2")
    for ending in ENDINGS:
        cached, product = folder / f"image.{ending}", places.product(identity.variant, ending)
        if not product.is_file() or _sha256(product) != _sha256(cached):
            partial = product.with_suffix(".part")
            shutil.copyfile(cached, partial)
            partial.replace(product)  # a reader never finds half an image
    return Image(uf2, about)


def remove_old(places: Places, variant: str) -> None:
    """Remove all cached images of a variant but the CACHED last used."""
    cached = sorted((places.build / "kept").glob(f"{variant}-*"), key=lambda folder: folder.stat().st_mtime)
    for folder in cached[:-CACHED]:
        shutil.rmtree(folder)


def read(uf2: Path) -> str:
    """The `Identity.text` inside a UF2 file. Raises CisternaError if there is none."""
    if not uf2.is_file():
        raise CisternaError(f"image: there is no {uf2}; allowed: a .uf2 file of `make image`")
    # Each block of 512 bytes holds 256 bytes of the image at offset 32.
    try:
        blocks = uf2.read_bytes()
    except OSError as error:
        raise CisternaError(f"image: {uf2} cannot be read: {error.strerror}") from None
    image = b"".join(blocks[start + 32 : start + 288] for start in range(0, len(blocks), 512))
    start = image.find(b"cisterna build=")
    text = image[start : image.find(b"\0", start)] if start >= 0 else b""
    stated = [word.partition(b"=")[0] for word in text.split()[1:]]
    if stated != [b"build", b"commit", b"variant"] or not text.isascii():
        raise CisternaError(f"image: {uf2} does not say that it is an image of this pump")
    return text.decode("ascii")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
