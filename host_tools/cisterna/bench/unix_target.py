"""Target `unix`: firmware and world in one process of MicroPython, or of another engine, driven over a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cisterna import paths
from cisterna.bench import engines
from cisterna.bench.target import Target, TargetError

_MARK = b"\x02"
_CONSOLE_LINES = 200
_PAGES = 64  # most pages in one `restore` command


class UnixTarget(Target):
    """Target `unix`.

    firmware      folder of main.py; None: that of the checkout
    board         folder of the simulated `machine`, `rp2` and `time`; None: `unix` in `firmware`
    wall_limit_s  real seconds that one command may take before the process counts as hung
    engine        one of engines.NAMES; "": that of CISTERNA_ENGINE, or else MicroPython
    emit          how MicroPython compiles, "native" or "bytecode"; "": CISTERNA_EMIT, or else native

    "native" is several times faster: with bytecode, a function whose frame is larger than 11 words allocates it on the
    heap at each call, and each allocation scans the heap. Only "bytecode" gives tracebacks with line numbers.
    """

    name = "unix"

    def __init__(
        self,
        firmware: Path | None = None,
        board: Path | None = None,
        wall_limit_s: float = 3600,
        emit: str = "",
        engine: str = "",
    ):
        self.firmware = firmware or paths.firmware()
        self.board = board or self.firmware / "unix"
        self.wall_limit_s = wall_limit_s
        self.engine = engine or engines.default()
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
        heap_bytes = int(config.get("heap_bytes") or 0)
        command, environment = engines.command(self.engine, self.board, self.firmware, self.emit, heap_bytes)
        self._process = subprocess.Popen(
            command,
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

    # -- non-volatile state; see `world.nonvolatile`

    def keep(self) -> None:
        """Record pages of FRAM and flash that are written from now on. After `start`, before time advances."""
        self._ask("keep")

    def restore(self, pages: list, body: Mapping[str, Any] | None) -> None:
        """Restore the results of `changes`. Before time advances."""
        for first in range(0, len(pages), _PAGES):
            self._ask("restore", pages=pages[first : first + _PAGES], body=None)
        self._ask("restore", pages=[], body=body)

    def changes(self) -> tuple[list, dict[str, Any]]:
        """[region, page, hex] of the pages written since the last call, and the state of the mechanics."""
        pages, body = self._ask("changes")
        return pages, body

    def fram(self, address: int, length: int) -> bytes:
        """`length` bytes of the FRAM from `address`, read behind the firmware's back."""
        return bytes.fromhex(self._ask("fram", address=address, length=length))

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout  # pipes, see `start`
        with contextlib.suppress(OSError):
            process.stdin.close()  # the process ends at end of input
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
        assert process.stdin  # a pipe, see `start`
        try:
            process.stdin.write(json.dumps({"cmd": command, **keys}).encode() + b"\n")
        except BrokenPipeError:
            raise self._died(process, command) from None
        answer = json.loads(self._read_answer(process, command))
        if "error" in answer:
            raise (ValueError if answer["kind"] == "ValueError" else TargetError)(answer["error"])
        return answer["ok"]

    def _read_answer(self, process: subprocess.Popen[bytes], command: str) -> bytes:
        """The next marked line; unmarked lines go to `console`."""
        deadline = time.monotonic() + self.wall_limit_s
        stdout = process.stdout
        assert stdout  # a pipe, see `start`
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                if line.startswith(_MARK):
                    return line[1:]
                if line:
                    self.console.append(line.decode(errors="replace"))
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([stdout], [], [], left_s)[0]:
                process.kill()
                raise TargetError(f"{command}: no answer in {self.wall_limit_s:g} s of real time; the firmware hangs")
            data = os.read(stdout.fileno(), 65536)
            if not data:
                raise self._died(process, command)
            self._pending += data

    def _died(self, process: subprocess.Popen[bytes], command: str) -> TargetError:
        process.wait()
        console = "\n".join(self.console)
        return TargetError(f"{command}: the simulated board died (status {process.returncode}):\n{console}")
