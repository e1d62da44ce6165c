"""`cisterna emulate`: a simulated pump as a process of its own, whose serial ports are pseudo-terminals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisterna.bench.running import Notice, Running
from cisterna.bench.state_file import StateFile
from cisterna.bench.target import TargetError
from cisterna.bench.words import Words
from cisterna.errors import CisternaError, InstallError, TargetFailed
from cisterna.image.places import of_checkout

BOARDS = ("rp2040", "unix")
_LABEL_S = 1.0  # how often a pump that is not provisioned is looked at again


@dataclass(frozen=True)
class Options:
    """Of one simulated pump; see the help of the command.

    serial: None for a pump that is not provisioned, else it starts provisioned with the bench keys of this user.
    """

    board: str = "rp2040"
    image: Path | None = None
    pump: bool = True
    flash: Path | None = None
    state: Path | None = None
    drive: Path | None = None
    serial: str | None = None
    speed: float = 1.0


def run(options: Options, as_json: bool) -> None:
    """Until SIGINT, SIGTERM or the word `quit`. What is printed first says where the pump is."""
    _check(options)
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: ended.append(number))
    with contextlib.ExitStack() as stack:
        with _errors_of(options):
            board = stack.enter_context(contextlib.closing(_board(options)))
        label = _Label(board, stack.enter_context(contextlib.closing(Notice())))
        label.read()
        _print(board, options, as_json)
        words = Words(board, as_json, lambda text: print(text, flush=True), _complain)
        try:
            board.serve(lambda: not ended and words.obey() and label.keep())
        except TargetError as error:
            raise TargetFailed(f"{board.kind}: {error}") from None


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check(options: Options) -> None:
    if options.board not in BOARDS:
        raise CisternaError(f"--board held {options.board}; allowed: {', '.join(BOARDS)}")
    if options.board == "unix":
        for name, held in (("--image", options.image), ("--flash", options.flash), ("--drive", options.drive)):
            if held is not None:
                raise CisternaError(f"{name} held {held}; allowed: only with --board rp2040 (unix runs the sources)")
        if not options.pump:
            raise CisternaError("--bare: only with --board rp2040; unix has no chip to leave bare")
    elif options.speed != 1:
        raise CisternaError(f"--speed held {options.speed:g}; allowed: 1 with --board rp2040, which is never faster")
    if not 0.01 <= options.speed <= 10_000:
        raise CisternaError(f"--speed held {options.speed:g}; allowed: 0.01 to 10000")
    if options.serial is not None and not (0 < len(options.serial) <= 20 and options.serial.isascii()):
        raise CisternaError(f'--serial held "{options.serial}"; allowed: 1 to 20 characters, those of the display')
    if options.flash and options.state:
        raise CisternaError("--flash and --state: only one of them; --state keeps the flash, too, and what else lasts")
    if not options.pump and (options.state or options.serial):
        raise CisternaError("--bare: without --state and --bench; what they keep is in chips that a bare board lacks")


def _board(options: Options) -> Any:
    config = {"rtc_unix_s": int(time.time())}
    if options.serial:
        from cisterna.pharmacy import keys, provision

        config |= provision.bench_target_config(options.serial, keys.bench_keys())
    if options.board == "unix":
        from cisterna.bench.live_unix import LiveUnix

        return LiveUnix(config, _state(options), options.speed)
    try:
        from cisterna.bench.rp2040.board import EmulatedBoard
    except ImportError as error:
        raise InstallError(
            f"{error.name} is not installed; the emulated chip needs `pip install -e '.[target]'`"
        ) from None
    image = options.image or of_checkout().product("development", "uf2")
    if not image.is_file():
        raise CisternaError(f"--image held {image}; there is no such file (`make image` makes the images)")
    flash = options.flash or (options.state and options.state.with_name(options.state.name + ".flash"))
    state = _state(options)
    kept = _kept(flash) if flash and options.image is None else b""
    usb = b"variant=therapy" not in kept if kept else _has_usb(image)
    return EmulatedBoard(image, options.pump, flash, config, state, usb, options.drive, bool(kept))


def _state(options: Options) -> StateFile | None:
    return StateFile(options.state, options.board) if options.state else None


def _kept(flash: Path) -> bytes:
    """What the board ran when it was switched off: nobody puts another image on it by switching it on."""
    return flash.read_bytes() if flash.is_file() else b""


def _has_usb(image: Path) -> bool:
    """A therapy image has none. One of somebody else's may well have it."""
    from cisterna.image import product

    try:
        return "variant=therapy" not in product.read(image)
    except (CisternaError, ValueError):
        return True


class _Label:
    """Keeps the notice of this process true: a pump may be provisioned while it runs."""

    def __init__(self, board: Any, notice: Notice):
        self._board = board
        self._notice = notice
        self._serial: str | None = None
        self._due_s = 0.0

    def keep(self) -> bool:
        """Once a turn; True."""
        if self._serial is None and time.monotonic() >= self._due_s:
            self.read()
        return True

    def read(self) -> None:
        board, first = self._board, self._due_s == 0.0
        self._serial = serial_in(board.fram)
        self._due_s = time.monotonic() + _LABEL_S
        if first or self._serial:
            running = Running(board.kind, self._serial, board.link, board.console, os.getpid(), board.drive)
            self._notice.tell(running)


def serial_in(fram: Callable[[int, int], bytes]) -> str | None:
    """The serial number in the provisioning block of a FRAM; None if there is none."""
    from cisterna import paths

    paths.use_firmware()
    from pump import provisioning
    from pump.refusal import Refused

    block = fram(provisioning.FRAM_ADDRESS, provisioning.BLOCK_BYTES)
    try:
        return provisioning.parse(block).serial
    except Refused:
        return None


def _print(board: Any, options: Options, as_json: bool) -> None:
    serial = serial_in(board.fram)
    told = {
        "port": board.console or board.link,
        "console": board.console,
        "link": board.link,
        "drive": board.drive,
        "kind": board.kind,
        "serial": serial,
        "image": str(options.image or of_checkout().product("development", "uf2")) if board.kind == "rp2040" else None,
        "pump": options.pump,
    }
    print(json.dumps(told) if as_json else _account(told), flush=True)


def _account(told: dict[str, Any]) -> str:
    who = f"serial number {told['serial']}" if told["serial"] else "not provisioned"
    what = told["image"] or "the firmware of this checkout"
    lines = [f"{told['kind']} {who if told['pump'] else 'on a bare board'}, {what}"]
    if told["link"]:
        lines.append(f"  link     {told['link']}")
    if told["console"]:
        lines.append(f"  console  {told['console']}   (mpremote connect port:{told['console']})")
    if told["drive"]:
        lines.append(f"  drive    {told['drive']}")
    if sys.stdin.isatty():
        lines.append("  type  press start 2.5 | press stop | door open | look | quit   (or Ctrl-C)")
    return "\n".join(lines)


@contextlib.contextmanager
def _errors_of(options: Options) -> Iterator[None]:
    """What can be wrong with the files, in our words."""
    try:
        yield
    except BlockingIOError:
        raise CisternaError(f"--flash held {options.flash or options.state}; another emulated board has it") from None
    except ValueError as error:
        raise CisternaError(f"--image held {options.image}; it is no .uf2 image ({error})") from None
    except OSError as error:
        held = options.flash or options.state or options.drive
        raise CisternaError(f"--flash held {held}; it cannot be used ({error.strerror or error})") from None
