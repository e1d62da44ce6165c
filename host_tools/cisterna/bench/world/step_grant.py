"""Model of the PIO state machine that runs the program `step_grant`: exact step times, computed per grant.

A grant is three words in the TX FIFO: w1, w2 and steps - 1. The rising edge of step k (from 0) comes
5000 + w1 + k * (5000 + w2) us after the third word was pulled: the program itself holds 5 ms before every step. Then it
waits for the next three words; with an empty FIFO it makes no steps. `x` counts the steps left; -1 after the last.
"""

from .timeline import NEVER

FIFO_WORDS = 4
_FLOOR_US = 5000
_MASK = 0xFFFFFFFF


class StepGrant:
    """Advanced on demand: `take_steps(t)` gives the steps up to `t`, at most one grant per call.

    count, begin_us, end_us  result of the last `take_steps`: steps, and the time over which they are spread
    step_spacing_us          time between two of these steps
    advance_plant()          advances the plant, which calls `take_steps`; first in every access by the CPU
    on_grant(t)              called when a grant begins
    on_irq()                 called when a grant has ended, if the program raises an interrupt then
    """

    def __init__(self, timeline):
        self.timeline = timeline
        self.advance_plant = None
        self.on_grant = None
        self.on_irq = None
        self.count = 0
        self.begin_us = self.end_us = self.step_spacing_us = 0
        self._init()

    def reset(self):
        """As after `StateMachine.init`: FIFOs empty, waiting for a grant, not active."""
        self.advance_plant()
        self._init()

    def _init(self):
        self.tx = []
        self.rx = []
        self.isr = 0
        self.active = False
        self.on_irq = None
        self.due_us = NEVER
        self.args = []  # words of the next grant that were pulled
        self.period_us = _FLOOR_US
        self.pulled_us = 0
        self.steps = 0
        self.steps_made = 0
        self._idle()

    def _idle(self):
        self.running = False
        self.next_us = NEVER  # time of the next step; while not active: time left to it
        del self.args[:]

    def tx_fifo(self):
        """Number of words in the TX FIFO."""
        self.advance_plant()
        return len(self.tx)

    def put(self, word):
        """Put one word into the TX FIFO, which must not be full."""
        self.advance_plant()
        self.tx.append(word & _MASK)
        self._pull(self.timeline.now_us)

    def set_active(self, active):
        """Stop the state machine's clock (False), or continue from where it stopped (True)."""
        if active == self.active:
            return
        self.advance_plant()
        now_us = self.timeline.now_us
        self.active = active
        if active:
            if self.running:
                self.next_us += now_us
                self._schedule()
            self._pull(now_us)
        else:
            self.due_us = NEVER
            if self.running:
                self.next_us -= now_us

    def restart(self):
        """Jump to the program's first instruction. FIFOs and x stay."""
        self.advance_plant()
        self.isr = 0
        self._idle()
        self.due_us = NEVER
        if self.active:
            self._pull(self.timeline.now_us)

    def x(self):
        """The x register: steps left; 2^32 - 1 after the last."""
        self.advance_plant()
        return (self.steps - 1 - self.steps_made) & _MASK

    def drop_word(self):
        """An executed `pull` moves a word out of the TX FIFO."""
        self.advance_plant()
        if self.tx:
            self.tx.pop(0)

    def take_steps(self, t_us):
        """True if there were steps up to `t_us` that were not taken; `count`, `begin_us`, `end_us` hold them."""
        next_us = self.next_us
        if t_us < next_us or not (self.running and self.active):
            return False
        period_us = self.period_us
        count = (t_us - next_us) // period_us + 1
        left = self.steps - self.steps_made
        if count > left:
            count = left
        self.count = count
        self.begin_us = max(next_us - period_us, self.pulled_us)
        self.step_spacing_us = period_us
        self.end_us = end_us = next_us + (count - 1) * period_us
        self.steps_made += count
        self.next_us = end_us + period_us
        if count == left:
            self._idle()
            self._pull(end_us)
        return True

    def fire(self):
        """The last step of a grant is made now."""
        self.due_us = NEVER
        if self.on_irq:
            self.on_irq()

    def _pull(self, now_us):
        if self.running or not self.active:
            return
        tx, args = self.tx, self.args
        while tx and len(args) < 3:
            args.append(tx.pop(0))
        if len(args) == 3:
            self.period_us = _FLOOR_US + args[1]
            self.pulled_us = now_us
            self.steps = args[2] + 1
            self.steps_made = 0
            self.next_us = now_us + _FLOOR_US + args[0]
            self.running = True
            self._schedule()
            if self.on_grant:
                self.on_grant(now_us)

    def _schedule(self):
        if self.on_irq:
            self.due_us = self.next_us + (self.steps - self.steps_made - 1) * self.period_us

    def save(self):
        return (
            self.tx[:], self.args[:], self.period_us, self.pulled_us, self.steps, self.steps_made,
            self.running, self.next_us, self.due_us,
        )  # fmt: skip

    def restore(self, saved):
        (
            self.tx, self.args, self.period_us, self.pulled_us, self.steps, self.steps_made,
            self.running, self.next_us, self.due_us,
        ) = saved  # fmt: skip
