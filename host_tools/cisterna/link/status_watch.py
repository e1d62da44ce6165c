"""Repeated readings of a pump's state, through lost links and restarts. Sends questions only.

The port is open only during a reading, so that other programs can use it in between, for example to stop the pump.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cisterna.errors import CisternaError
from cisterna.link import addresses, status_text
from cisterna.link.pump_client import PumpClient, outline


@dataclass(frozen=True)
class Reading:
    """One reading: the pump's answers, or why there are none. at: s since 1970; lost: one line, or None."""

    at: float
    hello: dict[str, Any]
    state: dict[str, Any] | None
    lost: str | None

    def as_line(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).strftime("%H:%M:%S")
        return f"{when} UTC  {outline(self.state) if self.state else 'LOST: ' + str(self.lost)}"

    def as_json(self) -> str:
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"at": at, "state": self.state, "lost": self.lost})

    def as_page(self) -> str:
        if self.state:
            return "\n".join(status_text.status_lines(self.hello, self.state))
        return f"LOST: {self.lost}\n  trying again; Ctrl-C ends this"


class Watch:
    """Reads one pump. The constructor raises if the pump cannot be opened; later errors are part of the readings."""

    def __init__(self, address: str | None):
        self._address = address
        self._port: str | None = None
        self._open().close()

    def read(self) -> Reading:
        try:
            with self._open() as pump:
                return Reading(time.time(), pump.hello, pump.state(), None)
        except CisternaError as error:
            self._port = None  # the pump may return at another port
            return Reading(time.time(), {}, None, str(error).splitlines()[0])

    def _open(self) -> PumpClient:
        pump = addresses.open_pump(self._port or self._address)
        self._port = pump.transport.name
        return pump
