"""Deploys this checkout's firmware to a board with a development image: sends the modules that differ."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cisterna.errors import BoardFailed, CisternaError, DeployRefused
from cisterna.flash import plan as plans
from cisterna.flash import ports
from cisterna.flash.compiler import Compiler
from cisterna.flash.plan import Board, Plan
from cisterna.flash.repl import PortGone, Repl
from cisterna.image.firmware_set import sources
from cisterna.image.frozen import FrozenFile
from cisterna.image.places import Places

_PROGRAMS = Path(__file__).parent / "on_board"
_LINE = 1536  # bytes of a file in one line of base64
_TRIES = 3  # to open a board that is being reset
_RETRY_S = 2.0

Progress = Callable[[float], None]  # called with the share sent, 0 to 1
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """The options of `cisterna deploy`.

    port     None: the only board on this computer
    format   make a new file system first; all files are lost
    full     send also the files that the board already has
    dry_run  change nothing
    restart  reset the board at the end
    """

    port: str | None = None
    format: bool = False
    full: bool = False
    dry_run: bool = False
    restart: bool = True


@dataclass(frozen=True)
class Outcome:
    """The result of one deployment."""

    port: str
    board: Board
    plan: Plan
    restarted: bool

    def summary(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "port": self.port,
            "over": self.board.build,
            "build": plan.build,
            "modules": [*plan.modules],
            "gone": [*plan.gone],
            "sent": [*plan.send],
            "bytes": plan.bytes,
            "removed": [*plan.clear, *plan.drop],
            "restarted": self.restarted,
        }


def deploy(places: Places, options: Options, warn: Warn, progress: Progress | None) -> Outcome:
    """Make the board run this checkout's firmware. warn: called with messages for the person at the terminal.

    Raises DeployRefused (the board is unchanged), BoardFailed (the board failed half way), InstallError, or
    CisternaError of the compiler.
    """
    files = sources(places)
    repl = _open_repl(options.port, warn)
    try:
        board, plan = _update(repl, files, options, progress)
        if options.restart:
            repl.reset()
        return Outcome(repl.port, board, plan, options.restart)
    except BoardFailed:
        raise
    except CisternaError:  # nothing was changed; the program that ran starts again
        if options.restart:
            repl.reset()
        raise
    except PortGone:
        raise BoardFailed(
            f"{repl.port}: the board went away; it runs the old set of modules or the whole new one; deploy again"
        ) from None
    finally:
        repl.close()


def _open_repl(port: str | None, warn: Warn) -> Repl:
    """The board in its raw REPL; its program is ended. Tries _TRIES times if the port vanishes."""
    named = port is not None
    port = port or ports.only_board()
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_RETRY_S)
        try:
            repl = Repl(port)
        except DeployRefused:
            if attempt:  # the port existed at the first attempt
                continue
            raise
        try:
            if not named and not repl.is_idle():
                raise DeployRefused(
                    f"{port}: a program runs on the board; deploying ends it, and with it whatever a pump is giving; "
                    f"to do so, name the board: --port {port}"
                )
            if repl.take_over():
                warn(f"{port}: the program that ran on the board was ended; the motor of a pump is now unpowered")
            return repl
        except PortGone:
            repl.close()
        except BaseException:
            repl.close()
            raise
    raise BoardFailed(f"{port}: the board comes and goes: it is reset again and again, or the cable is loose")


def _update(repl: Repl, files: list[FrozenFile], options: Options, progress: Progress | None) -> tuple[Board, Plan]:
    """Read what the board has, plan what to send, and send it unless `options.dry_run`."""
    if options.format and not options.dry_run:
        repl.run(_program("make_file_system"))
        repl.take_over()
    board = Board.read(json.loads(repl.run(_program("report"))))
    if board.root is None:
        raise DeployRefused(f"{repl.port}: the board has no file system that can be read; make a new one with --format")
    plan = plans.make(files, board, Compiler(board.mpy).compile, options.full)
    if not (options.dry_run or plan.is_empty):
        repl.run(_program("receive"))
        if plan.send:
            _send(repl, plan.send, progress)
        _switch(repl, plan)
    return board, plan


def _program(name: str) -> str:
    """The source of one of the programs in `on_board/`."""
    return (_PROGRAMS / f"{name}.py").read_text(encoding="utf-8")


def _send(repl: Repl, files: Mapping[str, bytes], progress: Progress | None) -> None:
    """Send the files; the board reads each one back before the next is sent. Raises BoardFailed if one differs."""
    total, done = sum(map(len, files.values())) or 1, 0
    with repl.running("receive()"):
        for path, data in files.items():
            repl.send(b"%s\n%d\n" % (path.encode(), len(data)))
            for start in range(0, len(data), _LINE):
                repl.send(b64encode(data[start : start + _LINE]) + b"\n")
                done += len(data[start : start + _LINE])
                if progress:
                    progress(done / total)
            if repl.read_line() != sha256(data).hexdigest():
                raise BoardFailed(f"{repl.port}: {path} reads back differently; the board's flash may be worn")
        repl.send(b".\n")


def _switch(repl: Repl, plan: Plan) -> None:
    """Remove what hides modules, replace `/main.mpy`, then remove files that are no longer needed."""
    steps = [f"remove({path!r})" for path in plan.clear]
    if plan.switch:
        new = plans.NEW_MAIN in plan.send
        steps.append(f"os.rename({plans.NEW_MAIN!r}, {plans.MAIN!r})" if new else f"os.remove({plans.MAIN!r})")
    steps += [f"remove({path!r})" for path in plan.drop]
    repl.run("\n".join(steps))
