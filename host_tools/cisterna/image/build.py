"""Builds the images. An image of the same inputs is taken from the cache `build/image/kept`."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cisterna.errors import InstallError
from cisterna.image import frozen, imports, layout, product, sources, tools
from cisterna.image.build_step import BuildFailed
from cisterna.image.compile import Say, compile_image
from cisterna.image.identity import Identity, identify
from cisterna.image.places import Places
from cisterna.image.sources import Sources

TRIES = 3  # to build from sources that do not change meanwhile


def build(places: Places, variants: tuple[str, ...], say: Say) -> list[product.Image]:
    """Build the images of `variants` whose inputs have changed. Raises CisternaError with one line for each problem.

    say: called with the name of each step.
    """
    if " " in str(places.build):
        raise InstallError(f"image: {places.build} holds a space; allowed: none, MicroPython's build breaks on it")
    regions = layout.read(places.firmware)
    for variant in variants:
        imports.check(frozen.files(places, variant), variant)
    places.build.mkdir(parents=True, exist_ok=True)
    with _locked(places):
        say("looking for tools and sources")
        tools.install_missing(places.build / "log" / "install.log")
        found = sources.find(places)
        compiler = tools.compiler_version()
        return [
            product.publish(places, _build_one(places, variant, found, compiler, regions, say)) for variant in variants
        ]


def _build_one(
    places: Places, variant: str, found: Sources, compiler: str, regions: list[layout.Region], say: Say
) -> Identity:
    """The identity of a variant's image, which is built unless it is cached.

    Raises BuildFailed if a tool fails, or if the inputs changed during each of TRIES builds.
    """
    for _ in range(TRIES):
        identity = identify(places, variant, found, compiler)
        folder = product.cache_folder(places, identity)
        if (folder / "image.json").is_file():
            return identity
        compile_image(places, found, identity, folder, say)
        if identify(places, variant, found, compiler) == identity:
            product.describe(identity, found, compiler, regions, folder)
            product.remove_old(places, variant)
            return identity
        shutil.rmtree(folder)
    raise BuildFailed(f"{variant}: the sources changed while they were compiled, {TRIES} times; run it again")


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    """Hold the build lock: a second build waits, because both write into the same folders."""
    with (places.build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_twice(places: Places, variants: tuple[str, ...], say: Say) -> None:
    """Build twice from scratch, from copies in other folders. Raises BuildFailed unless the images are identical."""
    builds: list[list[product.Image]] = []
    with tempfile.TemporaryDirectory(prefix="cisterna-") as folder:
        source = places.firmware
        for name in ("one", "another/of-another-length"):
            firmware = Path(folder, name, "firmware")
            shutil.copytree(source, firmware, ignore=shutil.ignore_patterns("__pycache__"))
            source = firmware  # the second is a copy of the first copy, which is not edited meanwhile
            copy = Places(firmware, Path(folder, name, "build"), places.fetched)
            builds.append(build(copy, variants, lambda step, name=name: say(f"{name}: {step}")))
        for one, other in zip(*builds, strict=True):
            if one.uf2.read_bytes() != other.uf2.read_bytes():
                raise BuildFailed(f"{one.about['variant']}: two builds of the same sources differ")
