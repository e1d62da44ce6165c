"""How much fills the line."""

from pump.ledger import Ledger
from pump.priming import Priming
from pump.schedule import GRANT_PL
from pump.units import MAX_FLOW_NL_PER_H, SYRINGES


class Motion:
    """Makes each grant at once."""

    def __init__(self):
        self.flying = False
        self.last_made = 0
        self.grants = []

    def go_fixed(self, account, forward, usteps, period_us, s, ms):
        self.grants.append((forward, usteps, period_us))
        self.last_made = usteps

    def lands_in_ms(self, s, ms):
        return 1


class Core:
    def __init__(self, pl):
        self.ledger = Ledger()
        self.ledger.set_fluid(pl, 1000)
        self.motion = Motion()
        self.clock = self
        self.s = self.ms = 0


def test_the_line_is_filled_and_no_more():
    """DEL-31, DEL-32, DEL-33, H13: from the dead space to 1.1 times it, forward, at 10 mL/h at most."""
    for name in SYRINGES:
        pl = SYRINGES[name][2]
        for deadspace_ul in (100, 300, 3_000):
            core = Core(pl)
            priming = Priming(core)
            nl = priming.start(deadspace_ul)
            assert deadspace_ul * 1000 <= nl <= deadspace_ul * 1100
            while priming.step():
                priming.ended()
            moved_pl = sum(usteps * pl for _, usteps, _ in core.motion.grants)
            assert (moved_pl + 999) // 1000 == nl
            for forward, usteps, period_us in core.motion.grants:
                assert forward and usteps * pl <= GRANT_PL
                assert pl * 3600 * 1000 <= MAX_FLOW_NL_PER_H * period_us and period_us >= 5_000


def test_a_prime_that_is_cut_short_moves_no_more():
    """DEL-31: what is left counts from what was made, not from what was granted."""
    core = Core(41_282)
    priming = Priming(core)
    priming.start(100)
    whole = priming.usteps_left
    priming.step()
    core.motion.last_made = 5
    priming.ended()
    assert priming.usteps_left == whole - 5
