"""Back-off: how a line that seems closed is relieved, and how an open one is told from it [OCC-05, OCC-06, H14].

Decides only; `occlusion_relief` moves the plunger. A closed line falls by pull / compliance and stays there. An open
one falls as much, because fluid is slow through the catheter, and comes back to the patient's pressure with its time
constant tau. So the plunger is pulled by at most PULL_NL, and the pressure is watched at rest: what it rises is
compared with what an open line would rise. A line that comes back is left alone: at most 10 uL were drawn.

Flow that still relaxes when the relief begins makes a slope of its own, which is measured before the first pull and
taken off. Until the lash of the screw is taken up a pull moves nothing; it is pulled in pieces of PIECE_NL until the
pressure begins to fall.

Units: volume nL, pressure Pa (gauge), compliance nL/kPa, time ms. No allocation after construction; every intermediate
stays below 2^30.
"""

from pump.base.units import const
from pump.delivery.line_hold import volume_nl

# What `BackOff.reading` returns.
WAIT = const(1)  # stand still, read again
PULL = const(2)  # retract `next_nl()`, then read again
DONE = const(3)  # the pressure is at the target
OPEN = const(4)  # the line is open: `level_pa` is the patient's pressure, nothing more may be drawn

MARGIN_PA = const(500)  # target above the no-flow pressure
PULL_NL = const(5_000)  # the most that is retracted without a reading
PIECE_NL = const(1_000)  # until the pressure falls
FIRST_NL = const(4_000)  # retracted, since the pressure falls, before the line is first judged
BETWEEN_NL = const(10_000)  # retracted between two judgements of a line of at most 9 uL/kPa
NEAR_PA = const(100)  # the target may be missed by this
READINGS = const(16)  # of a mean, which scatters by 5 Pa (0.02 kPa each); the difference of two by 7
SURE_PA = const(45)  # a change that is none of the noise, at least; twice the mean step between two readings, at least
TICK_MS = const(16)  # unit of the times below, so that a time * a pressure stays below 2^30
REST_TICKS = const(256)  # 4 s: watched before the first pull, or a fifth of tau
LOOK_TICKS = const(64)  # 1 s: watched at the target
LONGEST_TAU_TICKS = const(6_000)  # 96 s
MOST_PA = const(10_000)  # limit of what is multiplied by a time


