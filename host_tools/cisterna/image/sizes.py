"""Measures the sections of an image and checks them against their budgets."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.image.tools import COMPILER

KIB = 1024
# Section -> bytes. The C stack fills its own RAM bank; the RAM that is left is Python's heap.
BUDGETS = {
    ".boot2": 256,
    ".text": 256 * KIB,
    ".rodata": 256 * KIB,
    ".binary_info": 1 * KIB,
    ".ram_vector_table": 256,
    ".data": 24 * KIB,
    ".bss": 12 * KIB,
    ".heap": 4 * KIB,
    ".stack_dummy": 8 * KIB,
}
MIN_HEAP = 208 * KIB
_FLASH_START = 0x10000000


class TooLarge(CisternaError):
    """A section, the image or the heap is outside its budget."""

    exit_status = 1


@dataclass(frozen=True)
class Sizes:
    """`sections`: name -> bytes, in the ELF's order; `flash`: bytes used; `heap`: bytes of Python's heap."""

    sections: dict[str, int]
    flash: int
    heap: int


def measure(elf: Path) -> Sizes:
    """Measure an ELF file with the tools of the compiler."""
    sections = {}
    for line in _output_of("size", "-A", elf).splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1].isdigit() and int(parts[1]) and int(parts[2]):
            sections[parts[0]] = int(parts[1])
    symbols = {}
    for line in _output_of("nm", elf).splitlines():
        address, _, name = line.rpartition(" ")
        symbols[name] = address.split()[0] if address.strip() else ""
    address_of = {name: int(symbols[name], 16) for name in ("__flash_binary_end", "__GcHeapStart", "__GcHeapEnd")}
    heap = address_of["__GcHeapEnd"] - address_of["__GcHeapStart"]
    return Sizes(sections, address_of["__flash_binary_end"] - _FLASH_START, heap)


def check(sizes: Sizes, variant: str, flash_budget: int) -> None:
    """Raise TooLarge with one line for each section over its budget or without one; also for image and heap."""
    problems = [
        f"{variant}: {name} has {size} bytes; allowed: {BUDGETS.get(name, 0)} (BUDGETS in sizes.py)"
        for name, size in sizes.sections.items()
        if size > BUDGETS.get(name, 0)
    ]
    if sizes.flash > flash_budget:
        problems.append(f"{variant}: the image has {sizes.flash} bytes; allowed: {flash_budget} (mpconfigboard.h)")
    if sizes.heap < MIN_HEAP:
        problems.append(f"{variant}: Python's heap has {sizes.heap} bytes; allowed: {MIN_HEAP} or more")
    if problems:
        raise TooLarge("\n".join(problems))


def _output_of(tool: str, *arguments: str | Path) -> str:
    command = [COMPILER.replace("gcc", tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
