"""`rp2` of the simulated board: behaviour of the state machines, and the flash regions of vault and log.

PIO instructions are not executed. The program named `step_grant` drives the simulated motor with its timing on the real
chip. Any other program only stores the last word written to it, which the bench can read.
"""

import machine

_STEP_PROGRAM = "step_grant"
_STEP_LOW, _STEP_HIGH = 0xE000, 0xE001  # set(pins, 0 / 1)
_MOV_ISR_X = 0xA0C1
_IN_X_32 = 0x4020
_PUSH_BLOCK, _PUSH = 0x8020, 0x8000
_PULL_BLOCK, _PULL = 0x80A0, 0x8080
_JMP_0 = 0x0000
_TEXTS = {
    "set(pins,0)": _STEP_LOW, "set(pins,1)": _STEP_HIGH, "mov(isr,x)": _MOV_ISR_X, "in_(x,32)": _IN_X_32,
    "push()": _PUSH_BLOCK, "push(block)": _PUSH_BLOCK, "push(noblock)": _PUSH,
    "pull()": _PULL_BLOCK, "pull(block)": _PULL_BLOCK, "pull(noblock)": _PULL, "jmp(0)": _JMP_0,
}  # fmt: skip
_STEP_PIN = 2


class PIO:
    """Constants of the port."""

    IN_LOW = 0
    IN_HIGH = 1
    OUT_LOW = 2
    OUT_HIGH = 3
    SHIFT_LEFT = 0
    SHIFT_RIGHT = 1
    JOIN_NONE = 0
    JOIN_TX = 1
    JOIN_RX = 2
    IRQ_SM0 = 256
    IRQ_SM1 = 512
    IRQ_SM2 = 1024
    IRQ_SM3 = 2048


class Program:
    """Result of `asm_pio`: name of the function, and the keywords."""

    def __init__(self, name, keywords):
        self.name = name
        self.keywords = keywords


def asm_pio(**keywords):
    """Decorator with the keywords of the real one. The function is never called."""

    def decorate(function):
        return Program(function.__name__, keywords)

    return decorate


def asm_pio_encode(instruction, sideset_count=0, sideset_opt=False):
    """Code of an instruction that the simulated state machine can execute. ValueError for any other."""
    text = instruction.replace(" ", "")
    if text not in _TEXTS:
        raise ValueError(
            "rp2: the simulated state machine does not know {!r}; it knows {}".format(text, ", ".join(_TEXTS))
        )
    return _TEXTS[text]


