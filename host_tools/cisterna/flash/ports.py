"""Which boards are plugged into this computer."""

from __future__ import annotations

from cisterna.errors import DeployRefused

_RASPBERRY_PI = 0x2E8A  # USB vendor


def boards() -> list[str]:
    """Ports of RP2040 boards that have a console."""
    from serial.tools import list_ports

    return sorted(port.device for port in list_ports.comports() if port.vid == _RASPBERRY_PI)


def only_board() -> str:
    """DeployRefused unless there is exactly one."""
    found = boards()
    if not found:
        raise DeployRefused(
            "no board found; plug one in that runs a development image (a therapy image has no USB port), "
            "or name its --port"
        )
    if len(found) > 1:
        raise DeployRefused(f"{len(found)} boards found, name one with --port: {', '.join(found)}")
    return found[0]
