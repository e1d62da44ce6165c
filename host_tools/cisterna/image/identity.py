"""The identity of an image: a hash of all inputs that decide its bytes, and the commit of its firmware."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cisterna.image import frozen
from cisterna.image.places import Places
from cisterna.image.recipe import RECIPE
from cisterna.image.sources import Sources

DIGITS = 16  # hex digits of a build number: 64 bits, so that no two builds share one


@dataclass(frozen=True)
class Identity:
    """The identity of one image.

    build   hash of all inputs
    base    hash of the inputs without the frozen Python: with the same base, the C code is not compiled again
    commit  see `commit_of`
    """

    variant: str
    build: str
    base: str
    commit: str

    @property
    def key(self) -> str:
        """Key of the cache: build and commit, both of which are written into the image."""
        return f"{self.build}-{self.commit}"

    @property
    def text(self) -> str:
        """The text that is written into the image."""
        return f"cisterna build={self.build} commit={self.commit} variant={self.variant}"


def identify(places: Places, variant: str, sources: Sources, compiler: str) -> Identity:
    """The identity of a variant, from the inputs as they are now; takes milliseconds.

    compiler: the compiler's version text.
    """
    base = hashlib.sha256()
    for fact in (variant, sources.version, sources.sha256, compiler, RECIPE):
        _add(base, fact.encode())
    image = places.firmware / "image"
    for folder in (places.board, image / "events"):
        for path in sorted(folder.iterdir()):
            _add(base, path.name.encode(), path.read_bytes())
    build = base.copy()
    for path in sorted(image.glob("manifest*.py")):
        _add(build, path.name.encode(), path.read_bytes())
    for file in frozen.files(places, variant, sources.tree / "ports/rp2"):
        if file.name != "build_info":
            _add(build, file.name.encode(), file.path.read_bytes())
    return Identity(variant, build.hexdigest()[:DIGITS], base.hexdigest()[:DIGITS], commit_of(places.firmware))


def _add(total: "hashlib._Hash", *parts: bytes) -> None:
    for part in parts:
        total.update(hashlib.sha256(part).digest())


def commit_of(firmware: Path) -> str:
    """The last commit that changed the firmware, 12 digits; with `-dirty` if uncommitted; `none` outside of git."""
    commit = _git(firmware, "log", "-1", "--format=%H", "--", ".")
    if not commit:
        return "none"
    return commit[:12] + ("-dirty" if _git(firmware, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    except FileNotFoundError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
