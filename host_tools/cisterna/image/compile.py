"""Compiles one image: generates its build info, runs MicroPython's own build, makes ELF and UF2."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cisterna.image import firmware_set, recipe
from cisterna.image.build_step import run
from cisterna.image.identity import Identity
from cisterna.image.places import Places
from cisterna.image.sources import Sources
from cisterna.image.tools import COMPILER

Say = Callable[[str], None]


def compile_image(places: Places, sources: Sources, identity: Identity, into: Path, say: Say) -> None:
    """Compile image.uf2 and image.elf into the folder `into`. Raises BuildFailed if a tool fails."""
    work = places.work(identity.variant)
    cmake, log = work / "cmake", work / "log"
    settings, wanted = work / "settings", f"{identity.base}\n{places.firmware}\n{work}\n"
    if not settings.is_file() or settings.read_text() != wanted:
        # MicroPython's build misses some changes of its own settings, and a moved build compiles the old folder
        shutil.rmtree(work, ignore_errors=True)
    mpy_cross = places.build / "mpy-cross" / sources.sha256[:16]
    aliases = {sources.tree: "/micropython", places.firmware: "/firmware", cmake: "/build"}
    env = recipe.environment(dict(os.environ), sources.version, mpy_cross / "mpy-cross", aliases)
    jobs = f"-j{os.cpu_count() or 1}"

    if not (mpy_cross / "mpy-cross").is_file():
        say("compiling mpy-cross")
        build = ["make", jobs, "-C", sources.tree / "mpy-cross", f"BUILD={mpy_cross}"]
        run("mpy-cross", build, log / "mpy-cross.log", {**env, "CFLAGS": "", "CXXFLAGS": "", "ASMFLAGS": ""})
    _write_build_info(places, identity)
    if not (cmake / "Makefile").is_file():
        say(f"{identity.variant}: configuring")
        configure = [
            *("cmake", "-S", sources.tree / "ports/rp2", "-B", cmake, *recipe.CMAKE),
            f"-DMICROPY_BOARD_DIR={places.board}",
            f"-DMICROPY_BOARD_VARIANT={identity.variant}",
            f"-DMICROPY_FROZEN_MANIFEST={places.manifest(identity.variant)}",
            f"-DCISTERNA_MADE={places.made(identity.variant)}",
            f"-DPython3_EXECUTABLE={sys.executable}",
        ]
        run(f"{identity.variant}: cmake", configure, log / "cmake.log", env)
        settings.write_text(wanted)
    say(f"{identity.variant}: compiling")
    shutil.rmtree(cmake / "frozen_mpy", ignore_errors=True)  # MicroPython compares file times, which a checkout changes
    run(f"{identity.variant}: make", ["make", jobs, "-C", cmake], log / "make.log", env)

    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(cmake / "firmware.elf", into / "image.elf")
    _convert_to_uf2(into, work / "image.bin", sources, log, env)


def _convert_to_uf2(into: Path, binary: Path, sources: Sources, log: Path, env: dict[str, str]) -> None:
    """Convert image.elf of the folder `into` to image.uf2, by way of the file `binary`."""
    objcopy = COMPILER.replace("gcc", "objcopy")
    run("objcopy", [objcopy, "-O", "binary", into / "image.elf", binary], log / "objcopy.log", env)
    convert = [sys.executable, sources.tree / "tools/uf2conv.py", *recipe.UF2, "-o", into / "image.uf2", binary]
    run("uf2conv", convert, log / "uf2conv.log", env)


def _write_build_info(places: Places, identity: Identity) -> None:
    """Write build_info.py for the firmware, and build_info.h with the text that `product.read` finds in the file."""
    made = places.made(identity.variant)
    made.mkdir(parents=True, exist_ok=True)
    lines = [
        '"""Written by the build of the image (host_tools/cisterna/image)."""',
        "",
        f'BUILD = "{identity.build}"',
        f'COMMIT = "{identity.commit}"',
        f'VARIANT = "{identity.variant}"',
    ]
    if identity.variant == "development":  # `cisterna deploy` does not send these
        lines.append(f"SOURCES = {firmware_set.listing(places)!r}")
    _write_changed(made / "build_info.py", "\n".join(lines) + "\n")
    _write_changed(made / "build_info.h", f'#define CISTERNA_BUILD_TEXT "{identity.text}"\n')


def _write_changed(path: Path, text: str) -> None:
    """Write the file unless it has this text: an unchanged file is not compiled again."""
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
