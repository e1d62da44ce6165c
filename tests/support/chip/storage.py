"""The log in flash and the FRAM, read from outside and filled as after years of service."""

from typing import Any

from cisterna.link.records import Chain, Record, layout
from pump.base.states import STOPPED
from pump.base.units import DAY_S
from pump.dosing.dose_history import BOLUSES, PCA
from pump.therapy_state import TherapyState

LOG_START, LOG_LENGTH = 0x10_0000, 0x10_0000  # in the flash (firmware/image/README.md)
SECTOR = 4096
IN_SECTOR = SECTOR // layout.RECORD_BYTES
_YEAR_S = 31_557_600


class LogFlash:
    """The log's region in `memory`, as the firmware's block device."""

    def __init__(self, memory: bytearray):
        self.memory = memory

    def ioctl(self, op: int, arg: int) -> int:
        if op == 6:
            at = LOG_START + arg * SECTOR
            self.memory[at : at + SECTOR] = b"\xff" * SECTOR
        return {4: LOG_LENGTH // SECTOR, 5: SECTOR}.get(op, 0)

    def readblocks(self, block: int, buf: bytearray, off: int) -> None:
        at = LOG_START + block * SECTOR + off
        buf[:] = self.memory[at : at + len(buf)]

    def writeblocks(self, block: int, buf: bytearray, off: int) -> None:
        at = LOG_START + block * SECTOR + off
        self.memory[at : at + len(buf)] = bytes(a & b for a, b in zip(self.memory[at:], buf, strict=False))


def log(memory: bytearray, first: int = 0) -> list[Record]:
    """The records in the flash, from number `first` on, each whole and chained to its predecessor."""
    chain = Chain(next_sequence=first)
    found = layout.RecordLog(LogFlash(memory)).read(first, 1 << 20)[1]
    chain.add(found)
    broken = [problem for problem in chain.problems if f"{first}:" not in problem]  # `first` has no known predecessor
    assert not broken, broken
    return chain.records


def fill_log(memory: bytearray) -> int:
    """Fill the log past one turn of its ring. Returns the number of the next record."""
    filled = layout.RecordLog(LogFlash(memory))
    for n in range(LOG_LENGTH // layout.RECORD_BYTES + IN_SECTOR // 2):
        filled.append(1, layout.KEY, n * 60, 0, 0, 0, (2, 200))
    return filled.next_sequence


class FramImage:
    """FRAM of `bytes`, as the firmware's driver has it."""

    def __init__(self) -> None:
        self.content = bytearray(0x8000)

    def write(self, address: int, data: bytes) -> None:
        self.content[address : address + len(data)] = data

    def read_into(self, address: int, buf: bytearray) -> None:
        buf[:] = self.content[address : address + len(buf)]


def fram_after_years() -> FramImage:
    """FRAM after ten years of service and a day with the most boluses."""
    memory = FramImage()
    therapy = TherapyState(None, memory, _NoLog())
    therapy.boot, therapy.state, therapy.motion.phase = 1000, STOPPED, STOPPED
    therapy.clock.s = 10 * _YEAR_S
    for k in range(BOLUSES):
        therapy.history.bolus_ended(therapy.clock.s - DAY_S + 60 * (k + 1), 0, PCA, 100_000)
    therapy.save_all()
    return memory


class _NoLog:
    next_sequence = 0

    def append(self, *_: Any) -> None:
        pass
