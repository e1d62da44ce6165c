"""The products of a build: the files of one image, kept by what they were made of, and what is said of each."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.image import sizes
from cisterna.image.identity import Identity
from cisterna.image.layout import Region
from cisterna.image.places import Places
from cisterna.image.sources import Sources

KEPT = 8  # images of earlier inputs; going back to one of them compiles nothing
ENDINGS = ("uf2", "elf", "json")


@dataclass(frozen=True)
class Image:
    """One image: where its UF2 is, and its description as in the JSON file beside it."""

    uf2: Path
    about: dict


def folder_of(places: Places, who: Identity) -> Path:
    """Where the image of these inputs is kept, or would be."""
    return places.build / "kept" / f"{who.variant}-{who.key}"


def describe(who: Identity, sources: Sources, compiler: str, regions: list[Region], folder: Path) -> None:
    """Measures image.elf and writes image.json. TooLarge when a budget is exceeded; nothing is kept then."""
    measured = sizes.measure(folder / "image.elf")
    code = next(region for region in regions if region.name == "code")
    sizes.check(measured, who.variant, code.bytes)
    about = {
        "variant": who.variant,
        "build": who.build,
        "commit": who.commit,
        "micropython": sources.version,
        "sources_sha256": sources.sha256,
        "compiler": compiler,
        "uf2_sha256": _sha256(folder / "image.uf2"),
        "sections": {name: {"bytes": size, "budget": sizes.BUDGETS[name]} for name, size in measured.sections.items()},
        "flash": {"used": measured.flash, "available": code.bytes},
        "heap": {"bytes": measured.heap, "least": sizes.LEAST_HEAP},
        "layout": [asdict(region) for region in regions],
    }
    (folder / "image.json").write_text(json.dumps(about, indent=2) + "\n")


def put_out(places: Places, who: Identity) -> Image:
    """Copies a kept image to where people look for it."""
    folder = folder_of(places, who)
    folder.touch()
    about = json.loads((folder / "image.json").read_text())
    uf2 = places.product(who.variant, "uf2")
    for ending in ENDINGS:
        kept, product = folder / f"image.{ending}", places.product(who.variant, ending)
        if not product.is_file() or _sha256(product) != _sha256(kept):
            partial = product.with_suffix(".part")
            shutil.copyfile(kept, partial)
            partial.replace(product)  # nobody ever reads half an image
    return Image(uf2, about)


def forget_old(places: Places, variant: str) -> None:
    """Of each variant the last few are kept."""
    kept = sorted((places.build / "kept").glob(f"{variant}-*"), key=lambda folder: folder.stat().st_mtime)
    for folder in kept[:-KEPT]:
        shutil.rmtree(folder)


def read(uf2: Path) -> str:
    """What an image says of itself: the text that identity.Identity.text wrote into it. CisternaError if nothing."""
    if not uf2.is_file():
        raise CisternaError(f"image: there is no {uf2}; allowed: a .uf2 file of `make image`")
    # Each block of 512 bytes carries 256 of the image, 32 bytes in.
    blocks = uf2.read_bytes()
    image = b"".join(blocks[start + 32 : start + 288] for start in range(0, len(blocks), 512))
    start = image.find(b"cisterna build=")
    if start < 0:
        raise CisternaError(f"image: {uf2} does not say that it is an image of this pump")
    return image[start : image.index(b"\0", start)].decode("ascii", "replace")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
