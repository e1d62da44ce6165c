"""`cisterna watch`: show the state of a pump repeatedly."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cisterna.commands.options import LINK_STATUS, MaybeAddress
from cisterna.console import errors_as_lines
from cisterna.errors import CisternaError

if TYPE_CHECKING:
    from cisterna.link.status_watch import Reading, Watch

app = typer.Typer()

MIN_EVERY_S = 1.0
MAX_EVERY_S = 86_400


@app.command(epilog=f"Example:  cisterna watch unix: --every 5   {LINK_STATUS} Ctrl-C ends it with status 0.")
def watch(
    address: MaybeAddress = None,
    every: Annotated[float, typer.Option(metavar="S", help="Seconds between readings, 1 or more.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per reading, each on a line.")] = False,
) -> None:
    """Show the state of a pump repeatedly. A lost link is reported and opened again as soon as possible.

    Between readings the port is free for other commands.
    """
    with errors_as_lines():
        from cisterna.link.status_watch import Watch

        if not MIN_EVERY_S <= every <= MAX_EVERY_S:
            raise CisternaError(f"--every held {every:g}; allowed: {MIN_EVERY_S:g} to {MAX_EVERY_S} s")
        with contextlib.suppress(KeyboardInterrupt):
            readings = Watch(address)
            if as_json or not sys.stdout.isatty():
                _repeat(readings, every, lambda reading: print(_line(reading, as_json), flush=True))
            else:
                _show_live(readings, every)


def _line(reading: Reading, as_json: bool) -> str:
    return reading.as_json() if as_json else reading.as_line()


def _show_live(watch: Watch, every_s: float) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        _repeat(watch, every_s, lambda reading: live.update(Text(reading.as_page()), refresh=True))


def _repeat(watch: Watch, every_s: float, show: Callable[[Reading], None]) -> None:
    due_s = time.monotonic()
    while True:
        show(watch.read())
        due_s = max(due_s + every_s, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))
