"""Where the parts are: the firmware beside this checkout, the scenarios inside this package."""

import os
import sys
from pathlib import Path

from cisterna.errors import InstallError

PACKAGE = Path(__file__).resolve().parent
SCENARIOS = PACKAGE / "scenarios"


def firmware() -> Path:
    """Folder of the pump's firmware. `CISTERNA_FIRMWARE` overrides the checkout's own.

    Raises InstallError when there is none: a copied package without its checkout has no pump to run.
    """
    told = os.environ.get("CISTERNA_FIRMWARE")
    folder = Path(told) if told else PACKAGE.parents[1] / "firmware"
    if (folder / "pump" / "records.py").is_file():
        return folder.resolve()
    where = "CISTERNA_FIRMWARE held" if told else "looked in"
    raise InstallError(
        f"firmware: {where} {folder}, where pump/records.py is missing; "
        "install from a checkout (`pip install -e .`) or set CISTERNA_FIRMWARE to its firmware folder"
    )


def use_firmware() -> Path:
    """Make the firmware's pure modules importable (`from pump import records`): one layout for both sides."""
    folder = firmware()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: nothing of the firmware may hide a module of the host
    return folder
