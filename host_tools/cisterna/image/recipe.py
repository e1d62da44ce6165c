"""How an image is compiled: what is the same on every machine, so that the same sources give the same bytes."""

from pathlib import Path

BUILT_ON = 1744675200  # seconds; the day of MicroPython 1.25.0, in the place of today's date
CMAKE = (
    "-DMICROPY_BOARD=CISTERNA_PICO",
    "-DCMAKE_BUILD_TYPE=MinSizeRel",
    "-DPICO_NO_PICOTOOL=1",
    "-DPICO_BUILD_DOCS=0",
)
UF2 = ("-b", "0x10000000", "-f", "0xe48bff56", "-c")  # where flash begins; the family of the RP2040
RECIPE = " ".join((str(BUILT_ON), *CMAKE, *UF2))


def environment(outer: dict[str, str], version: str, mpy_cross: Path, aliases: dict[Path, str]) -> dict[str, str]:
    """The environment of every tool. `aliases`: folders, and what they are called in the image instead."""
    maps = " ".join(f"-ffile-prefix-map={folder}={alias}" for folder, alias in aliases.items())
    kept = {name: value for name, value in outer.items() if not name.endswith("FLAGS") and "PYTHON" not in name}
    return kept | {
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": str(BUILT_ON),
        "MICROPY_GIT_TAG": f"v{version}",  # not what git says of the folder that this one lies in
        "MICROPY_GIT_HASH": "",
        "MICROPY_MPYCROSS": str(mpy_cross),
        "CFLAGS": maps,
        "CXXFLAGS": maps,
        "ASMFLAGS": maps,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
