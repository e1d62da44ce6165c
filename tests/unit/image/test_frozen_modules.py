"""The image freezes the firmware and nothing else."""

import pytest
from cisterna.image import frozen
from cisterna.image.places import VARIANTS

NOT_IN_AN_IMAGE = ("unix", "boards.unix", "world", "unix_main", "machine", "time")


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_of_the_firmware_and_nothing_of_the_simulated_board(places, variant):
    names = {file.name for file in frozen.files(places, variant)}
    for room in ("pump", "drivers"):
        paths = list((places.firmware / room).rglob("*.py"))
        assert len(paths) > 10
        for path in paths:
            parts = path.relative_to(places.firmware).with_suffix("").parts
            assert ".".join(parts[:-1] if parts[-1] == "__init__" else parts) in names
    assert {"main", "board", "build_info", "rp2", "_boot", "boards.pico", "boards.wiring"} <= names
    assert {"pump.controller", "pump.delivery.motion", "pump.monitoring.alarms"} <= names
    assert not names & set(NOT_IN_AN_IMAGE)
    rest = {name for name in names if name.partition(".")[0] not in ("pump", "drivers", "boards")}
    assert rest == {"main", "board", "build_info", "rp2", "_boot"} | ({"start"} if variant == "development" else set())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_file_is_there_unless_it_is_made(places, variant):
    missing = [file.name for file in frozen.files(places, variant) if not (file.of_port or file.path.is_file())]
    assert missing == ["build_info"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_key_is_frozen(places, variant):
    for file in frozen.files(places, variant):
        if file.path.is_file():
            assert "PRIVATE KEY" not in file.path.read_text()
