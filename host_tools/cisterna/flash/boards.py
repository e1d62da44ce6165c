"""Finds boards: pumps on the link, boards in their boot loader, boards with a development image."""

from __future__ import annotations

from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.flash import drives, ports
from cisterna.link import registry


def in_boot_loader() -> list[Path]:
    """The drives of boards in their boot loader, including simulated pumps on this computer."""
    simulated = [Path(pump.drive) for pump in registry.running() if pump.drive]
    return sorted({*drives.find(), *filter(drives.is_boot_drive, simulated)})


def only_pump() -> str:
    """The port of the only pump on the link. Raises CisternaError, which lists the other boards that were found."""
    from cisterna.link import addresses

    try:
        return addresses.port_of(None)
    except addresses.AddressError as error:
        others = [f"a board in its boot loader is at {drive}: --new puts an image on it" for drive in in_boot_loader()]
        others += [
            f"a board with a development image is at {port}: `mpremote connect {port} bootloader` makes it a drive"
            for port in ports.boards()
        ]
        raise CisternaError("\n".join([str(error), *others]) + drives.hint()) from None
