"""A PIO state machine, cycle by cycle: assembles an `@asm_pio` function and runs it (RP2040 data sheet, 3).

Only what the drivers' programs use is here; anything else raises.
"""

from collections import deque

_WORD = 0xFFFFFFFF

_OPERANDS = {"pins": 0, "x": 1, "y": 2, "null": 3, "isr": 6, "osr": 7}
_CONDITIONS = {"not_x": 1, "x_dec": 2, "not_y": 3, "y_dec": 4, "not_osre": 7}


class _Line:
    """What an instruction in the text returns: `instruction(...)[cycles]` sets its delay."""

    def __init__(self, code):
        self.code = code
        self.delay = 0

    def __getitem__(self, cycles):
        assert 0 <= cycles <= 31, "delay too large"
        self.delay = cycles
        return self


class Program:
    """`words`: encoded instructions. `options`: the arguments of asm_pio."""

    def __init__(self, function, options):
        self.name = function.__name__
        self.options = options
        self._labels = {}
        self._function = function
        self._assemble()  # finds the labels
        self.words = self._assemble()
        assert len(self.words) <= 32, "a PIO holds 32 instructions"

    def _assemble(self):
        lines = []
        self.wrap_target = 0
        self.wrap = None

        def emit(code):
            line = _Line(code)
            lines.append(line)
            return line

        def wrap_target():
            self.wrap_target = len(lines)

        def wrap():
            self.wrap = len(lines) - 1

        def jmp(condition, target=None):
            if target is None:
                condition, target = None, condition
            return emit(_CONDITIONS.get(condition, 0) << 5 | self._labels.get(target, 0))

        names = {
            "label": lambda name: self._labels.__setitem__(name, len(lines)),
            "wrap_target": wrap_target,
            "wrap": wrap,
            "jmp": jmp,
            "nop": lambda: emit(0xA042),
            "pull": lambda block: emit(0x8080 | block << 5),
            "block": 1,
            "noblock": 0,
            "out": lambda target, bits: emit(0x6000 | _OPERANDS[target] << 5 | bits & 31),
            "mov": lambda target, source: emit(
                0xA000 | _OPERANDS[target] << 5 | (source if isinstance(source, int) else _OPERANDS[source])
            ),
            "set": lambda target, value: emit(0xE000 | _OPERANDS[target] << 5 | value),
            "invert": lambda source: 0x08 | _OPERANDS[source],
        }
        names.update({word: word for word in (*_OPERANDS, *_CONDITIONS)})
        scope = self._function.__globals__
        before = dict(scope)
        scope.update(names)
        try:
            self._function()
        finally:
            scope.clear()
            scope.update(before)
        if self.wrap is None:
            self.wrap = len(lines) - 1
        return [line.code | line.delay << 8 for line in lines]


class Machine:
    """One state machine with its FIFOs. `pins`: levels its program drives; `cycle`: cycles run."""

    def __init__(self, program):
        self.program = program
        self.tx = deque()
        self.rx = deque()
        self.x = self.y = self.isr = self.osr = 0
        self.osr_count = 32
        self.pc = 0
        self.delay = 0
        self.pins = 0
        self.cycle = 0
        self._threshold = program.options.get("pull_thresh", 32)
        init = program.options.get("out_init", program.options.get("set_init"))
        self._out_pins = len(init) if isinstance(init, tuple) else 1

    def restart(self):
        self.pc = 0
        self.delay = 0
        self.isr = 0
        self.osr_count = 32

    def step(self):
        """One cycle."""
        self.cycle += 1
        if self.delay:
            self.delay -= 1
            return
        word = self.program.words[self.pc]
        jump = self.execute(word)
        if jump == "stall":
            return
        self.delay = word >> 8 & 31
        if jump is not None:
            self.pc = jump
        elif self.pc == self.program.wrap:
            self.pc = self.program.wrap_target
        else:
            self.pc += 1

    def execute(self, word):
        """Effect of one instruction; the address to go on at, None for the next one, or "stall"."""
        kind = word >> 13
        if kind == 0:
            return word & 31 if self._holds(word >> 5 & 7) else None
        if kind == 3:  # out, shifting right
            assert self.program.options["out_shiftdir"] == 1
            bits = word & 31 or 32
            value = self.osr & (1 << bits) - 1
            self.osr >>= bits
            self.osr_count = min(32, self.osr_count + bits)
            self._put(word >> 5 & 7, value)
        elif kind == 4 and word & 0x80:  # pull
            if not self.tx and word & 0x20:
                return "stall"
            self.osr = self.tx.popleft() if self.tx else self.x
            self.osr_count = 0
        elif kind == 4:  # push, never blocking
            assert not word & 0x20
            if len(self.rx) < 4:
                self.rx.append(self.isr)
            self.isr = 0
        elif kind == 5:  # mov
            value = self._get(word & 7)
            if word & 0x18 == 0x08:
                value ^= _WORD
            else:
                assert not word & 0x18
            self._put(word >> 5 & 7, value)
            if word >> 5 & 7 == 7:
                self.osr_count = 0
        elif kind == 7:  # set
            self._put(word >> 5 & 7, word & 31)
        else:
            raise NotImplementedError(hex(word))
        return None

    def _holds(self, condition):
        if condition == 2:
            was, self.x = self.x, self.x - 1 & _WORD
            return was != 0
        if condition == 4:
            was, self.y = self.y, self.y - 1 & _WORD
            return was != 0
        return {0: True, 1: self.x == 0, 3: self.y == 0, 7: self.osr_count < self._threshold}[condition]

    def _get(self, source):
        return {1: self.x, 2: self.y, 3: 0, 6: self.isr, 7: self.osr}[source]

    def _put(self, target, value):
        if target == 0:
            self.pins = value & (1 << self._out_pins) - 1
        else:
            setattr(self, {1: "x", 2: "y", 6: "isr", 7: "osr"}[target], value)
