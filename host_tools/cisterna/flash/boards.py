"""Which boards are within reach: pumps on the link, boards in their boot loader, boards with a development image."""

from __future__ import annotations

from pathlib import Path

from cisterna.bench import running
from cisterna.errors import CisternaError
from cisterna.flash import drives, ports


def in_boot_loader() -> list[Path]:
    """The drives of boards in their boot loader, those of simulated pumps that run here included."""
    simulated = [Path(pump.drive) for pump in running.running() if pump.drive]
    return sorted({*drives.find(), *filter(drives.is_boot_drive, simulated)})


def only_pump() -> str:
    """The port of the only pump on the link. CisternaError that lists what else there is."""
    from cisterna.link import addresses

    try:
        return addresses.port_of(None)
    except addresses.AddressError as error:
        also = [f"a board in its boot loader is at {drive}: --new puts an image on it" for drive in in_boot_loader()]
        also += [
            f"a board with a development image is at {port}: `mpremote connect {port} bootloader` makes it a drive"
            for port in ports.boards()
        ]
        raise CisternaError("\n".join([str(error), *also]) + drives.hint()) from None
