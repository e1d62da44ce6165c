"""Compiles one image: generates what it is told about itself, runs MicroPython's own build, makes ELF and UF2."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cisterna.flash import firmware_set
from cisterna.image import recipe
from cisterna.image.identity import Identity
from cisterna.image.places import Places
from cisterna.image.run import run
from cisterna.image.sources import Sources
from cisterna.image.tools import COMPILER

Say = Callable[[str], None]


def compile_image(places: Places, sources: Sources, who: Identity, into: Path, say: Say) -> None:
    """Puts image.uf2 and image.elf of `who` into the folder `into`. BuildFailed when a tool fails."""
    work = places.work(who.variant)
    cmake, log = work / "cmake", work / "log"
    base = work / "base"
    if not base.is_file() or base.read_text() != who.base:
        shutil.rmtree(work, ignore_errors=True)  # MicroPython's build does not see every change of its own settings
    mpy_cross = places.build / "mpy-cross" / sources.sha256[:16]
    aliases = {sources.tree: "/micropython", places.firmware: "/firmware", cmake: "/build"}
    env = recipe.environment(dict(os.environ), sources.version, mpy_cross / "mpy-cross", aliases)
    jobs = f"-j{os.cpu_count() or 1}"

    if not (mpy_cross / "mpy-cross").is_file():
        say("compiling mpy-cross")
        build = ["make", jobs, "-C", sources.tree / "mpy-cross", f"BUILD={mpy_cross}"]
        run("mpy-cross", build, log / "mpy-cross.log", {**env, "CFLAGS": "", "CXXFLAGS": "", "ASMFLAGS": ""})

    _write_info(places, who)
    if not (cmake / "Makefile").is_file():
        say(f"{who.variant}: configuring")
        configure = [
            *("cmake", "-S", sources.tree / "ports/rp2", "-B", cmake, *recipe.CMAKE),
            f"-DMICROPY_BOARD_DIR={places.board}",
            f"-DMICROPY_BOARD_VARIANT={who.variant}",
            f"-DMICROPY_FROZEN_MANIFEST={places.manifest(who.variant)}",
            f"-DCISTERNA_MADE={places.made(who.variant)}",
            f"-DPython3_EXECUTABLE={sys.executable}",
        ]
        run(f"{who.variant}: cmake", configure, log / "cmake.log", env)
        base.write_text(who.base)
    say(f"{who.variant}: compiling")
    shutil.rmtree(cmake / "frozen_mpy", ignore_errors=True)  # it goes by file times, which a checkout sets at will
    run(f"{who.variant}: make", ["make", jobs, "-C", cmake], log / "make.log", env)

    into.mkdir(parents=True, exist_ok=True)
    binary = work / "image.bin"
    shutil.copyfile(cmake / "firmware.elf", into / "image.elf")
    objcopy = COMPILER.replace("gcc", "objcopy")
    run("objcopy", [objcopy, "-O", "binary", into / "image.elf", binary], log / "objcopy.log", env)
    convert = [sys.executable, sources.tree / "tools/uf2conv.py", *recipe.UF2, "-o", into / "image.uf2", binary]
    run("uf2conv", convert, log / "uf2conv.log", env)


def _write_info(places: Places, who: Identity) -> None:
    """What the image knows of itself: for Python, and as text for whoever holds only the file."""
    made = places.made(who.variant)
    made.mkdir(parents=True, exist_ok=True)
    lines = [
        '"""Written by the build of the image (host_tools/cisterna/image)."""',
        "",
        f'BUILD = "{who.build}"',
        f'COMMIT = "{who.commit}"',
        f'VARIANT = "{who.variant}"',
    ]
    if who.variant == "development":  # what `cisterna deploy` need not send
        lines.append(f"SOURCES = {firmware_set.listing(places)!r}")
    _write_changed(made / "build_info.py", "\n".join(lines) + "\n")
    _write_changed(made / "build_info.h", f'#define CISTERNA_WHO_AM_I "{who.text}"\n')


def _write_changed(path: Path, text: str) -> None:
    """A file that stays as it is compiles nothing anew."""
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
