"""`cisterna watch`: a pump's state again and again, through lost links and restarts. It only asks."""

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

LEAST_S = 0.1


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
    """One pump. The first look raises what keeps it from being opened; later ones only tell."""

    def __init__(self, address: str | None):
        self._address = address
        self._pump: Pump | None = addresses.open_pump(address)

    def look(self) -> Look:
        try:
            if self._pump is None:
                self._pump = addresses.open_pump(self._address)
            state = self._pump.state()
            if state["boot"] != self._pump.hello["boot"]:
                self._pump.connect()
            return Look(time.time(), self._pump.hello, state, None)
        except CisternaError as error:
            self.close()
            reason = str(error).splitlines()[0]
            return Look(time.time(), {}, None, reason)

    def close(self) -> None:
        if self._pump is not None:
            self._pump.close()
            self._pump = None


def run(address: str | None, every_s: float, as_json: bool) -> None:
    """Until KeyboardInterrupt. CisternaError when there is no such pump to begin with."""
    if not LEAST_S <= every_s <= 86_400:
        raise CisternaError(f"--every held {every_s:g}; allowed: {LEAST_S:g} to 86400 s")
    watch = Watch(address)
    try:
        if as_json or not sys.stdout.isatty():
            _repeat(watch, every_s, lambda look: print(look.as_json() if as_json else look.as_line(), flush=True))
        else:
            _live(watch, every_s)
    finally:
        watch.close()


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
