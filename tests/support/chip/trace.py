"""A pump on the emulated chip with a trace: pins, grants, flash erases, clocks, resets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.world.wiring import DIR, STEP
from rp2040py.gpio_pin import GPIOPinState

US = 1_000  # ns
MS = 1_000_000

_CTRL, _TXF0 = 0x00, 0x10  # PIO (RP2040 data sheet 3.7)
_PROGRAM, _ERASE = b"\x02", (b"\x20", b"\xd8")  # W25Q16JV data sheet, 8.1.2


@dataclass(frozen=True)
class Edge:
    ns: float
    pin: int
    level: int


@dataclass(frozen=True)
class Grant:
    """Three words for the step generator, at the moment of the last."""

    ns: float
    first_us: int
    period_us: int
    steps: int


@dataclass
class ChipTrace:
    """All times in ns.

    outputs, inputs  every change of a pin of the board; STEP and DIR as the chip drives them
    grants   motion granted
    gates    the step generator was stopped
    erases   (begin, end) of the erasing of a sector
    clocks   something was written to the block that divides and gates the clocks
    watchdog_resets    the watchdog reset the chip
    """

    outputs: list[Edge] = field(default_factory=list)
    inputs: list[Edge] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    gates: list[float] = field(default_factory=list)
    erases: list[tuple[float, float]] = field(default_factory=list)
    clocks: list[float] = field(default_factory=list)
    watchdog_resets: list[float] = field(default_factory=list)

    def rises(self, pin: int, since_ns: float = 0) -> list[float]:
        return [edge.ns for edge in self.outputs if edge.pin == pin and edge.level and edge.ns >= since_ns]

    def steps(self, since_ns: float = 0) -> list[float]:
        """When STEP rose."""
        return self.rises(STEP, since_ns)

    def level(self, pin: int, ns: float) -> int | None:
        """An output's level just before `ns`; None if it never changed before."""
        levels = [edge.level for edge in self.outputs if edge.pin == pin and edge.ns < ns]
        return levels[-1] if levels else None


class TracedTarget(Rp2040Target):
    """on_start               called when the pump is switched on
    on_erase, on_program   called as a sector begins to be erased, `data` to be programmed: interrupts are off
    truths                 (ms, truth) of every look at the world
    """

    def __init__(self, image: Path):
        super().__init__(image)
        self.trace = ChipTrace()
        self.on_start: Callable[[], object] = lambda: None
        self.on_erase: Callable[[], object] = lambda: None
        self.on_program: Callable[[bytes], object] = lambda data: None
        self.truths: list[tuple[int, dict[str, Any]]] = []
        self._words: list[int] = []

    def start(self, config: Mapping[str, Any]) -> None:
        super().start(config)
        for pin in (STEP, DIR):
            self.chip.mcu.gpio[pin].add_listener(self._listener(pin))
        self._watch_board()
        self._watch_step_generator()
        self._watch_flash()
        self._watch_clocks()
        self.on_start()

    def truth(self) -> dict[str, Any]:
        truth = super().truth()
        self.truths.append((self.now_ms, truth))
        return truth

    @property
    def now_ns(self) -> float:
        return self.chip.now_ns

    def _listener(self, pin: int) -> Callable[[GPIOPinState, GPIOPinState], None]:
        def moved(now: GPIOPinState, _before: GPIOPinState) -> None:
            self.trace.outputs.append(Edge(self.now_ns, pin, int(now == GPIOPinState.HIGH)))

        return moved

    def _watch_board(self) -> None:
        gpio, trace = self.world.gpio, self.trace
        drive, set_input = gpio.drive, gpio.set_input

        def watched_drive(pin: int, level: int) -> None:
            if gpio.levels[pin] != level and pin not in (STEP, DIR):
                trace.outputs.append(Edge(self.now_ns, pin, level))
            drive(pin, level)

        def watched_input(pin: int, level: int) -> None:
            if gpio.levels[pin] != level:
                trace.inputs.append(Edge(self.now_ns, pin, level))
            set_input(pin, level)

        gpio.drive, gpio.set_input = watched_drive, watched_input

    def _watch_step_generator(self) -> None:
        pio, machine, trace = self.chip.mcu.pio[0], self.chip.mcu.pio[0].machines[0], self.trace

        def hear(offset: int, value: int, write: Callable[[int, int], None]) -> None:
            was_enabled = machine.enabled
            write(offset, value)
            if offset == _TXF0:
                self._words.append(value)
                if len(self._words) == 3:
                    first, period, last = self._words
                    trace.grants.append(Grant(self.now_ns, first + 5000, period + 5000, last + 1))
                    self._words.clear()
            elif offset == _CTRL and was_enabled and not machine.enabled:
                trace.gates.append(self.now_ns)

        _wrap(pio, hear)

    def _watch_flash(self) -> None:
        flash, ssi, erases = self.chip.flash, self.chip.mcu.ssi, self.trace.erases
        command = ssi._apply_command

        def watched() -> None:
            code, data = bytes(ssi._tx_buffer[:1]), bytes(ssi._tx_buffer[4:])
            began_ns, erased = self.now_ns, flash.erases
            if code == _PROGRAM and ssi._write_enabled:
                self.on_program(data.strip(b"\xff"))
            elif code in _ERASE and ssi._write_enabled:
                self.on_erase()
            command()
            if flash.erases > erased:
                erases.append((began_ns, self.now_ns))

        ssi._apply_command = watched

    def _watch_clocks(self) -> None:
        def hear(offset: int, value: int, write: Callable[[int, int], None]) -> None:
            self.trace.clocks.append(self.now_ns)
            write(offset, value)

        _wrap(self.chip.mcu.clocks, hear)

    def _watchdog_reset(self) -> None:
        self.trace.watchdog_resets.append(self.now_ns)
        self._words.clear()
        super()._watchdog_reset()


def _wrap(peripheral: Any, hear: Callable[[int, int, Callable[[int, int], None]], None]) -> None:
    write = peripheral.write_uint32
    peripheral.write_uint32 = lambda offset, value: hear(offset, value, write)
