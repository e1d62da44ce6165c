"""Finds the serial ports of boards on this computer's USB."""

from __future__ import annotations

from cisterna.errors import DeployRefused

_RASPBERRY_PI = 0x2E8A  # USB vendor ID


def boards() -> list[str]:
    """Ports of RP2040 boards with a console, sorted."""
    from serial.tools import list_ports

    return sorted(port.device for port in list_ports.comports() if port.vid == _RASPBERRY_PI)


def only_board() -> str:
    """The port of the only board. Raises DeployRefused unless there is exactly one."""
    found = boards()
    if not found:
        raise DeployRefused(
            "no board found; plug one in that runs a development image (a therapy image has no USB port), "
            "or name its --port"
        )
    if len(found) > 1:
        raise DeployRefused(f"{len(found)} boards found, name one with --port: {', '.join(found)}")
    return found[0]
