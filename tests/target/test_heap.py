"""The delivery tick on the frozen firmware of the real image."""

from support.chip import heap_proof

TURNS = 250  # a case; a thousand are printed by `make bench-target`


def test_the_delivery_tick_allocates_nothing_and_is_in_time(development):
    """NUM-02: at the ends of its range and after ten years of service, under heap_lock, within 5.5 ms of the chip."""
    wrong = {name: heap_proof.faults(report) for name, report in heap_proof.reports(development, TURNS)}
    assert len(wrong) >= 19
    assert {name: found for name, found in wrong.items() if found} == {}


def test_the_hardest_tick_allocates_nothing(development):
    """NUM-02: everything at once, and the pulse written to FRAM. How long it takes is a figure: `make bench-target`."""
    wrong = {name: heap_proof.allocations(report) for name, report in heap_proof.reports(development, TURNS, "HARD")}
    assert len(wrong) == 3
    assert {name: found for name, found in wrong.items() if found} == {}
