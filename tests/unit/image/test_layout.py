"""The layout of the flash is the same wherever it is said."""

import re

import pytest
from cisterna.errors import CisternaError
from cisterna.image import layout


def test_the_whole_flash_in_order(places):
    regions = layout.read(places.firmware)
    assert [region.name for region in regions] == ["code", "files", "log"]
    assert regions[0].start == 0 and regions[-1].end == layout.FLASH_BYTES
    assert regions[-1].bytes == 1024 * 1024


def test_the_readme_says_the_same(places):
    rows = re.findall(
        r"^\| (\w+) \| (0x\w+) \| (0x\w+) \| (\S+) \|", (places.firmware / "image/README.md").read_text(), re.M
    )
    regions = layout.read(places.firmware)
    assert [(name, int(start, 16), int(end, 16)) for name, start, end, _ in rows] == [
        (region.name, region.start, region.end) for region in regions
    ]
    base = regions[0].end
    assert [int(relative, 16) for *_, relative in rows[1:]] == [region.start - base for region in regions[1:]]


def test_the_simulated_board_has_the_same_storage(places):
    """Its `rp2.Flash` counts as the real one does, from the start of the storage region."""
    text = (places.firmware / "unix/rp2.py").read_text()
    told = {name: int(number, 0) for name, number in re.findall(r"^_(STORAGE_BYTES|LOG_START) = (\w+)", text, re.M)}
    code, _, log = layout.read(places.firmware)
    assert told == {"STORAGE_BYTES": layout.FLASH_BYTES - code.end, "LOG_START": log.start - code.end}


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("boards/wiring.py", "LOG_START = const(0x40000)", "LOG_START = const(0x41000)", "files ends at 0x100000"),
        ("boards/wiring.py", "LOG_LENGTH = const(0x100000)", "LOG_LENGTH = const(0xff000)", "log ends at 0x1ff000"),
        ("image/board/mpconfigboard.h", "BASE (0x0c0000)", "BASE (0x0c1000)", "log ends at 0x201000"),
    ],
)
def test_regions_that_do_not_fit_together(places, file, before, after, said):
    path = places.firmware / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(CisternaError, match=f"flash: {said}; allowed: 0x"):
        layout.read(places.firmware)
