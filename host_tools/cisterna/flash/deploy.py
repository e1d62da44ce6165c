"""Gets the firmware of this checkout to run on a board."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cisterna.errors import BoardSilent, CisternaError, DeployRefused
from cisterna.flash import plan as plans
from cisterna.flash import ports
from cisterna.flash.compiler import Compiler
from cisterna.flash.firmware_set import sources
from cisterna.flash.plan import Board, Plan
from cisterna.flash.repl import Gone, Repl
from cisterna.image.frozen import FrozenFile
from cisterna.image.places import Places

_PROGRAMS = Path(__file__).parent / "on_board"
_LINE = 1536  # bytes in a line of base64
_TRIES = 3
_COMES_BACK_S = 2.0

Progress = Callable[[float], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """port None: the only board there is"""

    port: str | None = None
    format: bool = False
    full: bool = False
    dry_run: bool = False
    restart: bool = True


@dataclass(frozen=True)
class Outcome:
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


def deploy(places: Places, options: Options, warn: Say, progress: Progress | None) -> Outcome:
    """`warn` hears what a person should know meanwhile. CisternaError if the board cannot be had or is wrong."""
    files = sources(places)
    repl = _take_over(options.port, warn)
    try:
        plan, board = _work(repl, files, options, progress)
        if options.restart:
            repl.reset()
        return Outcome(repl.port, board, plan, options.restart)
    except BoardSilent:
        raise
    except CisternaError:  # nothing was changed: what ran goes on
        if options.restart:
            repl.reset()
        raise
    except Gone:
        raise BoardSilent(
            f"{repl.port}: the board went away; it runs what it ran before, or all of the new; deploy again"
        ) from None
    finally:
        repl.close()


def _take_over(port: str | None, warn: Say) -> Repl:
    """The board in its raw REPL, its own program ended. A board that comes and goes gets a few chances."""
    named = port is not None
    port = port or ports.only_board()
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_COMES_BACK_S)
        try:
            repl = Repl(port)
        except DeployRefused:
            if attempt:  # it was there before
                continue
            raise
        try:
            if not named and not repl.is_idle():
                raise DeployRefused(
                    f"{port}: a program runs on the board; deploying ends it, and with it whatever a pump is giving; "
                    f"to do so, name the board: --port {port}"
                )
            if repl.take_over():
                warn(f"{port}: the program that ran on the board was ended; a pump has let its motor go")
            return repl
        except Gone:
            repl.close()
        except BaseException:
            repl.close()
            raise
    raise BoardSilent(f"{port}: the board comes and goes: it is reset again and again, or the cable is loose")


def _work(repl: Repl, files: list[FrozenFile], options: Options, progress: Progress | None) -> tuple[Plan, Board]:
    if options.format and not options.dry_run:
        repl.run(_program("make_file_system"))
        repl.take_over()
    board = Board.read(json.loads(repl.run(_program("report"))))
    if board.root is None:
        raise DeployRefused(f"{repl.port}: the board has no file system that can be read; make a new one with --format")
    plan = plans.make(files, board, Compiler(board.mpy).compile, options.full)
    if not (options.dry_run or plan.nothing):
        repl.run(_program("receive"))
        if plan.send:
            _send(repl, plan.send, progress)
        _switch(repl, plan)
    return plan, board


def _program(name: str) -> str:
    """What a board is told to do."""
    return (_PROGRAMS / f"{name}.py").read_text(encoding="utf-8")


def _send(repl: Repl, files: Mapping[str, bytes], progress: Progress | None) -> None:
    """Each file is read back by the board before the next one goes."""
    total, done = sum(map(len, files.values())) or 1, 0
    with repl.running("receive()"):
        for path, data in files.items():
            repl.tell(b"%s\n%d\n" % (path.encode(), len(data)))
            for start in range(0, len(data), _LINE):
                repl.tell(b64encode(data[start : start + _LINE]) + b"\n")
                done += len(data[start : start + _LINE])
                if progress:
                    progress(done / total)
            if repl.answer() != sha256(data).hexdigest():
                raise BoardSilent(f"{repl.port}: {path} reads back otherwise than it was sent; its flash may be worn")
        repl.tell(b".\n")


def _switch(repl: Repl, plan: Plan) -> None:
    steps = [f"remove({path!r})" for path in plan.clear]
    if plan.switch:
        new = plans.NEW_MAIN in plan.send
        steps.append(f"os.rename({plans.NEW_MAIN!r}, {plans.MAIN!r})" if new else f"os.remove({plans.MAIN!r})")
    steps += [f"remove({path!r})" for path in plan.drop]
    repl.run("\n".join(steps))
