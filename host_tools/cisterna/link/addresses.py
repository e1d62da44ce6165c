"""Resolve the address of a pump to a port.

    unix:  rp2040:           the simulated pump that runs on this computer; unix:SERIAL if there are several
    serial:SERIAL            the serial adapter with this USB serial number, or with the pump of this serial number
    /dev/ttyUSB0  COM3       a port

Without an address: the only pump or adapter there is.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from cisterna.errors import CisternaError, LinkError
from cisterna.link import registry
from cisterna.link.pump_client import PumpClient
from cisterna.link.transport import PortRefused, SerialTransport

SIMULATED = ("unix", "rp2040")
FORMS = "unix:[SERIAL], rp2040:[SERIAL], serial:SERIAL, or a port such as /dev/ttyUSB0"
_BOARD_VENDORS = (0x2E8A,)  # USB vendors of boards, whose port is the console of an image, not the link
_ASK_S = 0.5  # timeout of `hello` at a port with an unknown device


class AddressError(CisternaError):
    """The address matches no pump, or several. Nothing but `hello` was sent to any of them."""


def open_pump(address: str | None = None) -> PumpClient:
    """A connected client of the pump at `address`. Raises AddressError, PortRefused, LinkSilent."""
    pump = PumpClient(SerialTransport(port_of(address)))
    try:
        pump.connect()
    except BaseException:
        pump.close()
        raise
    return pump


def port_of(address: str | None = None) -> str:
    """The port of `address`. Raises AddressError, with a list of the candidates, if it matches none or several."""
    if not address:
        return _only_one()
    kind, colon, serial = address.partition(":")
    if colon and kind in SIMULATED:
        return _simulated(kind, serial)
    if colon and kind == "serial":
        return _by_serial(serial)
    if re.fullmatch(r"COM\d+", address, re.IGNORECASE) or os.sep in address or "/" in address:
        return address
    raise AddressError(f'address held "{address}"; allowed: {FORMS}')


def candidates() -> list[str]:
    """One line for each simulated pump and each serial adapter."""
    return [str(pump) for pump in registry.running() if pump.link] + [
        f"{port.device} ({port.description}, USB serial number {port.serial_number or 'none'})" for port in _adapters()
    ]


def _only_one() -> str:
    simulated = [pump.link for pump in registry.running() if pump.link]
    ports = simulated + [port.device for port in _adapters()]
    if len(ports) == 1:
        return ports[0]
    raise AddressError("\n".join(["address: none given, and " + _count(ports), *candidates()]))


def _count(ports: list[str]) -> str:
    if not ports:
        return "no pump was found; plug one in, or start one (`cisterna emulate --board unix --bench`)"
    return f"there are {len(ports)}; give one of them"


def _simulated(kind: str, serial: str) -> str:
    of_kind = [pump for pump in registry.running() if pump.kind == kind and pump.link]
    matching = [pump for pump in of_kind if not serial or pump.serial == serial]
    if len(matching) == 1:
        return str(matching[0].link)
    if matching:
        problem = f"there are {len(matching)}: give its serial number, or its port"
    else:
        problem = f"no such simulated pump runs here; start one: cisterna emulate --board {kind} --bench"
    raise AddressError("\n".join([f'address held "{kind}:{serial}"; {problem}', *map(str, matching or of_kind)]))


def _by_serial(serial: str) -> str:
    if not serial:
        raise AddressError(f'address held "serial:"; allowed: {FORMS}')
    adapters = list(_adapters())
    matching = [port.device for port in adapters if port.serial_number == serial]
    matching = matching or [port.device for port in adapters if _pump_serial_at(port.device) == serial]
    if len(matching) == 1:
        return matching[0]
    problem = f"there are {len(matching)} such" if matching else "no adapter has this serial number, and no pump at one"
    raise AddressError("\n".join([f'address held "serial:{serial}"; {problem}', *candidates()]))


def _pump_serial_at(port: str) -> str | None:
    """The serial number of the pump at `port`; None without a pump, or a pump without a serial number."""
    with contextlib.suppress(PortRefused, LinkError), SerialTransport(port) as transport:
        return PumpClient(transport, ask_s=_ASK_S).connect().get("serial")
    return None


def _adapters() -> Iterator:
    """Ports of USB serial adapters, sorted by name."""
    from serial.tools import list_ports

    ports = (port for port in list_ports.comports() if port.vid and port.vid not in _BOARD_VENDORS)
    yield from sorted(ports, key=lambda port: port.device)