class BackOff:
    """Feed `reading` every pressure that was measured while the plunger stands; after PULL tell `pulled` what moved.

    level_pa  mean of the last readings
    from_pa   level before the first pull
    slope_pa  rise in tau at rest, before the first pull: how far the pressure is from that without flow
    """

    def __init__(self):
        self.level_pa = 0
        self.start(0, 9_000, 20_000, 0)

    def start(self, no_flow_pa, compliance_nl_per_kpa, tau_ms, lash_nl):
        """Begins a back-off. tau_ms: time constant of the open line. lash_nl: the most that a reversal loses."""
        self.target_pa = no_flow_pa + MARGIN_PA
        self._compliance = compliance_nl_per_kpa
        self._tau = max(64, min(LONGEST_TAU_TICKS, tau_ms // TICK_MS))
        self._lash_nl = lash_nl
        self._between_nl = max(BETWEEN_NL, BETWEEN_NL * compliance_nl_per_kpa // 9_000)
        self._sum = self._count = self._base_pa = 0
        self.from_pa = 0
        self._pulled_nl = 0  # in all
        self._lost_nl = -1  # of it, before the pressure fell; -1: it has not fallen yet
        self._is_resting = True  # the rest before the first pull
        self._is_proven = False  # the line was judged closed once
        self._judge_from(0)
        self._look_ms = -1  # when this look began; -1: not yet
        self._look_pa = 0
        self._last_pa = self._steps_pa = self._steps = 0  # at rest: steps between two readings
        self._sure_pa = SURE_PA
        self.slope_pa = 0  # rise in tau without a pull

    def pulled(self, nl):
        """The plunger has been retracted by `nl`."""
        self._pulled_nl += nl
        self._since_nl += nl
        self._sum = self._count = 0
        self._look_ms = -1

    def reading(self, pressure_pa, now_ms):
        """A reading at rest, `now_ms` on any clock that does not wrap meanwhile: WAIT, PULL, DONE or OPEN."""
        if self._is_resting:
            self._steps_pa += min(MOST_PA, abs(pressure_pa - self._last_pa)) if self._steps else 0
            self._steps += 1
            self._last_pa = pressure_pa
        if self._count == 0:
            self._base_pa = pressure_pa
            self._sum = 0
        self._sum += pressure_pa - self._base_pa
        self._count += 1
        if self._count < READINGS:
            return WAIT
        self.level_pa = self._base_pa + self._sum // READINGS
        self._count = 0
        if self._look_ms < 0:
            self._look_ms, self._look_pa = now_ms, self.level_pa
            if not self._is_resting:
                return self._after_pull()
            return DONE if self.level_pa <= self.target_pa + NEAR_PA else WAIT
        ticks = min((now_ms - self._look_ms) // TICK_MS, 3 * self._tau)
        return self._rest(ticks) if self._is_resting else self._look(ticks)

    def next_nl(self):
        """Volume to retract now."""
        if not self._is_proven:
            return PIECE_NL
        left_nl = volume_nl(self.level_pa - self.target_pa, self._compliance)
        return max(200, min(PULL_NL, self._between_nl - self._since_nl, left_nl * 7 // 8))

    def _judge_from(self, level_pa):
        self._ref_pa = level_pa
        self._since_nl = 0  # retracted since then

    def _rest(self, ticks):
        """The rest before the first pull: its slope is that of flow which still relaxes."""
        if self.level_pa <= self.target_pa + NEAR_PA:
            return DONE
        if ticks < max(REST_TICKS, self._tau // 5):
            return WAIT
        change_pa = _bounded(self.level_pa - self._look_pa)
        self._sure_pa = max(SURE_PA, 2 * self._steps_pa // self._steps)
        if abs(change_pa) >= self._sure_pa:
            self.slope_pa = _bounded(change_pa * self._tau // ticks)
        self._is_resting = False
        self.from_pa = self.level_pa
        self._judge_from(self.level_pa)
        return PULL

    def _after_pull(self):
        """The first mean after a pull: it must have lowered the pressure."""
        if self._lost_nl < 0:
            fallen_pa = self.from_pa - self.level_pa
            if fallen_pa < 2 * self._sure_pa:
                return OPEN if self._pulled_nl >= self._lash_nl + PULL_NL else PULL
            self._lost_nl = max(0, self._pulled_nl - max(PIECE_NL, volume_nl(fallen_pa, self._compliance)))
        if self._is_proven and self._falls_too_little():
            return OPEN
        is_short = self._since_nl < self._between_nl if self._is_proven else self._pulled_nl - self._lost_nl < FIRST_NL
        return PULL if is_short and self.level_pa > self.target_pa + NEAR_PA else WAIT

    def _falls_too_little(self):
        """True if the pulls since the last judgement lowered the pressure by less than half as much as those before."""
        before_nl = self._pulled_nl - self._since_nl - self._lost_nl
        fallen_pa, before_pa = _bounded(self._ref_pa - self.level_pa), self.from_pa - self._ref_pa
        return self._since_nl >= FIRST_NL and fallen_pa * 2 * (before_nl // 64) < before_pa * (self._since_nl // 64)

    def _look(self, ticks):
        """A later mean after the last pull before a judgement: OPEN or closed, or not to be told yet."""
        tau = self._tau
        risen_pa = _bounded(self.level_pa - self._look_pa) - self.slope_pa * ticks // tau
        expected_pa = _bounded(self._ref_pa - self._look_pa) * ticks // tau
        if risen_pa > max(self._sure_pa, expected_pa // 2):
            return OPEN
        is_done = self.level_pa <= self.target_pa + NEAR_PA
        is_end = is_done and self._is_proven and ticks >= LOOK_TICKS
        if expected_pa >= 2 * self._sure_pa or ticks > 2 * tau or is_end:
            return self._closed(is_done)
        return WAIT

    def _closed(self, is_done):
        """The pressure has not come back."""
        self._is_proven = True
        self.slope_pa = 0
        self._judge_from(self.level_pa)
        if is_done:
            return DONE
        return OPEN if self._pulled_nl - self._lash_nl > self._held_nl() else PULL

    def _held_nl(self):
        """What the line can have held above the target: by its compliance, or by that which the pulls have shown."""
        held_pa = self.from_pa - self.target_pa
        known_nl = volume_nl(held_pa, self._compliance)
        shown_nl = held_pa * ((self._pulled_nl - self._lost_nl) // 256) // max(1, self.from_pa - self.level_pa) * 256
        return max(known_nl, min(shown_nl, known_nl * 5 // 2)) + PULL_NL


def _bounded(pressure_pa):
    return max(-MOST_PA, min(MOST_PA, pressure_pa))
