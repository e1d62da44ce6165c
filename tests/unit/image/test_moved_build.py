"""A build folder that was copied or moved with its checkout compiles the sources beside it, not those of before."""

import shutil

from cisterna.image import compile
from cisterna.image.identity import Identity
from cisterna.image.places import Places

IDENTITY = Identity("therapy", "b" * 16, "a" * 16, "c" * 12)


def _compile(places, sources, tmp_path, monkeypatch):
    """Compiles with tools that only make the files which the next step reads. Returns the folders configured."""
    configured = []

    def run(name, command, log, env):
        command = [str(part) for part in command]
        cmake = places.work("therapy") / "cmake"
        if name.endswith("cmake"):
            configured.append(next(part.split("=")[1] for part in command if part.startswith("-DMICROPY_BOARD_DIR=")))
            cmake.mkdir(parents=True)
            (cmake / "Makefile").write_text("")
        elif name.endswith("make"):
            (cmake / "firmware.elf").write_text("")

    monkeypatch.setattr(compile, "run", run)
    compile.compile_image(places, sources, IDENTITY, tmp_path / "image", lambda text: None)
    return configured


def test_a_copied_checkout_compiles_its_own_sources(places, sources, tmp_path, monkeypatch):
    assert _compile(places, sources, tmp_path, monkeypatch) == [str(places.board)]
    assert _compile(places, sources, tmp_path, monkeypatch) == []  # nothing changed: the next build goes on from there
    copy = Places(tmp_path / "copy" / "firmware", tmp_path / "copy" / "build", tmp_path / "copy" / "fetched")
    shutil.copytree(places.firmware, copy.firmware)
    shutil.copytree(places.build, copy.build)
    assert _compile(copy, sources, tmp_path, monkeypatch) == [str(copy.board)]
