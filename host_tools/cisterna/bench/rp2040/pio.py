"""A PIO block that is computed on demand, exact to the cycle.

The emulator steps a state machine once per CPU instruction, and drops cycles when the idle CPU jumps to its next alarm.
Here each machine runs ahead to its next instruction with an effect outside it (a pin, a FIFO, a flag) and waits there
for the clock; countdown loops are skipped. An access in between sets the machine back and runs it up to that instant.
"""

from __future__ import annotations

from typing import Any

from rp2040py.peripherals.pio import RPPIO

NEVER = 1 << 62
_CYCLE_NS = 8  # system clock of 125 MHz
_FP = 256  # the block counts cycles in units of 1/256
_JMP, _WAIT, _IN, _OUT, _PUSH_PULL, _MOV, _IRQ, _SET = range(8)
_REGISTERS = (
    "x", "y", "pc", "input_shift_reg", "input_shift_count", "output_shift_reg", "output_shift_count", "cycles",
    "exec_opcode", "exec_valid", "next_due_fp",
)  # fmt: skip


def visible(opcode: int) -> bool:
    """True if an instruction changes, reads or waits for something outside its own scratch registers."""
    kind = opcode >> 13
    if kind == _JMP:
        return opcode >> 5 & 7 == 6  # on a pin
    if kind == _SET:
        return opcode >> 5 & 7 in (0, 4)  # pins, pindirs
    if kind == _OUT:
        return opcode >> 5 & 7 in (0, 4, 7)  # pins, pindirs, exec
    if kind == _MOV:
        return opcode >> 5 & 7 in (0, 4) or opcode & 7 in (0, 5)  # to pins or exec, from pins or status
    if kind == _IN:
        return opcode >> 5 & 7 in (0, 5)
    return True  # wait, push, pull, irq


def counts_down(opcode: int, pc: int) -> str:
    """ "x" or "y" if the instruction is a loop of itself that counts this register down, else ""."""
    if opcode >> 13 == _JMP and opcode & 0x1F == pc:
        return {2: "x", 4: "y"}.get(opcode >> 5 & 7, "")
    return ""


class LazyPio(RPPIO):
    """Replaces one of the chip's PIO blocks. `backlog_drops` stays 0: no cycle is dropped."""

    def __init__(self, rp2040: Any, name: str, first_irq: int, index: int):
        self._clock = rp2040.clock
        self._alarm = rp2040.clock.create_alarm(self._due)
        self._base_ns = rp2040.clock.nanos
        self._saved: dict[int, tuple[Any, ...]] = {}  # machine -> its registers before it ran ahead
        self._busy = False

    # -- registers

    def read_uint32(self, offset: int) -> int:
        self._catch_up()
        value = super().read_uint32(offset)
        self._schedule()
        return value

    def write_uint32(self, offset: int, value: int) -> None:
        self._catch_up()
        stalled = [(machine, machine.next_due_fp) for machine in self.machines if machine.waiting]
        super().write_uint32(offset, value)
        for machine, stalled_fp in stalled:
            if not machine.waiting:  # it continues at the next pulse of its divider (data sheet 3.5.5)
                machine.next_due_fp += (stalled_fp - machine.next_due_fp) % machine.div_fp
        self.stopped = True  # the emulator's CPU loop must not step it
        self.check_changed_pins()
        self._schedule()

    def reset(self) -> None:
        super().reset()
        self._saved.clear()
        self._alarm.cancel()
        self._base_ns = self._clock.nanos

    # -- time

    def _now_fp(self) -> int:
        return int((self._clock.nanos - self._base_ns) * (_FP / _CYCLE_NS))

    def _due(self) -> None:
        self._catch_up()
        self._schedule()

    def _catch_up(self) -> None:
        """Bring every machine to the current time."""
        now_fp = self._now_fp()
        if self._busy:  # called from within: a machine moved a pin, whose listener accessed the block
            return
        self._busy = True
        for machine in self.machines:
            saved = self._saved.pop(machine.index, None)
            if saved is not None and machine.next_due_fp > now_fp:
                for name, value in zip(_REGISTERS, saved, strict=True):
                    setattr(machine, name, value)
        while True:
            first = None
            for machine in self.machines:
                if machine.enabled and not machine.waiting and machine.next_due_fp <= now_fp:  # noqa: SIM102
                    if first is None or machine.next_due_fp < first.next_due_fp:
                        first = machine
            if first is None:
                break
            self.cycle_fp = first.next_due_fp
            self._step(first, now_fp)
        self.cycle_fp = now_fp
        self._busy = False

    def _step(self, machine: Any, until_fp: int) -> None:
        """One instruction, or as many iterations of a one-instruction loop as end by `until_fp`."""
        opcode = self.instructions[machine.pc]
        register = counts_down(opcode, machine.pc)
        if register:
            each_fp = (1 + self._delay(machine, opcode)) * machine.div_fp
            left = getattr(machine, register)
            turns = min(left, (until_fp - machine.next_due_fp) // each_fp)
            if turns > 0:
                setattr(machine, register, left - turns)
                machine.next_due_fp += turns * each_fp
                return
        machine.step()
        self.check_changed_pins()

    def _delay(self, machine: Any, opcode: int) -> int:
        return opcode >> 8 & 0x1F & ((1 << (5 - machine.sideset_count)) - 1)

    def _schedule(self) -> None:
        """Run all machines ahead to their next visible instruction; schedule the alarm for the first of them."""
        if self._busy:
            return
        due_fp = NEVER
        for machine in self.machines:
            if machine.enabled and not machine.waiting:
                self._run_ahead(machine)
                due_fp = min(due_fp, machine.next_due_fp)
        if due_fp == NEVER:
            self._alarm.cancel()
        else:
            at_ns = self._base_ns + due_fp * _CYCLE_NS / _FP
            self._alarm.schedule(max(0.0, at_ns - self._clock.nanos))

    def _run_ahead(self, machine: Any) -> None:
        instructions = self.instructions
        if machine.exec_valid or machine.sideset_count or visible(instructions[machine.pc]):
            return
        self._saved.setdefault(machine.index, tuple(getattr(machine, name) for name in _REGISTERS))
        for _ in range(100_000):  # limit for a program without a visible instruction; continued at the next call
            self._step(machine, NEVER)
            if machine.exec_valid or visible(instructions[machine.pc]):
                return
