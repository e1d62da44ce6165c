"""Where the parts are: the firmware, the scenarios, the folder of products.

In a checkout the firmware lies beside the package. A wheel carries a copy inside the package (`wheel_contents.py`).
"""

import os
import sys
from pathlib import Path

from cisterna.errors import InstallError

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]  # in a wheel: a folder without firmware
SCENARIOS = PACKAGE / "scenarios"
_IN_WHEEL = PACKAGE / "_firmware"
_SAMPLE = Path("pump", "storage", "records.py")  # a folder that holds this file is taken for the firmware


def firmware() -> Path:
    """Folder of the pump's firmware: CISTERNA_FIRMWARE, else the checkout's, else the copy in the package.

    Raises InstallError when there is none.
    """
    named = os.environ.get("CISTERNA_FIRMWARE")
    folders = [Path(named)] if named else [CHECKOUT / "firmware", _IN_WHEEL]
    for folder in folders:
        if (folder / _SAMPLE).is_file():
            return folder.resolve()
    where = "CISTERNA_FIRMWARE held" if named else "looked in"
    raise InstallError(
        f"firmware: {where} {' and '.join(map(str, folders))}, where {_SAMPLE} is missing; "
        "install from a checkout (`pip install -e .`) or a wheel, or set CISTERNA_FIRMWARE to a firmware folder"
    )


def firmware_of_checkout() -> Path:
    """As `firmware`, for what writes beside it. Raises InstallError for the copy in an installed package."""
    folder = firmware()
    if folder == _IN_WHEEL:
        raise InstallError(
            "image: this package was installed without its checkout, so there is no build/image; name an image file, "
            "work in a checkout (`pip install -e .`), or set CISTERNA_FIRMWARE to the firmware folder of one"
        )
    return folder


def products() -> Path:
    """Folder of what is built: the checkout's `build`; this user's cache for an installed package."""
    if (CHECKOUT / "firmware" / _SAMPLE).is_file():
        return CHECKOUT / "build"
    import platformdirs  # here only: `--help` does not pay for it

    return platformdirs.user_cache_path("cisterna")


def use_firmware() -> Path:
    """Make the firmware's pure modules importable (`from pump import records`): one layout for both sides."""
    folder = firmware()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: nothing of the firmware may hide a module of the host
    return folder
