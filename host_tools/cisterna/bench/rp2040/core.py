"""The fast core: `thumb.c`, compiled once for this computer; the emulator's own core executes what it does not."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from cisterna import paths

_SOURCE = Path(__file__).with_name("thumb.c")
_BUILD = paths.products() / "bench"
_CYCLE_NS = 8.0


class _State(ctypes.Structure):
    _fields_ = [
        ("r", ctypes.c_void_p),
        ("rom", ctypes.c_void_p),
        ("flash", ctypes.c_void_p),
        ("sram", ctypes.c_void_p),
        ("n", ctypes.c_uint32),
        ("z", ctypes.c_uint32),
        ("c", ctypes.c_uint32),
        ("v", ctypes.c_uint32),
        ("spin_locks", ctypes.c_uint32),
        ("dividend", ctypes.c_uint32),
        ("divisor", ctypes.c_uint32),
        ("quotient", ctypes.c_uint32),
        ("remainder", ctypes.c_uint32),
        ("csr", ctypes.c_uint32),
        ("cycles", ctypes.c_uint64),
    ]


def library() -> Any | None:
    """The compiled core; None without a C compiler (the emulator's core then runs alone, many times slower)."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    name = hashlib.sha256(_SOURCE.read_bytes() + compiler.encode()).hexdigest()[:16]
    path = _BUILD / f"thumb-{name}.so"
    if not path.is_file():
        _BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_BUILD) as folder:
            made = Path(folder) / "thumb.so"
            command = [compiler, "-O2", "-shared", "-fPIC", "-fno-strict-aliasing", "-o", str(made), str(_SOURCE)]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return None
            os.replace(made, path)  # atomic: concurrent processes never load a partial file
    compiled = ctypes.CDLL(str(path))
    compiled.thumb_run.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    compiled.thumb_run.restype = ctypes.c_uint64
    compiled.sio_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
    compiled.sio_write.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    return compiled


class FastCore:
    """Runs the chip's program: runs of plain instructions in C, each other instruction in the emulator's core."""

    def __init__(self, mcu: Any, compiled: Any):
        self._run = compiled.thumb_run
        self._core = core = mcu.core
        self._clock = mcu.clock
        self._views = [
            (ctypes.c_ubyte * size).from_buffer(memory)
            for memory, size in (
                (memoryview(core.registers), 64),
                (mcu.bootrom, 0x4000),
                (mcu.flash, 16 << 20),
                (mcu.sram, 264 << 10),
            )
        ]
        self._state = _State(*(ctypes.addressof(view) for view in self._views))
        self._state.divisor = 1
        self._address = ctypes.addressof(self._state)
        self._share(mcu.sio, compiled)

    def _share(self, sio: Any, compiled: Any) -> None:
        """Give both cores one state of divider and spin locks: an interrupt may switch the core at any access."""
        read, write = sio.read_uint32, sio.write_uint32
        value = ctypes.c_uint32()

        def read_shared(offset: int) -> int:
            return value.value if compiled.sio_read(self._address, offset, ctypes.byref(value)) else read(offset)

        def write_shared(offset: int, word: int) -> None:
            if not compiled.sio_write(self._address, offset, word):
                write(offset, word)

        sio.read_uint32, sio.write_uint32 = read_shared, write_shared

    def reset(self) -> None:
        """SIO as after a reset of the chip."""
        self._state.spin_locks = 0

    def run_to_event(self) -> None:
        """Run to the next alarm of the clock, or through the next instruction that `thumb.c` does not execute."""
        core, clock = self._core, self._clock
        if not core.interrupts_updated:
            state = self._state
            state.n, state.z, state.c, state.v = core.n, core.z, core.c, core.v
            budget = int(clock.nanos_to_next_alarm / _CYCLE_NS) + 1
            used = self._run(self._address, budget)
            if used:
                core.n, core.z, core.c, core.v = state.n, state.z, state.c, state.v
                core.cycles += used
                clock.tick(used * _CYCLE_NS)
                if used >= budget:
                    return
        clock.tick(core.execute_instruction() * _CYCLE_NS)
