"""The ledger of delivered volume."""

from pump.base.units import SYRINGES, mass_ng_of_usteps, usteps_of_volume, volume_nl_of_mass, volume_nl_of_usteps
from pump.delivery.ledger import ACCOUNTS, BASAL, CREDIT, EXCESS, PCA, PRIME, Ledger

PL = 41_282


def new(concentration=1000):
    ledger = Ledger()
    ledger.set_fluid(PL, concentration)
    return ledger


def test_given_rounds_up_and_asked_for_rounds_down():
    """NUM-07, DEL-06: a dose is never more than was asked for, what was given is never understated."""
    for name in SYRINGES:
        pl = SYRINGES[name][2]
        for ug in (1, 14, 70, 99, 500, 12_345):
            for concentration in (1, 7, 50, 999, 25_000):
                nl = volume_nl_of_mass(ug, concentration)
                usteps = usteps_of_volume(nl, pl)
                assert nl * concentration <= ug * 1_000_000
                assert usteps * pl <= nl * 1000
                assert volume_nl_of_usteps(usteps, pl) * 1000 >= usteps * pl
                assert mass_ng_of_usteps(usteps, pl, concentration) * 1_000_000 >= usteps * pl * concentration
                assert mass_ng_of_usteps(usteps, pl, concentration) <= ug * 1000


def test_priming_is_in_no_total():
    """DEL-31, LIM-17, ITH-07: it leaves the syringe, not the pump's account of the patient."""
    ledger = new()
    ledger.book(PRIME, 7_000)
    assert ledger.booked_nl() == ledger.booked_ng() == 0
    assert ledger.volume_nl(PRIME) == volume_nl_of_usteps(7_000, PL)
    assert ledger.drawn_usteps() == 7_000


def test_all_that_was_given_is_in_the_total():
    """COM-05: also what the encoder saw beyond the command."""
    ledger = new()
    ledger.book(BASAL, 1_000)
    ledger.book(PCA, 500)
    ledger.book(EXCESS, 30)
    ledger.give_back(PCA, 100)
    nl = ledger.booked_nl()
    assert 1_430 * PL <= nl * 1000 < 1_430 * PL + 3_000
    assert ledger.drawn_usteps() == 1_430


def test_a_credit_rounds_down():
    """OCC-16: what was taken back from the line is never overstated."""
    ledger = new()
    ledger.book(BASAL, 1_000)
    ledger.book(CREDIT, 7)
    assert ledger.volume_nl(CREDIT) == 7 * PL // 1000
    assert ledger.booked_nl() == volume_nl_of_usteps(1_000, PL) - 7 * PL // 1000
    assert ledger.drawn_usteps() == 993


def test_another_fluid_counts_from_there_on():
    """LIM-13: mass given so far stays what it was; what comes is worth its own concentration and syringe."""
    ledger = new(1000)
    for k in range(ACCOUNTS):
        ledger.book(k, 1_001 + k)
    before = [(ledger.volume_nl(k), ledger.mass_ng(k)) for k in range(ACCOUNTS)]
    ledger.set_fluid(139_976, 50)
    assert [(ledger.volume_nl(k), ledger.mass_ng(k)) for k in range(ACCOUNTS)] == before
    ledger.book(BASAL, 10)
    assert ledger.volume_nl(BASAL) == before[BASAL][0] + 1_400
    assert ledger.mass_ng(BASAL) == before[BASAL][1] + 70
    ledger.set_fluid(139_976, 50)
    assert ledger.mass_ng(BASAL) == before[BASAL][1] + 70
