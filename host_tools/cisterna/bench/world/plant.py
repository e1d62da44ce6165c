"""Mechanics and hydraulics together: steps in, pressures and volumes out.

The plant is advanced on demand only. Every reader (a sensor, the bench) and every change first calls `advance()`,
which integrates up to the current time in a few pieces: the rest before the steps, the steps, the rest after them.
"""

from .dead_space import DeadSpace
from .drive import Drive
from .line import Line
from .release import ReleaseMeter
from .step_grant import StepGrant
from .tip import Tip
from .windows import Windows


class Plant:
    """pumped_ul  net displacement of the plunger since `mark_start`, forwards positive; pumped_ug its drug
    delivered_ul  net volume through the tip into the patient since then; delivered_ug its drug
    lost_ul       net volume out of the line since then while it is disconnected
    primed_ul     net displacement of the last filling of the line, at first that before `mark_start`
    filling       the line is filled: what is displaced counts in `primed_ul` alone
    release       what flowed out when a clamp opened
    windows, tip_windows  the largest mass in a window: pumped, and through the tip
    steps         net step pulses since `mark_start`, whether the rotor moved or not
    t_us          the time up to which the plant was advanced
    fluid         in the syringe: (drug, ug per uL)
    """

    def __init__(self, timeline, pump, seed):
        self.timeline = timeline
        self.t_us = timeline.now_us
        self.drive = Drive(pump, seed)
        self.line = Line(pump)
        self.tip = Tip(pump, seed)
        self.dead_space = DeadSpace(pump["deadspace_ul"])
        self.catheter_ul = pump["catheter_ul"]
        self.windows = Windows()
        self.tip_windows = Windows()
        self.release = ReleaseMeter()
        self.source = StepGrant(timeline)
        self.source.on_grant = self._grant_began
        self.source.advance_plant = self.advance
        self.forward = False
        self.tip_kpa = 0.0
        self.fluid = ("test-fluid", 1.0)
        self.marked = False
        self.primed_before_mark_ul = 0.0
        self.filling = False
        self.filled_ul = 0.0  # of the filling that goes on
        self._zero()

    # Time

    def advance(self):
        """Integrate up to the timeline's current time."""
        now_us = self.timeline.now_us
        source = self.source
        if now_us == self.t_us and source.next_us > now_us:
            return
        while source.take_steps(now_us):
            count = source.count if self.forward else -source.count
            self.steps += count
            if source.begin_us > self.t_us:
                self._integrate(source.begin_us, 0.0)
            to_us = source.end_us
            if source.next_us > now_us and now_us - to_us < source.step_spacing_us:
                to_us = now_us  # flow is even between two steps
            self._integrate(to_us, self._turn(count))
        if now_us > self.t_us:
            self._integrate(now_us, 0.0)

    def _integrate(self, to_us, ul):
        """The plunger displaces `ul` evenly from `t_us` to `to_us`."""
        tip, release = self.tip, self.release
        while True:
            knot_us = min(tip.knot_us, release.end_us)
            if knot_us >= to_us:
                break
            part = ul * ((knot_us - self.t_us) / (to_us - self.t_us)) if knot_us > self.t_us else 0.0
            self._integrate_linear(knot_us, part)
            ul -= part
            if knot_us == release.end_us:
                release.end()
            if knot_us == tip.knot_us:
                tip.pass_knot()
        self._integrate_linear(to_us, ul)

    def _turn(self, count):
        """Take `count` steps. Returns the displaced uL. In a closed line the motor stalls within them."""
        line, drive = self.line, self.drive
        kpa = line.syringe_kpa if line.upstream_closed else line.kpa
        if count > 1 and (line.closed or line.upstream_closed):
            count = min(count, drive.steps_to_stall(kpa, line.syringe_ul_per_kpa if line.upstream_closed else line.c))
        return drive.turn(count, kpa)

    def _integrate_linear(self, to_us, ul):
        """As `_integrate`, with no knot of the tip pressure in between: it changes linearly."""
        from_us = self.t_us
        tip_kpa = self.tip.at(to_us)
        line = self.line
        if line.plunger_is_free and not line.upstream_closed:
            out_ul = self.drive.flow_freely(line.free_flow((to_us - from_us) / 1000000, self.tip_kpa, tip_kpa))
            ul += out_ul
        else:
            out_ul = line.flow((to_us - from_us) / 1000000, ul, self.tip_kpa, tip_kpa)
        self.tip_kpa = tip_kpa
        self.t_us = to_us
        out_ug = self.dead_space.push(out_ul, self.fluid) if out_ul else 0.0
        self._count(from_us, to_us, ul, out_ul, out_ug)

    def _count(self, from_us, to_us, ul, out_ul, out_ug):
        """Add to the meters: the plunger displaced `ul` while `out_ul` with `out_ug` left the line."""
        if self.tip.connected:
            self.delivered_ul += out_ul
            self.delivered_ug += out_ug
        else:
            self.lost_ul += 0.0 if self.filling else out_ul
            out_ug = 0.0
        self.release.add(out_ul, ul)
        if self.filling:
            self.filled_ul += ul
            ul = 0.0
        ug = ul * self.fluid[1]
        self.pumped_ul += ul
        self.pumped_ug += ug
        windows = self.windows
        if to_us >= windows.bin_end_us:
            windows.add(from_us, to_us, ug)
            self.tip_windows.add(from_us, to_us, out_ug)
        else:
            windows.ug += ug
            self.tip_windows.ug += out_ug

    # Motion

    def displace(self, ul):
        """The plunger displaces `ul` at this instant."""
        if ul:
            self._integrate_linear(self.t_us, ul)

    def pulse(self):
        """One step pulse at this instant, from a board whose steps come as pin edges."""
        self.advance()
        count = 1 if self.forward else -1
        self.steps += count
        if self.forward:
            self.release.forwards()
        else:
            self.release.rest()
        self.displace(self._turn(count))

    def set_direction(self, level):
        """The DIR pin: 1 is forwards."""
        self.advance()
        self.forward = bool(level)

    def set_coils(self, powered, enabled):
        """Motor supply and enable pin."""
        self.advance()
        if not (powered and enabled):
            self.release.rest()
        self.displace(self.drive.set_coils(powered, enabled))

    def _grant_began(self, _at_us):
        if self.forward:
            self.release.forwards()
        else:
            self.release.rest()

    # Actions

    def connect(self, connected):
        """Join the line's end to the patient's catheter (True), or open it to the air.

        The first filling fills line and catheter; what is filled later, off the catheter, renews the line alone.
        """
        self.advance()
        if connected:
            self.dead_space.join()
        elif self.line.connected:
            self.dead_space.take_off(self.catheter_ul)
        self.line.connect(connected)
        self.tip.connected = connected
        self.tip_kpa = self.tip.at(self.t_us)

    def fill_line(self, on):
        """The filling of the line begins (True) or has ended."""
        self.advance()
        if on:
            self.filled_ul = 0.0
        elif self.filling and self.filled_ul:
            self.primed_before_mark_ul = self.filled_ul
        self.filling = on

    def raise_tip(self, kpa, over_us):
        """Change the tip pressure linearly over `over_us` to `kpa` above `tip_kpa`."""
        self.advance()
        self.tip.raise_by(self.t_us, kpa, over_us)
        self.tip_kpa = self.tip.at(self.t_us)

    def clamp(self, fraction):
        """Downstream clamp: 0 (open) to 1 (closed). Opening it, also in part, begins a release."""
        self.advance()
        if fraction < self.line.clamped:
            self.release.begin(self.t_us)
        self.line.clamp(fraction)

    def clamp_upstream(self, closed):
        """Clamp between syringe and sensor."""
        self.advance()
        self.line.clamp_upstream(closed)

    def swap_syringe(self, ul, fluid, size=None):
        """Another syringe with `ul` of `fluid`, backlash taken up. Displaces nothing. `size`: None: as before."""
        self.advance()
        if size is not None:
            self.drive.set_bore(size)
        self.drive.refill(ul)
        self.fluid = fluid

    def grip(self, gripped):
        """Close or open the gripper. While it is open the fluid takes the plunger along, by height and pressure."""
        self.advance()
        if gripped == self.drive.gripped:
            return
        self.drive.grip(gripped)
        ul = self.drive.flow_freely(self.line.free_plunger(not gripped))
        if ul:
            self._count(self.t_us, self.t_us, ul, 0.0, 0.0)

    def mark_start(self):
        """t = 0: set all meters to zero; displacement up to now counts as priming."""
        self.advance()
        self.primed_before_mark_ul = self.primed_ul()
        self.marked = True
        self._zero()
        self.release.clear()
        self.windows.clear(self.t_us)
        self.tip_windows.clear(self.t_us)

    def primed_ul(self):
        return self.primed_before_mark_ul if self.marked else self.pumped_ul

    def _zero(self):
        self.pumped_ul = self.pumped_ug = 0.0
        self.delivered_ul = self.delivered_ug = 0.0
        self.lost_ul = 0.0
        self.steps = 0

    # Save and restore: reading the meters must not change what follows

    def save(self):
        """All state that `advance` may change, for `restore`."""
        drive, line = self.drive, self.line
        return (
            self.t_us, self.tip_kpa, self.pumped_ul, self.pumped_ug, self.delivered_ul, self.delivered_ug,
            self.lost_ul, self.filled_ul, self.steps,
            drive.rotor, drive.creep_carry, drive.nut_um, drive.plunger_um, drive.reservoir_ul,
            line.kpa, line.syringe_kpa,
            self.tip.save(), self.dead_space.save(), self.windows.save(), self.tip_windows.save(),
            self.release.save(), self.source.save(),
        )  # fmt: skip

    def restore(self, saved):
        drive, line = self.drive, self.line
        (
            self.t_us, self.tip_kpa, self.pumped_ul, self.pumped_ug, self.delivered_ul, self.delivered_ug,
            self.lost_ul, self.filled_ul, self.steps,
            drive.rotor, drive.creep_carry, drive.nut_um, drive.plunger_um, drive.reservoir_ul,
            line.kpa, line.syringe_kpa,
            tip, dead_space, windows, tip_windows, release, source,
        ) = saved  # fmt: skip
        self.tip.restore(tip)
        self.dead_space.restore(dead_space)
        self.windows.restore(windows)
        self.tip_windows.restore(tip_windows)
        self.release.restore(release)
        self.source.restore(source)
