"""Runs `unix_main` in PyPy or CPython: what MicroPython has and Python lacks is added here, and in the files beside.

    python start.py BOARD FIRMWARE BENCH

BOARD   folder of the simulated `machine`, `rp2`, `time` and `events`. FIRMWARE: folder of main.py. BENCH: of the world.

Where Python could part from MicroPython, and what keeps the two together:
    integers    both are exact at any size. What the RP2040 allocates past 2^30 shows on the emulated chip alone
    floats      of the world; double in both, by the same C library
    order       the keys of a JSON answer keep their order here and not in MicroPython; no length depends on it
    memory      the heap is not measured: `gc.mem_alloc` is a number of as many digits, so that answers are as long
"""

import gc
import importlib.util
import struct
import sys
import traceback
from types import ModuleType

_HEAP_BYTES = 900_000  # of MicroPython, 830 kB and more


def _print_exception(error, file=sys.stdout):
    traceback.print_exception(type(error), error, error.__traceback__, file=file)


def _replace_time(board: str) -> None:
    """`import time` gives the virtual time of the simulated board from now on."""
    spec = importlib.util.spec_from_file_location("time", board + "/time.py")
    assert spec and spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["time"] = module


def _take_buffers_in_struct() -> None:
    """PyPy packs only `bytes` as "s"; MicroPython and CPython take any buffer."""
    pack, pack_into = struct.pack, struct.pack_into

    def as_bytes(values):
        return [bytes(value) if isinstance(value, (bytearray, memoryview)) else value for value in values]

    struct.pack = lambda form, *values: pack(form, *as_bytes(values))
    struct.pack_into = lambda form, buffer, at, *values: pack_into(form, buffer, at, *as_bytes(values))


def main() -> None:
    board, firmware, bench = sys.argv[1:4]
    sys.path[:0] = [board, firmware, bench]
    gc.disable()  # reference cycles are few, and PyPy collects by itself
    gc.collect = lambda *_: 0
    gc.mem_alloc = gc.mem_free = lambda: _HEAP_BYTES  # type: ignore[attr-defined]
    sys.print_exception = _print_exception  # type: ignore[attr-defined]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _take_buffers_in_struct()
    _replace_time(board)
    import unix_main  # pyright: ignore[reportMissingImports]

    try:
        unix_main.Server().run()
    except unix_main.Quit:
        sys.exit()


if __name__ == "__main__":
    main()
