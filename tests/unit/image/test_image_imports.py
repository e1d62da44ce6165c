"""An image whose imports are not all in it is not built."""

import pytest
from cisterna.image import frozen, imports
from cisterna.image.places import VARIANTS


def check(places, variant):
    imports.check(frozen.files(places, variant), variant)


def plant(places, file, text):
    """Puts `text` at the end of a firmware file; its line number."""
    path = places.firmware / file
    before = path.read_text()
    path.write_text(before + text + "\n")
    return before.count("\n") + text.count("\n") + 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_firmware_as_it_is(places, variant):
    check(places, variant)


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("import unix_main", "unix_main"),
        ("from world import World", "world"),
        ("import boards.unix", "boards.unix"),
        ("from boards import wiring, unix", "boards.unix"),
        ("from boards.unix import Board", "boards.unix"),
        ("from pump import nothing", "pump.nothing"),
        ("from . import nothing", "pump.base.nothing"),
        ("import unix.machine", "unix.machine"),
        ("def later():\n    import random", "random"),
        ("try:\n    import typing\nexcept ImportError:\n    pass\nimport gc", "typing"),
        ("__import__('pump.base.clock')", "something by __import__"),
    ],
)
def test_an_import_that_nothing_answers(places, text, module):
    last = plant(places, "pump/base/clock.py", text)
    with pytest.raises(imports.StrayImport) as error:
        check(places, "therapy")
    first, *_, allowed = str(error.value).splitlines()
    place, _, said = first.partition(": ")
    file, _, line = place.rpartition(":")
    assert file == str(places.firmware / "pump" / "base" / "clock.py")
    assert last - text.count("\n") <= int(line) <= last
    assert said == f"imports {module}, which is not in the therapy image"
    assert allowed.startswith("allowed:") and "manifest.py" in allowed and "machine" in allowed


def test_every_problem_is_said_at_once(places):
    plant(places, "pump/base/clock.py", "import unix_main")
    plant(places, "drivers/fram.py", "import world")
    with pytest.raises(imports.StrayImport) as error:
        check(places, "development")
    assert len(str(error.value).splitlines()) == 3


def test_files_are_known_to_the_development_image_only(places):
    plant(places, "pump/base/clock.py", "import vfs")
    check(places, "development")
    with pytest.raises(imports.StrayImport, match="vfs"):
        check(places, "therapy")


def test_what_is_imported_must_be_frozen_not_only_be_there(places):
    (places.firmware / "boards" / "other.py").write_text("")
    plant(places, "boards/pico.py", "from boards import other")
    with pytest.raises(imports.StrayImport, match="boards.other"):
        check(places, "therapy")
