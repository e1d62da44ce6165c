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

from cisterna.bench.hand_commands import HandCommands
from cisterna.bench.state_file import StateFile
from cisterna.bench.target import TargetError
from cisterna.errors import CisternaError, InstallError, TargetFailed
from cisterna.image.places import of_checkout
from cisterna.link.registry import RegistryEntry, RunningPump

BOARDS = ("rp2040", "unix")
_SERIAL_CHECK_S = 1.0  # interval of the check whether the pump was provisioned


@dataclass(frozen=True)
class Options:
    """Options of the command `emulate`; see its help.

    serial: None: not provisioned; else the pump starts provisioned, with this user's bench keys.
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
    """Run a simulated pump until SIGINT, SIGTERM or the command `quit`. First prints its ports.

    CisternaError if an option or a file cannot be used; TargetFailed if the firmware ends with an error.
    """
    _check(options)
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: ended.append(number))
    with contextlib.ExitStack() as stack:
        with _errors_of(options):
            board = stack.enter_context(contextlib.closing(_board(options)))
        entry = _RegistryUpdater(board, stack.enter_context(contextlib.closing(RegistryEntry())))
        entry.update()
        _print_ports(board, options, as_json)
        commands = HandCommands(board, as_json, lambda text: print(text, flush=True), _print_error)
        try:
            board.serve(lambda: not ended and commands.execute_pending() and entry.update_when_due())
        except TargetError as error:
            raise TargetFailed(f"{board.kind}: {error}") from None


def _print_error(text: str) -> None:
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
        raise CisternaError("--flash and --state: only one of them; --state stores the flash and all other memory")
    if not options.pump and (options.state or options.serial):
        raise CisternaError("--bare: without --state and --bench; a bare board has none of the chips that they need")


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
    stored = _stored_flash(flash) if flash and options.image is None else b""
    usb = b"variant=therapy" not in stored if stored else _has_usb(image)
    return EmulatedBoard(image, options.pump, flash, config, state, usb, options.drive, bool(stored))


def _state(options: Options) -> StateFile | None:
    return StateFile(options.state, options.board) if options.state else None


def _stored_flash(flash: Path) -> bytes:
    """Contents of the flash file, b"" if there is none: without `--image` the board runs what it holds."""
    return flash.read_bytes() if flash.is_file() else b""


def _has_usb(image: Path) -> bool:
    """False for a therapy image. Any other image is taken to have a USB serial port."""
    from cisterna.image import product

    try:
        return "variant=therapy" not in product.read(image)
    except (CisternaError, ValueError):
        return True


class _RegistryUpdater:
    """Keeps this process's entry in the registry up to date: a pump may be provisioned while it runs."""

    def __init__(self, board: Any, entry: RegistryEntry):
        self._board = board
        self._entry = entry
        self._serial: str | None = None
        self._due_s = 0.0

    def update_when_due(self) -> bool:
        """Called once per pass of the board's loop. Returns True."""
        if self._serial is None and time.monotonic() >= self._due_s:
            self.update()
        return True

    def update(self) -> None:
        """Read the serial number; write the entry if this is the first call or there is a serial number."""
        board, first = self._board, self._due_s == 0.0
        self._serial = serial_in(board.fram)
        self._due_s = time.monotonic() + _SERIAL_CHECK_S
        if first or self._serial:
            running = RunningPump(board.kind, self._serial, board.link, board.console, os.getpid(), board.drive)
            self._entry.publish(running)


def serial_in(fram: Callable[[int, int], bytes]) -> str | None:
    """The serial number in the FRAM's provisioning block; None if not provisioned. fram: (address, length) -> bytes."""
    from cisterna import paths

    paths.use_firmware()
    from pump.base.refusal import Refused
    from pump.documents import provisioning

    block = fram(provisioning.FRAM_ADDRESS, provisioning.BLOCK_BYTES)
    try:
        return provisioning.parse(block).serial
    except Refused:
        return None


def _print_ports(board: Any, options: Options, as_json: bool) -> None:
    serial = serial_in(board.fram)
    facts = {
        "port": board.console or board.link,
        "console": board.console,
        "link": board.link,
        "drive": board.drive,
        "kind": board.kind,
        "serial": serial,
        "image": str(options.image or of_checkout().product("development", "uf2")) if board.kind == "rp2040" else None,
        "pump": options.pump,
    }
    print(json.dumps(facts) if as_json else _as_text(facts), flush=True)


def _as_text(facts: dict[str, Any]) -> str:
    identity = f"serial number {facts['serial']}" if facts["serial"] else "not provisioned"
    firmware = facts["image"] or "the firmware of this checkout"
    lines = [f"{facts['kind']} {identity if facts['pump'] else 'on a bare board'}, {firmware}"]
    if facts["link"]:
        lines.append(f"  link     {facts['link']}")
    if facts["console"]:
        lines.append(f"  console  {facts['console']}   (mpremote connect port:{facts['console']})")
    if facts["drive"]:
        lines.append(f"  drive    {facts['drive']}")
    if sys.stdin.isatty():
        lines.append("  type  press start 2.5 | press stop | door open | look | quit   (or Ctrl-C)")
    return "\n".join(lines)


@contextlib.contextmanager
def _errors_of(options: Options) -> Iterator[None]:
    """Errors of the image, flash, state and drive files as CisternaError."""
    try:
        yield
    except BlockingIOError:
        raise CisternaError(f"--flash held {options.flash or options.state}; another emulated board has it") from None
    except ValueError as error:
        raise CisternaError(f"--image held {options.image}; it is no .uf2 image ({error})") from None
    except OSError as error:
        held = options.flash or options.state or options.drive
        raise CisternaError(f"--flash held {held}; it cannot be used ({error.strerror or error})") from None
