"""What a board must be sent so that it runs the firmware of this checkout, and nothing besides.

On the board, `/deployed` holds modules under names made of what is in them (`units-1f2e3d4c5b6a.mpy`), and `/main.mpy`
says which of them the board runs. New modules lie beside the old ones until `/main.mpy` is replaced, in one step that
no power cut can halve: a board runs the old set or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cisterna.errors import DeployRefused
from cisterna.flash.firmware_set import digest, source_digest
from cisterna.image.frozen import FrozenFile

FOLDER = "/deployed"
MAIN = "/main.mpy"
NEW_MAIN = "/main.mpy.new"
_BLOCK = 4096
_SPARE = 4 * _BLOCK  # for the folder
_SHOWN = 10  # digits that the pump's display has room for
_LOADER = Path(__file__).parent / "on_board" / "loader.py"
_FILLED_IN = 'OVER, BUILD, MODULES = "", "", {}\n'

Compile = Callable[[str, str], bytes]  # source, its name -> .mpy


@dataclass(frozen=True)
class Board:
    """What a board says of itself.

    sources  digest of each source that the image has frozen, by its module
    files    SHA-256 of what deploying has left there, by its path
    root     names in its file system; None: it has none
    """

    machine: str
    mpy: int
    build: str
    sources: Mapping[str, str]
    root: Sequence[str] | None
    files: Mapping[str, str] = field(default_factory=dict)
    free: int = 0

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Board:
        """DeployRefused if it does not run a development image that can be deployed to."""
        machine = said["machine"]
        if "build" not in said:
            raise DeployRefused(
                f"the board runs no Cisterna image, it says it is '{machine}'; "
                "flash the development image of this checkout (`make image`)"
            )
        if said["variant"] != "development":
            raise DeployRefused(
                f"the board runs build {said['build']}, a {said['variant']} image; "
                "only a development image takes deployed modules"
            )
        if not said.get("sources"):
            raise DeployRefused(
                f"the board's image, build {said['build']}, does not say which sources it was made from; "
                "flash one that does (`make image`)"
            )
        return cls(
            machine=machine,
            mpy=said["mpy"],
            build=said["build"],
            sources=dict(said["sources"]),
            root=said.get("root"),
            files={path: digest for path, digest in said.get("files", {}).items() if digest},
            free=said.get("free", 0),
        )


@dataclass(frozen=True)
class Plan:
    """In this order: send, clear, switch, and drop.

    build    what the board calls itself afterwards
    modules  those that differ from the image
    gone     modules that the image has and the firmware no longer
    send     files, by their path
    clear    what would hide the modules of the image or the deployed ones
    switch   `/main.mpy` changes: to what was sent last, or, where nothing differs from the image, to nothing
    drop     deployed files that nothing needs any more
    """

    build: str
    modules: Sequence[str]
    gone: Sequence[str]
    send: Mapping[str, bytes]
    clear: Sequence[str]
    switch: bool
    drop: Sequence[str]

    @property
    def nothing(self) -> bool:
        return not (self.send or self.clear or self.switch or self.drop)

    @property
    def bytes(self) -> int:
        return sum(map(len, self.send.values()))


def make(firmware: Sequence[FrozenFile], board: Board, compile_: Compile, everything: bool = False) -> Plan:
    """`everything`: sends also what the board already has. DeployRefused where there is no room."""
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
        build = f"{digest(repr(sorted(names.items())).encode())[:_SHOWN]} over {board.build}"
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
        clear=_in_the_way(firmware, root),
        switch=switch,
        drop=sorted(ours - set(wanted) - set(send)),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _loader(over: str, build: str, names: Mapping[str, str | None]) -> str:
    text = _LOADER.read_text(encoding="utf-8")
    assert text.count(_FILLED_IN) == 1
    return text.replace(_FILLED_IN, f"OVER, BUILD, MODULES = {over!r}, {build!r}, {dict(sorted(names.items()))!r}\n")


def _in_the_way(firmware: Sequence[FrozenFile], root: Sequence[str]) -> list[str]:
    """Files and folders that an import would find first: copied there by hand."""
    tops = {file.name.partition(".")[0] for file in firmware}
    hiding = {top + ending for top in tops for ending in ("", ".py", ".mpy")} - {MAIN[1:]}
    return sorted("/" + name for name in root if name in hiding)


def _check_room(send: Mapping[str, bytes], board: Board, changed: int) -> None:
    new = {path: data for path, data in send.items() if path not in board.files}
    needed = sum(-(-len(data) // _BLOCK) * _BLOCK for data in new.values()) + (_SPARE if new else 0)
    if needed > board.free:
        raise DeployRefused(
            f"{changed} modules differ from the board's image, build {board.build}: what is new takes {needed // 1024} "
            f"KiB and {board.free // 1024} KiB are free; flash an image of this checkout (`make image`), "
            "or begin with an empty file system (--format)"
        )
