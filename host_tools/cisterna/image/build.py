"""The build of the images, from the first step to the last. What is there already is not made again."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cisterna.errors import InstallError
from cisterna.image import frozen, imports, layout, product, sources, tools
from cisterna.image.compile import Say, compile_image
from cisterna.image.identity import Identity, identify
from cisterna.image.places import Places
from cisterna.image.run import BuildFailed
from cisterna.image.sources import Sources

TRIES = 3


def build(places: Places, variants: tuple[str, ...], say: Say) -> list[product.Image]:
    """Builds what has changed of the variants. CisternaError, one line a problem, when one cannot be built."""
    if " " in str(places.build):
        raise InstallError(f"image: {places.build} holds a space; allowed: none, MicroPython's build breaks on it")
    regions = layout.read(places.firmware)
    for variant in variants:
        imports.check(frozen.files(places, variant), variant)
    places.build.mkdir(parents=True, exist_ok=True)
    with _alone(places):
        say("looking for tools and sources")
        tools.make_ready(places.build / "log" / "install.log")
        found = sources.find(places)
        compiler = tools.compiler_version()
        return [product.put_out(places, _kept(places, variant, found, compiler, regions, say)) for variant in variants]


def _kept(
    places: Places, variant: str, found: Sources, compiler: str, regions: list[layout.Region], say: Say
) -> Identity:
    """Which image a variant is, made now if it is not there. Its number counts only if no file changed meanwhile."""
    for _ in range(TRIES):
        who = identify(places, variant, found, compiler)
        kept = product.folder_of(places, who)
        if (kept / "image.json").is_file():
            return who
        compile_image(places, found, who, kept, say)
        if identify(places, variant, found, compiler) == who:
            product.describe(who, found, compiler, regions, kept)
            product.forget_old(places, variant)
            return who
        shutil.rmtree(kept)
    raise BuildFailed(f"{variant}: the sources changed while they were compiled, {TRIES} times; run it again")


@contextlib.contextmanager
def _alone(places: Places) -> Iterator[None]:
    """Two builds at once would write into one folder: the second waits, and then finds everything made."""
    with (places.build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_twice(places: Places, variants: tuple[str, ...], say: Say) -> None:
    """Builds from copies in two other folders, from nothing; BuildFailed unless all images are the same to the byte."""
    made: list[list[product.Image]] = []
    with tempfile.TemporaryDirectory(prefix="cisterna-") as folder:
        source = places.firmware
        for name in ("one", "another/of-another-length"):
            firmware = Path(folder, name, "firmware")
            shutil.copytree(source, firmware, ignore=shutil.ignore_patterns("__pycache__"))
            source = firmware  # the second is a copy of the first: nobody edits that one meanwhile
            copy = Places(firmware, Path(folder, name, "build"), places.fetched)
            made.append(build(copy, variants, lambda step, name=name: say(f"{name}: {step}")))
        for one, other in zip(*made, strict=True):
            if one.uf2.read_bytes() != other.uf2.read_bytes():
                raise BuildFailed(f"{one.about['variant']}: two builds of the same sources differ")