class StateMachine:
    """State machine `id` 0 .. 7."""

    def __init__(self, id, program=None, **keywords):
        if not 0 <= id < 8:
            raise ValueError(f"StateMachine({id!r}) doesn't exist; 0 to 7 do")
        self.id = id
        self._world = machine.attached()
        self._touch = self._world.timeline.touch
        self._source = None
        self._active = 0
        if program is not None:
            self.init(program, **keywords)

    def init(self, program, freq=-1, **keywords):
        """Loads `program`: FIFOs empty, first instruction next, not active."""
        self._touch()
        self._active = 0
        self._world.sounds[self.id] = 0
        self._source = None
        if program.name == _STEP_PROGRAM:
            self._source = self._world.plant.source
            self._source.reset()

    def active(self, value=None):
        """1 if it runs; with `value`, starts it or stops it at the present instruction."""
        if value is None:
            return self._active
        self._touch()
        self._active = 1 if value else 0
        if self._source:
            self._source.set_active(bool(value))

    def restart(self):
        """Goes to the first instruction. FIFOs and scratch registers keep their content."""
        self._touch()
        if self._source:
            self._source.restart()

    def exec(self, instruction):
        """Executes one instruction, text or code, at once. ValueError if it is not simulated."""
        self._touch()
        source = self._source
        if not source:
            return
        code = asm_pio_encode(instruction) if isinstance(instruction, str) else instruction
        if code in (_MOV_ISR_X, _IN_X_32):
            source.isr = source.x()
        elif code in (_PUSH, _PUSH_BLOCK):
            if len(source.rx) < 4:
                source.rx.append(source.isr)
            source.isr = 0
        elif code in (_PULL, _PULL_BLOCK):
            source.drop_word()
        elif code == _JMP_0:
            source.restart()
        elif code == _STEP_HIGH:
            self._world.gpio.drive(_STEP_PIN, 1)
        elif code == _STEP_LOW:
            self._world.gpio.drive(_STEP_PIN, 0)
        else:
            raise ValueError(f"rp2: the simulated state machine does not know instruction 0x{code:04x}")

    def put(self, value, shift=0):
        """Writes a word, or each word of a buffer, to the TX FIFO. Waits while it is full."""
        world = self._world
        source = self._source
        for word in (value,) if isinstance(value, int) else value:
            self._touch()
            if source:
                while source.tx_fifo() >= 4:
                    world.timeline.sleep_until(world.timeline.now_us + 1000)
                source.put(word << shift)
            else:
                world.sounds[self.id] = (word << shift) & 0xFFFFFFFF

    def get(self, buf=None, shift=0):
        """Reads a word from the RX FIFO, or fills `buf`. Waits while it is empty."""
        if buf is None:
            return self._get() >> shift
        for i in range(len(buf)):
            word = self._get() >> shift
            try:
                buf[i] = word
            except OverflowError:  # a signed buffer takes the same 32 bits
                buf[i] = word - 0x100000000
        return buf

    def _get(self):
        world = self._world
        self._touch()
        while not (self._source and self._source.rx):
            world.timeline.sleep_until(world.timeline.now_us + 1000)
        return self._source.rx.pop(0)

    def tx_fifo(self):
        """Number of words in the TX FIFO."""
        self._touch()
        return self._source.tx_fifo() if self._source else 0

    def rx_fifo(self):
        """Number of words in the RX FIFO."""
        self._touch()
        return len(self._source.rx) if self._source else 0

    def irq(self, handler=None, trigger=0, hard=False):
        """Calls `handler(state machine)` at the end of a grant."""
        if self._source:
            self._source.on_irq = (lambda: self._world.interrupt(handler, self)) if handler else None
        return self


_STORAGE_BYTES = 0x140000  # storage region at the end of the flash (`image/`)
_VAULT_START = 0x30000  # offset in it; it is simulated from here on
_SECTOR = 4096


class Flash:
    """Block device over `start` .. `start + len` of the storage region, within vault and log.

    ValueError outside of them, or if a bound is not that of a sector.
    """

    def __init__(self, start=0, len=_STORAGE_BYTES):
        if start < _VAULT_START or start + len > _STORAGE_BYTES or start % _SECTOR or len % _SECTOR:
            raise ValueError(
                f"Flash(start=0x{start:x}, len=0x{len:x}): sectors in 0x{_VAULT_START:x} to 0x{_STORAGE_BYTES:x} "
                "are simulated"
            )
        world = machine.attached()
        self._touch = world.timeline.touch
        self._flash = world.flash
        self._start = start - _VAULT_START
        self._blocks = len // _SECTOR

    def readblocks(self, block, buf, off=0):
        self._touch()
        self._flash.read(self._start + block * _SECTOR + off, buf)

    def writeblocks(self, block, buf, off=None):
        """Without `off` the block is erased first; with `off`, bits are only cleared, in a piece of any size."""
        self._touch()
        if off is None:
            self._flash.erase(self._start // _SECTOR + block)
            off = 0
        self._flash.program(self._start + block * _SECTOR + off, buf)

    def ioctl(self, op, arg=0):
        """1 to 3 (init, deinit, sync): nothing; 4: number of blocks; 5: their size; 6: erases block `arg`."""
        self._touch()
        if op == 4:
            return self._blocks
        if op == 5:
            return _SECTOR
        if op == 6:
            self._flash.erase(self._start // _SECTOR + arg)
        return 0
