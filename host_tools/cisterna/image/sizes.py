"""How large an image is, section by section, and what each may take."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cisterna.errors import CisternaError
from cisterna.image.tools import COMPILER

KIB = 1024
# Section -> bytes it may take. The C stack is all of its own RAM bank; what RAM is left is Python's heap.
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
LEAST_HEAP = 208 * KIB
_FLASH_START = 0x10000000


class TooLarge(CisternaError):
    """A section has outgrown its budget."""

    exit_status = 1


@dataclass(frozen=True)
class Sizes:
    """`sections`: name -> bytes, in the ELF's order; `flash`: bytes of flash used; `heap`: bytes Python's heap has."""

    sections: dict[str, int]
    flash: int
    heap: int


def measure(elf: Path) -> Sizes:
    """Reads an ELF with the compiler's own tools."""
    sections = {}
    for line in _told("size", "-A", elf).splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1].isdigit() and int(parts[1]) and int(parts[2]):
            sections[parts[0]] = int(parts[1])
    symbols = {}
    for line in _told("nm", elf).splitlines():
        address, _, name = line.rpartition(" ")
        symbols[name] = address.split()[0] if address.strip() else ""
    at = {name: int(symbols[name], 16) for name in ("__flash_binary_end", "__GcHeapStart", "__GcHeapEnd")}
    return Sizes(sections, at["__flash_binary_end"] - _FLASH_START, at["__GcHeapEnd"] - at["__GcHeapStart"])


def check(sizes: Sizes, variant: str, flash_budget: int) -> None:
    """TooLarge with every section over its budget, or without one."""
    problems = [
        f"{variant}: {name} has {size} bytes; allowed: {BUDGETS.get(name, 0)} (BUDGETS in sizes.py)"
        for name, size in sizes.sections.items()
        if size > BUDGETS.get(name, 0)
    ]
    if sizes.flash > flash_budget:
        problems.append(f"{variant}: the image has {sizes.flash} bytes; allowed: {flash_budget} (mpconfigboard.h)")
    if sizes.heap < LEAST_HEAP:
        problems.append(f"{variant}: Python's heap has {sizes.heap} bytes; allowed: {LEAST_HEAP} or more")
    if problems:
        raise TooLarge("\n".join(problems))


def _told(tool: str, *arguments: str | Path) -> str:
    command = [COMPILER.replace("gcc", tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
