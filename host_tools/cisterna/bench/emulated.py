"""`cisterna emulate`: an emulated board as a process of its own, from its image to its end."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cisterna.errors import CisternaError, InstallError
from cisterna.image.places import of_checkout


def run(image: Path | None, pump: bool, flash: Path | None, as_json: bool) -> None:
    """Until SIGINT or SIGTERM. The first line that is printed says where the board is."""
    try:
        from cisterna.bench.rp2040.board import EmulatedBoard
    except ImportError as error:
        raise InstallError(
            f"{error.name} is not installed; the emulated chip needs `pip install -e '.[target]'`"
        ) from None
    image = image or of_checkout().product("development", "uf2")
    if not image.is_file():
        raise CisternaError(f"--image held {image}; there is no such file (`make image` makes the images)")
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: ended.append(number))
    with _errors_of(image, flash), contextlib.closing(EmulatedBoard(image, pump, flash)) as board:
        told = {"port": board.path, "image": str(image), "pump": pump}
        print(json.dumps(told) if as_json else _account(told), flush=True)
        board.serve(lambda: not ended)


def _account(told: dict[str, Any]) -> str:
    where = "in the simulated pump" if told["pump"] else "on a bare board"
    lines = [told["port"], f"  {told['image']}, {where}"]
    if sys.stdout.isatty():
        lines.append(f"  mpremote connect port:{told['port']}   (Ctrl-C here ends the board)")
    return "\n".join(lines)


@contextlib.contextmanager
def _errors_of(image: Path, flash: Path | None) -> Iterator[None]:
    """What can be wrong with the files, in our words."""
    try:
        yield
    except BlockingIOError:
        raise CisternaError(f"--flash held {flash}; another emulated board has it") from None
    except ValueError as error:
        raise CisternaError(f"--image held {image}; it is no .uf2 image ({error})") from None
    except OSError as error:
        raise CisternaError(f"--flash held {flash}; it cannot be used ({error.strerror or error})") from None
