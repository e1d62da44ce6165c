"""The PIO state machine that makes step pulses, as its program `step_grant` behaves. Times are exact;
nothing is per step.

A grant is three words through the TX FIFO: w1, w2 and steps - 1. The k-th step (from 0) rises
5000 + w1 + k * (5000 + w2) us after the third word was pulled: the program holds the 5 ms before every step
itself. Then it waits for the next three words; an empty FIFO is silence. `x` counts the steps left and is -1
once all are made.
"""

from .timeline import NEVER

FIFO_WORDS = 4
_FLOOR_US = 5000
_MASK = 0xFFFFFFFF


class StepGrant:
    """Lazily advanced: `take(t)` hands out what was stepped by `t`, one grant's worth at a time.

    count, begin_us, end_us  what the last `take` handed out: steps, and the time over which they were spread
    stepped_us               time between two of them
    settle()                 brings the plant, and so this, to now; every access from the CPU begins with it
    granted(t)               called when a grant begins
    on_irq                   called when a grant has run out, if the program raises an interrupt then
    """

    def __init__(self, timeline):
        self.timeline = timeline
        self.settle = None
        self.granted = None
        self.on_irq = None
        self.count = 0
        self.begin_us = self.end_us = self.stepped_us = 0
        self._init()

    def reset(self):
        """As after `StateMachine.init`: FIFOs empty, waiting for a grant, not active."""
        self.settle()
        self._init()

    def _init(self):
        self.tx = []
        self.rx = []
        self.isr = 0
        self.active = False
        self.on_irq = None
        self.due_us = NEVER
        self.args = []  # words of a grant that are pulled already
        self.period_us = _FLOOR_US
        self.begun_us = 0
        self.steps = 0
        self.made = 0
        self._idle()

    def _idle(self):
        self.running = False
        self.next_us = NEVER  # time of the next step; while paused: how long it is still away
        del self.args[:]

    def tx_fifo(self):
        """Words in the TX FIFO now."""
        self.settle()
        return len(self.tx)

    def put(self, word):
        """One word into the TX FIFO, which must have room."""
        self.settle()
        self.tx.append(word & _MASK)
        self._pull(self.timeline.now_us)

    def set_active(self, active):
        """Stops the clock of the state machine, or lets it go on from where it stopped."""
        if active == self.active:
            return
        self.settle()
        now_us = self.timeline.now_us
        self.active = active
        if active:
            if self.running:
                self.next_us += now_us
                self._aim()
            self._pull(now_us)
        else:
            self.due_us = NEVER
            if self.running:
                self.next_us -= now_us

    def restart(self):
        """Jumps back to the program's first instruction. FIFOs and x stay."""
        self.settle()
        self.isr = 0
        self._idle()
        self.due_us = NEVER
        if self.active:
            self._pull(self.timeline.now_us)

    def x(self):
        """The register that counts the steps left; 2^32 - 1 after the last."""
        self.settle()
        return (self.steps - 1 - self.made) & _MASK

    def drop_word(self):
        """An executed `pull` moves a word out of the TX FIFO."""
        self.settle()
        if self.tx:
            self.tx.pop(0)

    def take(self, t_us):
        """True if steps rose up to `t_us` that were not taken yet; then `count`, `begin_us`, `end_us` tell
        them.
        """
        next_us = self.next_us
        if t_us < next_us or not (self.running and self.active):
            return False
        period_us = self.period_us
        count = (t_us - next_us) // period_us + 1
        left = self.steps - self.made
        if count > left:
            count = left
        self.count = count
        self.begin_us = max(next_us - period_us, self.begun_us)
        self.stepped_us = period_us
        self.end_us = end_us = next_us + (count - 1) * period_us
        self.made += count
        self.next_us = end_us + period_us
        if count == left:
            self._idle()
            self._pull(end_us)
        return True

    def fire(self):
        """The last step of a grant rises now."""
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
            self.begun_us = now_us
            self.steps = args[2] + 1
            self.made = 0
            self.next_us = now_us + _FLOOR_US + args[0]
            self.running = True
            self._aim()
            if self.granted:
                self.granted(now_us)

    def _aim(self):
        if self.on_irq:
            self.due_us = self.next_us + (self.steps - self.made - 1) * self.period_us

    def save(self):
        return (
            self.tx[:], self.args[:], self.period_us, self.begun_us, self.steps, self.made,
            self.running, self.next_us, self.due_us,
        )  # fmt: skip

    def restore(self, saved):
        (
            self.tx, self.args, self.period_us, self.begun_us, self.steps, self.made,
            self.running, self.next_us, self.due_us,
        ) = saved  # fmt: skip
