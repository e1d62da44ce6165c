# ruff: noqa: F821  (rp2.asm_pio defines the names in a PIO program)
# pyright: reportUndefinedVariable=false, reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false
"""Step generator: finite grants of microsteps, timed by a PIO state machine (RP2040 data sheet, chapter 3).

The CPU grants a number of steps; the state machine makes them and stops by itself, even if the CPU hangs. A grant is
three words, written together and only while no grant is in motion:

    1. first_delay_us - 5000     2. period_us - 5000     3. steps - 1

Step k (0 .. steps-1) rises at t_put + 5000 + word1 + k * (5000 + word2) microseconds, exact to the cycle. The program
itself waits the 5000 us before EVERY step: no word, no CPU fault and no restart can step faster.
"""

from array import array

from machine import disable_irq, enable_irq
from micropython import const
from rp2 import PIO, StateMachine, asm_pio

FLOOR_US = const(5000)  # least time before any step, ensured by the program itself
CLOCK_HZ = const(1_000_000)  # one cycle is one microsecond

# Instructions that the CPU executes on the state machine, encoded (data sheet 3.4): assembling text would allocate.
_MOV_ISR_X = const(0xA0C1)  # mov(isr, x)
_PUSH_NOBLOCK = const(0x8000)  # push(noblock)
_PULL_NOBLOCK = const(0x8080)  # pull(noblock)
_STEP_LOW = const(0xE000)  # set(pins, 0)


# Cycles, with word 1 pulled in cycle 0 (until all three words are there, the machine stalls with STEP low):
#   7 of loading, w1 + 1 of "wait", 31 of set(y, 30)[30], 31 * 160 of "hold", 1 of the count:
#   STEP rises in cycle 7 + (w1 + 1) + 31 + 4960 + 1 = 5000 + w1.
# From one rise to the next: 3 + 1 high, 1 low, 1 jmp, 1 mov, then as above: 7 + (w2 + 1) + 31 + 4960 + 1.
# STEP is high for 4 us (TMC2209 data sheet, STEP/DIR timing: 100 ns are enough).
# x counts steps left and decreases in the cycle BEFORE the rise: a machine stopped between the two has counted one step
# too many, never one too few, so the booked steps are never less than the real ones.
# ISR is free once the words are loaded, so x can be read at any time.
@asm_pio(set_init=PIO.OUT_LOW)
def step_grant():
    label("start")
    pull(block)  # an empty FIFO: no steps
    mov(y, osr)  # y: time before the first step
    pull(block)
    mov(isr, osr)
    pull(block)
    mov(x, osr)  # x: steps left, less one
    mov(osr, isr)  # osr: the period
    wrap_target()
    label("wait")
    jmp(y_dec, "wait")
    set(y, 30)[30]
    label("hold")
    nop()[31]
    nop()[31]
    nop()[31]
    nop()[31]
    jmp(y_dec, "hold")[31]
    jmp(x_dec, "step")  # only decrements x: both branches lead to the next line
    label("step")
    set(pins, 1)[2]
    mov(y, invert(x))  # zero once x has gone below zero
    set(pins, 0)
    jmp(not_y, "start")
    mov(y, osr)
    wrap()


class StepGenerator:
    """Grants of steps to the motor. No method allocates; `gate` may be called from a hard interrupt.

    machine_id: PIO state machine. step, direction, enn: machine.Pin; enn is ENN of the motor driver (0: energised).
    """

    def __init__(self, machine_id, step, direction, enn):
        self._sm = StateMachine(machine_id, step_grant, freq=CLOCK_HZ, set_base=step)
        self._direction = direction
        self._enn = enn
        self._words = array("I", (0, 0, 0))
        self._left = array("i", (0,))  # signed: 0xFFFFFFFF reads as -1, which is a small int on every port
        self._steps = 0
        self._made = 0
        self._moving = False
        self.gated = False  # an interrupt cut the grant in motion; until `halt`
        self.locked = False  # no grant may start until `unlock`, after the edge that gated has been handled

    def enable(self, on):
        """Energise the motor, or switch it off. It holds its position between steps only while energised."""
        self._enn.value(0 if on else 1)

    def grant(self, forward, first_delay_us, period_us, steps):
        """Start `steps` (>= 1) usteps: the first `first_delay_us` from now, each further one `period_us` later.

        Both times are raised to at least FLOOR_US. DIR is set that long before the first step (20 ns are needed).
        False if locked: nothing was started. ValueError for steps < 1, RuntimeError if a grant is still in motion.
        """
        if steps < 1:
            raise ValueError("grant: steps must be 1 or more")
        if self.busy():
            raise RuntimeError("grant: one is still in motion; halt it or let it end")
        words = self._words
        words[0] = first_delay_us - FLOOR_US if first_delay_us > FLOOR_US else 0
        words[1] = period_us - FLOOR_US if period_us > FLOOR_US else 0
        words[2] = steps - 1
        self._steps = steps
        self._made = 0
        self._direction.value(1 if forward else 0)
        # A gate must come before the words (nothing starts) or after them (they are stopped), never in between.
        irq = disable_irq()
        started = not self.locked
        if started:
            self._sm.active(1)
            self._sm.put(words)
        self._moving = started
        enable_irq(irq)
        return started

    def busy(self):
        """True while a grant has steps left, also after a gate has stopped it; `halt` ends it."""
        if self._moving:
            self.made()
        return self._moving

    def made(self):
        """Usteps made of the grant in motion, or of the last one. Does not disturb the motion.

        OSError if the state machine does not answer.
        """
        if self._moving:
            left = self._steps_left()
            made = self._steps - 1 - left
            self._made = made if made > 0 else 0
            if left < 0:
                self._moving = False
        return self._made

    def halt(self):
        """End motion at the current ustep and empty the FIFO. Returns the usteps made of the grant. A lock stays.

        OSError if the state machine does not answer.
        """
        self.gated = False  # first: a gate from here on stays latched
        sm = self._sm
        sm.active(0)
        made = self.made()
        if sm.tx_fifo():  # the words are still in the FIFO: nothing has moved
            made = 0
        while sm.tx_fifo():
            sm.exec(_PULL_NOBLOCK)
        sm.restart()  # to the start of the program, where it waits for the next grant
        sm.exec(_STEP_LOW)  # the machine may have been stopped while STEP was high
        self._moving = False
        self._made = made
        return made

    def gate(self):
        """Stop at once; no grant may start until `unlock`. For hard interrupts: allocates nothing."""
        self._sm.active(0)
        self.gated = self.locked = True

    def unlock(self):
        """Grants may start again: the edge that gated has been handled (see `PumpBoard.unlock`)."""
        self.locked = False

    def probe(self):
        """True if the state machine answers; else OSError."""
        self._steps_left()
        return True

    def _steps_left(self):
        """x of the program: steps left less one, -1 when all are made. OSError if it cannot be read.

        An instruction of the CPU is executed at once, between two of the program (data sheet 3.5.7). It must not come
        in the 7 cycles that load a grant: returning from `grant` and calling this method take longer.
        """
        sm = self._sm
        sm.exec(_MOV_ISR_X)
        sm.exec(_PUSH_NOBLOCK)
        if not sm.rx_fifo():  # `get` would wait for ever
            raise OSError("stepper: the state machine does not answer")
        sm.get(self._left)
        return self._left[0]
