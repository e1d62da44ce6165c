"""Time for a change of the firmware to reach a board: `cisterna deploy`, and `mpremote cp -r` for comparison.

Each runs on an emulated board of its own, one after the other, timed from start to end of the command. mpremote copies
the same modules, compiled, to a file system that holds all of them; that of a development board is too small. Filling
it takes a minute or two and is not counted.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cisterna.flash.compiler import Compiler
from cisterna.image import firmware_set
from cisterna.image.places import Places
from figure_table import Figure, show
from rich.console import Console

sys.path.append(str(Path(__file__).resolve().parents[1]))
from support.chip import deploy_bench, images  # noqa: E402

PAIRS = 5
WIDTH = 150
SETTLE_S = 2  # a board that was reset starts meanwhile
RP2040_MPY = 0x1306
MOUNT = """import rp2, vfs
flash = rp2.Flash(start=0x40000, len=0x100000)
if {new}: vfs.VfsLfs2.mkfs(flash, progsize=256)
vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/peer")"""


class Ours:
    def __init__(self, image: Path, folder: Path):
        self.firmware = deploy_bench.firmware_copy(folder)
        self.board = deploy_bench.EmulatedBoard(image, folder / "ours", "--bare")
        deploy_bench.deploy(self.board, self.firmware, "--format")

    def change(self, value: int) -> None:
        deploy_bench.mark(self.firmware, value)

    def send(self) -> None:
        deploy_bench.deploy(self.board, self.firmware)


class Theirs:
    """The board stays at its prompt: there is no pump whose records would get into the peer's file system."""

    def __init__(self, image: Path, folder: Path):
        self.firmware = deploy_bench.firmware_copy(folder)
        self.tree = folder / "tree"
        self.board = deploy_bench.EmulatedBoard(image, folder / "theirs", "--bare")
        self._compiler = Compiler(RP2040_MPY)
        places = Places(self.firmware, folder / "build", folder / "fetched")
        self._files = {file.name: file for file in firmware_set.sources(places)}
        for name in self._files:
            self._compile(name)
        self.send(new=True)

    def _compile(self, name: str) -> None:
        source = self._files[name].path
        inside = name.replace(".", "/") + ("/__init__" if source.name == "__init__.py" else "")
        made = self.tree / f"{inside}.mpy"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(self._compiler.compile(source.read_text(), f"{inside}.py"))

    def change(self, value: int) -> None:
        deploy_bench.mark(self.firmware, value)
        self._compile("pump.base.units")

    def send(self, new: bool = False) -> None:
        copy = ["cp", "-r", *map(str, sorted(self.tree.iterdir()))]
        command = [sys.executable, "-m", "mpremote", "connect", f"port:{self.board.port}"]
        subprocess.run([*command, "exec", MOUNT.format(new=new), *copy, ":/peer/"], check=True, capture_output=True)


def figures(image: Path, folder: Path) -> list[Figure]:
    (folder / "one").mkdir()
    (folder / "other").mkdir()
    ours, theirs = Ours(image, folder / "one"), Theirs(image, folder / "other")
    seconds: dict[str, list[float]] = {}
    for value in range(PAIRS):
        for what in ("changed", "same"):
            for name, way in (("ours", ours), ("theirs", theirs)):
                if what == "changed":
                    way.change(value)
                time.sleep(SETTLE_S)
                began_s = time.monotonic()
                way.send()
                seconds.setdefault(f"{what} {name}", []).append(time.monotonic() - began_s)
    ours.board.end()
    theirs.board.end()
    middle = {key: statistics.median(values) for key, values in seconds.items()}
    ratio = middle["changed ours"] / middle["changed theirs"]
    return [
        Figure(
            "one module changed", _told(seconds["changed ours"], f", {ratio:.2f} of mpremote"),
            "<= 0.33 of mpremote", ratio <= 1 / 3, f"mpremote cp -r: {_told(seconds['changed theirs'])}",
            "look at what the board is sent besides the module", {"ratio": ratio, **middle},
        ),
        Figure(
            "nothing changed", _told(seconds["same ours"]), "<= 1 s", middle["same ours"] <= 1,
            f"mpremote cp -r: {_told(seconds['same theirs'])}", "time the steps of cisterna.flash.deploy",
        ),
    ]  # fmt: skip


def _told(seconds: list[float], more: str = "") -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}-{max(seconds):.2f}){more}"


def main() -> int:
    deploy_bench.require_tools()
    image = images.find("development")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with console.status("deploying"), tempfile.TemporaryDirectory() as folder:
        found = figures(image, Path(folder))
    show(f"Deploying to an emulated board, {PAIRS} pairs, from the start of the program to its end", found, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
