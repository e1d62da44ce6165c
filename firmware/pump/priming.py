"""Fills the line before the patient is connected, and takes up the lash of the screw [DEL-31..34, H13].

Bounded to 1.1 x the dead space and the lash, counted apart, part of no therapy total and of no limit.
"""

from pump import records
from pump.ledger import PRIME
from pump.schedule import GRANT_PL
from pump.units import const, volume_nl_of_usteps

LASH_USTEPS = const(96)  # 24 um of screw: the nut must touch before fluid moves
EXTRA_PERCENT = const(2)  # the line must be full even with a bore at its tolerance


class Priming:
    """Moves the dead space in grants at the machine's full flow."""

    def __init__(self, core):
        self._core = core
        self.usteps_left = 0
        self._usteps = 0

    def prepare(self, deadspace_ul):
        """Works out what the line still needs: what was moved before an interruption counts. Returns nL."""
        pl = self._core.ledger.pl_step
        wanted = deadspace_ul * 1000 * (100 + EXTRA_PERCENT) // 100 * 1000 // pl + LASH_USTEPS
        most = deadspace_ul * 1100 * 1000 // pl + LASH_USTEPS
        moved = self._core.ledger.volume_nl(PRIME) * 1000 // pl
        self.usteps_left = max(1, min(wanted, most) - moved)
        self._usteps = 0
        self._period_us = max(5_000, pl * 9 // 25 + 1)  # 10 mL/h is 2777.8 nL/s: 0.36 us a picolitre
        return volume_nl_of_usteps(self.usteps_left, pl)

    def left_nl(self):
        """What is still to be moved."""
        return volume_nl_of_usteps(self.usteps_left, self._core.ledger.pl_step)

    def ended(self):
        """A grant has ended: counts it."""
        made = self._core.motion.last_made
        self._usteps += made
        self.usteps_left -= made

    def step(self):
        """Grants the next piece. Returns ms to the next look, or 0 when the line is full."""
        core = self._core
        if core.motion.flying:
            return core.motion.lands_in_ms(core.clock.s, core.clock.ms)
        if self.usteps_left <= 0:
            return 0
        usteps = min(self.usteps_left, GRANT_PL // core.ledger.pl_step)
        core.motion.go_fixed(PRIME, True, usteps, self._period_us, core.clock.s, core.clock.ms)
        return core.motion.lands_in_ms(core.clock.s, core.clock.ms)

    def note(self, finished):
        """Writes the record of what was moved."""
        nl = volume_nl_of_usteps(self._usteps, self._core.ledger.pl_step)
        self._core.diary.note(records.PRIME, (self._usteps, nl, finished))
