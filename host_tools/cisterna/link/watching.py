"""`cisterna watch`: a pump's state again and again, through lost links and restarts. It only asks.

From look to look the port is anybody's: whoever watches keeps nobody from stopping the pump.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cisterna.errors import CisternaError
from cisterna.link import addresses, shown
from cisterna.link.pump import Pump, outline

LEAST_S = 1.0


@dataclass(frozen=True)
class Look:
    """What one look gave: the pump's answers, or why there are none. at: seconds since 1970."""

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
            return "\n".join(shown.status_lines(self.hello, self.state))
        return f"LOST: {self.lost}\n  looking for it again; Ctrl-C ends this"


class Watch:
    """One pump. What keeps it from being opened at first is raised; later it is only told."""

    def __init__(self, address: str | None):
        self._address = address
        self._port: str | None = None
        self._open().close()

    def look(self) -> Look:
        try:
            with self._open() as pump:
                return Look(time.time(), pump.hello, pump.state(), None)
        except CisternaError as error:
            self._port = None  # it may come back at another one
            return Look(time.time(), {}, None, str(error).splitlines()[0])

    def _open(self) -> Pump:
        pump = addresses.open_pump(self._port or self._address)
        self._port = pump.transport.name
        return pump


def run(address: str | None, every_s: float, as_json: bool) -> None:
    """Until KeyboardInterrupt. CisternaError when there is no such pump to begin with."""
    if not LEAST_S <= every_s <= 86_400:
        raise CisternaError(f"--every held {every_s:g}; allowed: {LEAST_S:g} to 86400 s")
    watch = Watch(address)
    if as_json or not sys.stdout.isatty():
        _repeat(watch, every_s, lambda look: print(look.as_json() if as_json else look.as_line(), flush=True))
    else:
        _live(watch, every_s)


def _live(watch: Watch, every_s: float) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        _repeat(watch, every_s, lambda look: live.update(Text(look.as_page()), refresh=True))


def _repeat(watch: Watch, every_s: float, show: Callable[[Look], None]) -> None:
    due_s = time.monotonic()
    while True:
        show(watch.look())
        due_s = max(due_s + every_s, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))
