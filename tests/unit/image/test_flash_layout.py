"""The layout of the flash is the same wherever it is stated."""

import re
from pathlib import Path

import pytest
from cisterna.bench.world import flash, settings
from cisterna.errors import CisternaError
from cisterna.image import layout


def test_the_whole_flash_in_order(places):
    regions = layout.read(places.firmware)
    assert [region.name for region in regions] == ["code", "files", "vault", "log"]
    assert regions[0].start == 0 and regions[-1].end == layout.FLASH_BYTES
    assert [region.bytes for region in regions[-2:]] == [64 * 1024, 1024 * 1024]


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
    told = {name: int(number, 0) for name, number in re.findall(r"^_(STORAGE_BYTES|VAULT_START) = (\w+)", text, re.M)}
    code, _, vault, log = layout.read(places.firmware)
    assert told == {"STORAGE_BYTES": layout.FLASH_BYTES - code.end, "VAULT_START": vault.start - code.end}
    assert log.end - vault.start == flash.SECTORS * flash.SECTOR
    assert vault.bytes == settings.VAULT_BYTES


def test_the_emulated_board_has_its_vault_there(places):
    text = (Path(flash.__file__).parents[1] / "rp2040" / "target.py").read_text()
    (told,) = re.findall(r"^_VAULT_START = (\w+)", text, re.M)
    assert int(told, 0) == layout.read(places.firmware)[2].start


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("boards/wiring.py", "LOG_START = const(0x40000)", "LOG_START = const(0x41000)", "vault ends at 0x100000"),
        ("boards/wiring.py", "VAULT_START = const(0x30000)", "VAULT_START = const(0x31000)", "files ends at 0x0f0000"),
        ("boards/wiring.py", "VAULT_LENGTH = const(0x10000)", "VAULT_LENGTH = const(0xf000)", "vault ends at 0x0ff000"),
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
