"""Volume that fills the line."""

from pump.base.units import MAX_FLOW_NL_PER_H, SYRINGES
from pump.delivery.ledger import PRIME, Ledger
from pump.delivery.priming import LASH_USTEPS, Priming
from pump.delivery.schedule import GRANT_PL


class Motion:
    """Makes each grant at once."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.in_flight = False
        self.last_made = 0
        self.grants = []

    def grant_fixed(self, account, forward, usteps, period_us, s, ms):
        self.ledger.book(account, usteps)
        self.grants.append((forward, usteps, period_us))
        self.last_made = usteps

    def ends_in_ms(self, s, ms):
        return 1


class TherapyState:
    def __init__(self, pl):
        self.ledger = Ledger()
        self.ledger.set_fluid(pl, 1000)
        self.motion = Motion(self.ledger)
        self.clock = self
        self.s = self.ms = 0
        self.primed = False
        self.prime_mark_nl = 0


def test_the_line_is_filled_and_no_more():
    """DEL-31, DEL-32, DEL-33, H13: from the dead space to 1.1 times it and the lash, at 10 mL/h at most."""
    for name in SYRINGES:
        pl = SYRINGES[name][2]
        for deadspace_ul in (100, 300, 3_000):
            therapy = TherapyState(pl)
            priming = Priming(therapy)
            nl = priming.prepare(deadspace_ul)
            assert deadspace_ul * 1000 <= nl <= deadspace_ul * 1100 + LASH_USTEPS * pl // 1000 + 1
            while priming.step():
                priming.grant_ended()
            moved_pl = sum(usteps * pl for _, usteps, _ in therapy.motion.grants)
            assert (moved_pl + 999) // 1000 == nl
            for forward, usteps, period_us in therapy.motion.grants:
                assert forward and usteps * pl <= GRANT_PL
                assert pl * 3600 * 1000 <= MAX_FLOW_NL_PER_H * period_us and period_us >= 5_000


def test_a_prime_that_is_cut_short_goes_on_with_the_rest():
    """DEL-31, DEL-33: the rest counts from the steps made, not granted; also after a restart."""
    therapy = TherapyState(41_282)
    priming = Priming(therapy)
    priming.prepare(100)
    whole = priming.usteps_left
    for _ in range(10):
        priming.step()
        priming.grant_ended()
    priming.step()
    therapy.motion.last_made = 5
    therapy.ledger.give_back(PRIME, GRANT_PL // 41_282 - 5)
    priming.grant_ended()
    left = whole - 10 * (GRANT_PL // 41_282) - 5
    assert priming.usteps_left == left
    priming.prepare(100)
    assert left - 1 <= priming.usteps_left <= left
