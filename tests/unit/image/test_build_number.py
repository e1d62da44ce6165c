"""The build number: equal for equal sources in any folder, different if anything that decides the bytes differs."""

import subprocess

import pytest
from cisterna.image.identity import commit_of, identify

COMPILER = "arm-none-eabi-gcc 12"


def build_of(places, sources, compiler=COMPILER, variant="therapy"):
    who = identify(places, variant, sources, compiler)
    return who.build, who.base


def test_does_not_depend_on_the_folder(places, elsewhere, sources):
    assert build_of(places, sources) == build_of(elsewhere, sources)


@pytest.mark.parametrize("file", ["main.py", "pump/base/clock.py", "drivers/fram.py", "image/frozen/board.py"])
def test_python_changes_the_build_and_leaves_the_c_code(places, sources, file):
    build, base = build_of(places, sources)
    path = places.firmware / file
    path.write_text(path.read_text() + "\n")
    changed = build_of(places, sources)
    assert changed[0] != build and changed[1] == base


@pytest.mark.parametrize("file", ["image/board/therapy.c", "image/board/config.h", "image/events/events.c"])
def test_the_board_changes_both(places, sources, file):
    build, base = build_of(places, sources)
    path = places.firmware / file
    path.write_text(path.read_text() + "\n")
    changed = build_of(places, sources)
    assert changed[0] != build and changed[1] != base


def test_compiler_and_variant_change_the_build(places, sources):
    builds = {
        build_of(places, sources)[0],
        build_of(places, sources, "arm-none-eabi-gcc 13")[0],
        build_of(places, sources, variant="development")[0],
    }
    assert len(builds) == 3


@pytest.mark.parametrize("file", ["unix/machine.py", "boards/unix.py", "README.md", "image/README.md"])
def test_files_outside_the_image_do_not_change_the_build(places, sources, file):
    before = build_of(places, sources)
    (places.firmware / file).write_text("something else")
    assert build_of(places, sources) == before


def test_what_is_written_into_the_image(places, sources):
    who = identify(places, "therapy", sources, COMPILER)
    assert who.text == f"cisterna build={who.build} commit={who.commit} variant=therapy"
    assert who.key == f"{who.build}-{who.commit}"


def test_commit_is_the_last_that_touched_the_firmware(places):
    def git(*arguments):
        told = ("-c", "user.name=a", "-c", "user.email=a@b", "-C", str(places.firmware.parent), *arguments)
        return subprocess.run(["git", *told], check=True, capture_output=True, text=True).stdout.strip()

    assert commit_of(places.firmware) == "none"
    git("init", "-q")
    git("add", "firmware")
    git("commit", "-q", "-m", "firmware")
    first = git("rev-parse", "HEAD")[:12]
    (places.firmware.parent / "other").write_text("")
    git("add", "other")
    git("commit", "-q", "-m", "other")
    assert commit_of(places.firmware) == first
    (places.firmware / "main.py").write_text("")
    assert commit_of(places.firmware) == first + "-dirty"
