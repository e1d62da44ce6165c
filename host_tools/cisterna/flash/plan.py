"""Plans a deployment: the files to send to a board, and the files to remove, so that it runs this checkout's firmware.

On the board, `/deployed` holds modules under the digest of their contents (`units-1f2e3d4c5b6a.mpy`), and `/main.mpy`
names the modules that the board runs. New modules lie beside the old ones until `/main.mpy` is replaced in one atomic
step: the board runs the old set or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cisterna.errors import DeployRefused
from cisterna.image.firmware_set import digest, source_digest
from cisterna.image.frozen import FrozenFile

FOLDER = "/deployed"
MAIN = "/main.mpy"
NEW_MAIN = "/main.mpy.new"
_BLOCK = 4096  # bytes of a block of the board's file system
_SPARE = 4 * _BLOCK  # for the folder
_DISPLAYED_DIGITS = 10  # the room on the pump's display
_LOADER = Path(__file__).parent / "on_board" / "loader.py"
_PLACEHOLDER = 'OVER, BUILD, MODULES = "", "", {}\n'

Compile = Callable[[str, str], bytes]  # source, path for tracebacks -> .mpy


@dataclass(frozen=True)
class Board:
    """A board as its report (`on_board/report.py`) describes it.

    mpy      `sys.implementation._mpy`
    sources  digest of each source frozen in the image, by module
    root     names in the root folder; None: no file system
    files    SHA-256 of the files of earlier deployments, by path
    free     bytes free in the file system
    """

    machine: str
    mpy: int
    build: str
    sources: Mapping[str, str]
    root: Sequence[str] | None
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    free: int = 0

    @classmethod
    def read(cls, report: Mapping[str, Any]) -> Board:
        """The board of a report. Raises DeployRefused unless it runs a development image that lists its sources."""
        machine = report["machine"]
        if "build" not in report:
            raise DeployRefused(
                f"the board runs no Cisterna image, it says it is '{machine}'; "
                "flash the development image of this checkout (`make image`)"
            )
        if report["variant"] != "development":
            raise DeployRefused(
                f"the board runs build {report['build']}, a {report['variant']} image; "
                "only a development image takes deployed modules"
            )
        if not report.get("sources"):
            raise DeployRefused(
                f"the board's image, build {report['build']}, does not say which sources it was made from; "
                "flash one that does (`make image`)"
            )
        return cls(
            machine=machine,
            mpy=report["mpy"],
            build=report["build"],
            sources=dict(report["sources"]),
            root=report.get("root"),
            files={path: digest for path, digest in report.get("files", {}).items() if digest},
            free=report.get("free", 0),
        )


@dataclass(frozen=True)
class Plan:
    """The steps of a deployment, in this order: send, clear, switch, drop.

    build    name of the board's build afterwards
    modules  modules that differ from the image
    gone     modules of the image that the firmware no longer has
    send     contents of the files to send, by path; a new `/main.mpy` comes last, as NEW_MAIN
    clear    files and folders to remove because they hide modules
    switch   replace `/main.mpy` by NEW_MAIN, or remove it if nothing differs from the image
    drop     deployed files to remove because they are no longer needed
    """

    build: str
    modules: Sequence[str]
    gone: Sequence[str]
    send: Mapping[str, bytes]
    clear: Sequence[str]
    switch: bool
    drop: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not (self.send or self.clear or self.switch or self.drop)

    @property
    def bytes(self) -> int:
        return sum(map(len, self.send.values()))


def make(firmware: Sequence[FrozenFile], board: Board, compile_: Compile, everything: bool = False) -> Plan:
    """Plan the deployment of `firmware` to `board`.

    everything  send also the files that the board already has
    Raises DeployRefused if the file system has too little room, and what `compile_` raises.
    """
    changed = [file for file in firmware if board.sources.get(file.name) != source_digest(file)]
    gone = sorted(set(board.sources) - {file.name for file in firmware})
    names: dict[str, str | None] = dict.fromkeys(gone)
    wanted: dict[str, bytes] = {}
    for file in changed:
        data = compile_(file.path.read_text(encoding="utf-8"), f"{file.name.replace('.', '/')}.py")
        name = f"{file.name.rpartition('.')[2]}-{digest(data)}"
        names[file.name] = name
        wanted[f"{FOLDER}/{name}.mpy"] = data
    build, loader = board.build, b""
    if names:
        build = f"{digest(repr(sorted(names.items())).encode())[:_DISPLAYED_DIGITS]} over {board.build}"
        loader = compile_(_loader(board.build, build, names), "main.py")
    send = {path: data for path, data in wanted.items() if everything or board.files.get(path) != _sha256(data)}
    root = board.root or ()
    switch = board.files.get(MAIN) != (_sha256(loader) if loader else None)
    if switch and loader:
        send[NEW_MAIN] = loader
    _check_room(send, board, len(changed))
    ours = {*board.files, *(NEW_MAIN for name in root if name == NEW_MAIN[1:])} - {MAIN}
    return Plan(
        build=build,
        modules=[file.name for file in changed],
        gone=gone,
        send=send,
        clear=_hiding(firmware, root),
        switch=switch,
        drop=sorted(ours - set(wanted) - set(send)),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _loader(over: str, build: str, names: Mapping[str, str | None]) -> str:
    text = _LOADER.read_text(encoding="utf-8")
    assert text.count(_PLACEHOLDER) == 1
    return text.replace(_PLACEHOLDER, f"OVER, BUILD, MODULES = {over!r}, {build!r}, {dict(sorted(names.items()))!r}\n")


def _hiding(firmware: Sequence[FrozenFile], root: Sequence[str]) -> list[str]:
    """Files and folders, copied by hand, that an import would find before the firmware's modules."""
    packages = {file.name.partition(".")[0] for file in firmware}
    names = {package + ending for package in packages for ending in ("", ".py", ".mpy")} - {MAIN[1:]}
    return sorted("/" + name for name in root if name in names)


def _check_room(send: Mapping[str, bytes], board: Board, changed: int) -> None:
    """Raise DeployRefused if the new files do not fit. changed: the number of modules that differ."""
    new = {path: data for path, data in send.items() if path not in board.files}
    needed = sum(-(-len(data) // _BLOCK) * _BLOCK for data in new.values()) + (_SPARE if new else 0)
    if needed > board.free:
        raise DeployRefused(
            f"{changed} modules differ from the board's image, build {board.build}: new files take {needed // 1024} "
            f"KiB and {board.free // 1024} KiB are free; flash an image of this checkout (`make image`), "
            "or begin with an empty file system (--format)"
        )
