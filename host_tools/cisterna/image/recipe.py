"""The fixed options and environment of a build: the same sources give the same bytes on every machine."""

from pathlib import Path

BUILD_DATE_S = 1744675200  # Unix time; the day of MicroPython 1.25.0, in place of today's date
CMAKE = (
    "-DMICROPY_BOARD=CISTERNA_PICO",
    "-DCMAKE_BUILD_TYPE=MinSizeRel",
    "-DPICO_NO_PICOTOOL=1",
    "-DPICO_BUILD_DOCS=0",
)
UF2 = ("-b", "0x10000000", "-f", "0xe48bff56", "-c")  # address of the flash; family of the RP2040
RECIPE = " ".join((str(BUILD_DATE_S), *CMAKE, *UF2))


def environment(outer: dict[str, str], version: str, mpy_cross: Path, aliases: dict[Path, str]) -> dict[str, str]:
    """The environment of every tool.

    version    of MicroPython
    mpy_cross  path of the compiler
    aliases    folder -> its name in the image's debug information
    """
    maps = " ".join(f"-ffile-prefix-map={folder}={alias}" for folder, alias in aliases.items())
    inherited = {name: value for name, value in outer.items() if not name.endswith("FLAGS") and "PYTHON" not in name}
    return inherited | {
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": str(BUILD_DATE_S),
        "MICROPY_GIT_TAG": f"v{version}",  # else taken from the git of an enclosing folder
        "MICROPY_GIT_HASH": "",
        "MICROPY_MPYCROSS": str(mpy_cross),
        "CFLAGS": maps,
        "CXXFLAGS": maps,
        "ASMFLAGS": maps,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
