"""The wet half of the world, put together: steps in, pressure and volumes out.

Nothing happens here by itself. Whoever reads (a sensor, the bench) or changes something first calls
`advance()`, which brings the plant to now in a few strides: the rest before the steps, the steps, the rest
after them.
"""

from .dead_space import DeadSpace
from .drive import Drive
from .line import Line
from .step_grant import StepGrant
from .tip import Tip
from .windows import Windows


class Plant:
    """pumped_ul  net displacement of the plunger since `mark_start`, forwards positive; pumped_ug its drug
    delivered_ul  net volume through the tip since then; delivered_ug its drug
    primed_ul     net displacement before `mark_start`
    released_ul   net volume through the tip from the last `clear` downstream to the next grant forwards
    steps         net step pulses since `mark_start`, moved or not
    """

    def __init__(self, timeline, pump, seed):
        self.timeline = timeline
        self.t_us = timeline.now_us
        self.drive = Drive(pump, seed)
        self.line = Line(pump)
        self.tip = Tip(pump, seed)
        self.dead_space = DeadSpace(pump["deadspace_ul"])
        self.windows = Windows()
        self.source = StepGrant(timeline)
        self.source.granted = self._granted
        self.source.settle = self.advance
        self.forward = False
        self.tip_kpa = 0.0
        self.fluid = ("test-fluid", 1.0)
        self.marked = False
        self.primed_before_ul = 0.0
        self.releasing = False
        self.released_ul = 0.0
        self._zero()

    # Time

    def advance(self):
        """Brings everything to now."""
        now_us = self.timeline.now_us
        source = self.source
        if now_us == self.t_us and source.next_us > now_us:
            return
        while source.take(now_us):
            count = source.count if self.forward else -source.count
            self.steps += count
            if source.begin_us > self.t_us:
                self._stride(source.begin_us, 0.0)
            to_us = source.end_us
            if source.next_us > now_us and now_us - to_us < source.stepped_us:
                to_us = now_us  # flow is even between two steps
            self._stride(to_us, self.drive.turn(count))
        if now_us > self.t_us:
            self._stride(now_us, 0.0)

    def _stride(self, to_us, ul):
        """The plunger displaces `ul` evenly from where the plant is to `to_us`."""
        tip = self.tip
        while tip.knot_us < to_us:
            knot_us = tip.knot_us
            part = ul * ((knot_us - self.t_us) / (to_us - self.t_us)) if knot_us > self.t_us else 0.0
            self._leg(knot_us, part)
            ul -= part
            tip.pass_knot()
        self._leg(to_us, ul)

    def _leg(self, to_us, ul):
        """As `_stride`, with no knot of the tip pressure in between."""
        from_us = self.t_us
        tip_kpa = self.tip.at(to_us)
        out_ul = self.line.flow((to_us - from_us) / 1000000, ul, self.tip_kpa, tip_kpa)
        self.tip_kpa = tip_kpa
        self.t_us = to_us
        self.delivered_ul += out_ul
        if out_ul:
            self.delivered_ug += self.dead_space.push(out_ul, self.fluid)
        if self.releasing:
            self.released_ul += out_ul
        ug = ul * self.fluid[1]
        self.pumped_ul += ul
        self.pumped_ug += ug
        windows = self.windows
        if to_us >= windows.due_us:
            windows.add(from_us, to_us, ug)
        else:
            windows.ug += ug

    # Motion

    def jump(self, ul):
        """The plunger displaces `ul` at this instant."""
        if ul:
            self._leg(self.t_us, ul)

    def pulse(self):
        """One step pulse at this instant, from a board whose steps come as pin edges."""
        self.advance()
        count = 1 if self.forward else -1
        self.steps += count
        if self.forward:
            self.releasing = False
        self.jump(self.drive.turn(count))

    def set_direction(self, level):
        """The DIR pin: 1 is forwards."""
        self.advance()
        self.forward = bool(level)

    def set_coils(self, powered, enabled):
        """Motor supply and enable pin."""
        self.advance()
        self.jump(self.drive.set_coils(powered, enabled))

    def _granted(self, _at_us):
        if self.forward:
            self.releasing = False

    # What is done to it

    def connect(self, connected):
        """The line's end joins the patient's catheter, or leaves it."""
        self.advance()
        self.tip.connected = connected
        self.tip_kpa = self.tip.at(self.t_us)

    def raise_tip(self, kpa, over_us):
        self.advance()
        self.tip.raise_by(self.t_us, kpa, over_us)
        self.tip_kpa = self.tip.at(self.t_us)

    def clamp(self, fraction):
        """Downstream; 0 is open."""
        self.advance()
        if self.line.clamped and not fraction:
            self.releasing = True
            self.released_ul = 0.0
        self.line.clamp(fraction)

    def clamp_upstream(self, closed):
        self.advance()
        self.line.clamp_upstream(closed)

    def swap_syringe(self, ul, fluid):
        """Another syringe with `ul` of `fluid`, gripped, lash taken up. Displaces nothing."""
        self.advance()
        self.drive.refill(ul)
        self.fluid = fluid

    def mark_start(self):
        """t = 0: all meters at zero, priming booked as such."""
        self.advance()
        self.primed_before_ul = self.primed_ul()
        self.marked = True
        self._zero()
        self.released_ul = 0.0
        self.windows.clear(self.t_us)

    def primed_ul(self):
        return self.primed_before_ul if self.marked else self.pumped_ul

    def _zero(self):
        self.pumped_ul = self.pumped_ug = 0.0
        self.delivered_ul = self.delivered_ug = 0.0
        self.steps = 0

    # Looking at it without moving it on: a look must not change what comes after

    def save(self):
        """Everything that `advance` may change."""
        drive, line = self.drive, self.line
        return (
            self.t_us, self.tip_kpa, self.pumped_ul, self.pumped_ug, self.delivered_ul, self.delivered_ug,
            self.steps, self.releasing, self.released_ul,
            drive.rotor, drive.creep_carry, drive.nut_um, drive.plunger_um, drive.reservoir_ul,
            line.kpa, line.syringe_kpa,
            self.tip.save(), self.dead_space.save(), self.windows.save(), self.source.save(),
        )  # fmt: skip

    def restore(self, saved):
        drive, line = self.drive, self.line
        (
            self.t_us, self.tip_kpa, self.pumped_ul, self.pumped_ug, self.delivered_ul, self.delivered_ug,
            self.steps, self.releasing, self.released_ul,
            drive.rotor, drive.creep_carry, drive.nut_um, drive.plunger_um, drive.reservoir_ul,
            line.kpa, line.syringe_kpa,
            tip, dead_space, windows, source,
        ) = saved  # fmt: skip
        self.tip.restore(tip)
        self.dead_space.restore(dead_space)
        self.windows.restore(windows)
        self.source.restore(source)
