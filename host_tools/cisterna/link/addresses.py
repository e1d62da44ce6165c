"""Finding a pump by what a person calls it.

    unix:  rp2040:           a simulated pump that runs on this computer; unix:SERIAL when there are several
    serial:SERIAL            a serial adapter with this USB serial number, or one at whose end a pump has it
    /dev/ttyUSB0  COM3       a port

Without an address: the only one that is there.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from cisterna.bench import running
from cisterna.errors import CisternaError, LinkError
from cisterna.link.pump import Pump
from cisterna.link.transport import PortRefused, SerialTransport

SIMULATED = ("unix", "rp2040")
FORMS = "unix:[SERIAL], rp2040:[SERIAL], serial:SERIAL, or a port such as /dev/ttyUSB0"
_BOARDS = (0x2E8A,)  # USB vendors of what is a board itself: its port is a console, not the pump's line
_ASK_S = 0.5  # a port at which something else than a pump listens is not waited for long


class AddressError(CisternaError):
    """An address that leads to no pump, or to several. Nothing was sent to any of them but `hello`."""


def open_pump(address: str | None = None) -> Pump:
    """The pump at `address`, which has answered `hello`. AddressError, PortRefused, LinkSilent."""
    pump = Pump(SerialTransport(port_of(address)))
    try:
        pump.connect()
    except BaseException:
        pump.close()
        raise
    return pump


def port_of(address: str | None = None) -> str:
    """The port that `address` means. AddressError with what there is when it means none, or more than one."""
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


def found() -> list[str]:
    """One line for each pump or adapter that could be meant."""
    return [str(pump) for pump in running.running() if pump.link] + [
        f"{port.device} ({port.description}, USB serial number {port.serial_number or 'none'})" for port in _adapters()
    ]


def _only_one() -> str:
    simulated = [pump.link for pump in running.running() if pump.link]
    ports = simulated + [port.device for port in _adapters()]
    if len(ports) == 1:
        return ports[0]
    raise AddressError("\n".join(["address: none given, and " + _count(ports), *found()]))


def _count(ports: list[str]) -> str:
    if not ports:
        return "no pump was found; plug one in, or start one (`cisterna emulate --board unix --bench`)"
    return f"there are {len(ports)}; give one of them"


def _simulated(kind: str, serial: str) -> str:
    there = [pump for pump in running.running() if pump.kind == kind and pump.link]
    meant = [pump for pump in there if not serial or pump.serial == serial]
    if len(meant) == 1:
        return str(meant[0].link)
    if meant:
        said = f"there are {len(meant)}: give its serial number, or its port"
    else:
        said = f"no such simulated pump runs here; start one: cisterna emulate --board {kind} --bench"
    raise AddressError("\n".join([f'address held "{kind}:{serial}"; {said}', *map(str, meant or there)]))


def _by_serial(serial: str) -> str:
    if not serial:
        raise AddressError(f'address held "serial:"; allowed: {FORMS}')
    adapters = list(_adapters())
    meant = [port.device for port in adapters if port.serial_number == serial]
    meant = meant or [port.device for port in adapters if _says(port.device) == serial]
    if len(meant) == 1:
        return meant[0]
    said = f"there are {len(meant)} such" if meant else "no adapter has this serial number, and no pump at one"
    raise AddressError("\n".join([f'address held "serial:{serial}"; {said}', *found()]))


def _says(port: str) -> str | None:
    """The serial number that a pump at `port` says it has; None for everything else."""
    with contextlib.suppress(PortRefused, LinkError), SerialTransport(port) as transport:
        return Pump(transport, ask_s=_ASK_S).connect().get("serial")
    return None


def _adapters() -> Iterator:
    """Ports of USB serial adapters, by name."""
    from serial.tools import list_ports

    ports = (port for port in list_ports.comports() if port.vid and port.vid not in _BOARDS)
    yield from sorted(ports, key=lambda port: port.device)

