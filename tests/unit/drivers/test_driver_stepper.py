"""The step generator: its PIO program is run cycle by cycle under the driver."""

import pytest
from support.fakes.fake_board import Pin


@pytest.fixture
def bench(fake):
    stepper = fake.driver("stepper")
    fake.enn, fake.dir = Pin(8), Pin(3)
    fake.steps = stepper.StepGenerator(0, step=Pin(2), direction=fake.dir, enn=fake.enn)
    fake.sm = fake.clock.machines[0]
    fake.rises = lambda: [us for us, level in fake.sm.edges if level]
    return fake


@pytest.mark.parametrize(
    "first, period, steps", [(5000, 5000, 4), (5001, 5001, 3), (7123, 12_345, 3), (60_000, 5000, 1)]
)
def test_steps_rise_exactly_when_granted(bench, first, period, steps):
    put_us = bench.clock.now_us = 777
    assert bench.steps.grant(True, first, period, steps)
    for _ in range(first + period * steps):
        bench.clock.run(1)
    assert bench.rises() == [put_us + first + k * period for k in range(steps)]
    assert not bench.steps.busy()
    assert bench.steps.made() == steps


def run_each(bench, us):
    for _ in range(us):
        bench.clock.run(1)


def test_step_is_high_for_four_microseconds(bench):
    """NUM-06."""
    bench.steps.grant(True, 5000, 5000, 2)
    run_each(bench, 12_000)
    (rise, _), (fall, _), *_ = bench.sm.edges
    assert fall - rise == 4


def test_no_word_steps_faster_than_the_floor(bench):
    """NUM-06, H21."""
    bench.steps.grant(True, 0, 0, 3)
    run_each(bench, 20_000)
    assert bench.rises() == [5000, 10_000, 15_000]


def test_an_empty_fifo_is_silence(bench):
    """WDG-03."""
    bench.steps.grant(True, 5000, 5000, 2)
    run_each(bench, 40_000)
    assert len(bench.rises()) == 2


def test_the_floor_also_lies_between_a_halt_and_the_next_grant(bench):
    bench.steps.grant(True, 5000, 5000, 10)
    run_each(bench, 10_003)
    assert bench.steps.halt() == 2
    assert bench.steps.grant(True, 0, 0, 1)
    run_each(bench, 6000)
    assert len(bench.rises()) == 3
    assert bench.rises()[-1] - bench.rises()[-2] >= 5000


def test_made_counts_while_moving_and_changes_nothing(bench):
    bench.steps.grant(True, 6000, 7000, 4)
    seen = []
    for _ in range(3):
        run_each(bench, 7000)
        seen.append(bench.steps.made())
        assert bench.steps.made() == seen[-1]
    run_each(bench, 10_000)
    assert seen == [1, 2, 3]
    assert bench.rises() == [6000, 13_000, 20_000, 27_000]


def test_a_stop_in_any_cycle_never_counts_too_few(bench):
    """DEL-29, OCC-07."""
    for stop_us in range(9990, 10_012):
        bench.sm.edges.clear()
        start = bench.clock.now_us
        bench.steps.grant(True, 5000, 5000, 5)
        run_each(bench, stop_us)
        made = bench.steps.halt()
        rises = len(bench.rises())
        assert rises <= made <= rises + 1
        assert made == rises or bench.clock.now_us - start == 10_000
        assert bench.sm.core.pins == 0, "STEP is left low, or the next rise would be none"


def test_gate_stops_at_once_and_lets_nothing_start_until_it_is_unlocked(bench):
    """ALS-13, DEL-28: ending the grant that was cut is not hearing why it was cut."""
    bench.steps.grant(True, 5000, 5000, 5)
    run_each(bench, 12_000)
    bench.steps.gate()
    run_each(bench, 20_000)
    assert len(bench.rises()) == 2
    assert bench.steps.busy()
    assert bench.steps.halt() == 2
    assert bench.steps.made() == 2
    assert not bench.steps.busy()
    assert not bench.steps.grant(True, 5000, 5000, 1)
    run_each(bench, 6000)
    assert len(bench.rises()) == 2
    bench.steps.unlock()
    assert bench.steps.grant(True, 5000, 5000, 1)
    run_each(bench, 6000)
    assert len(bench.rises()) == 3


def test_a_grant_under_a_latched_gate_starts_nothing(bench):
    bench.steps.gate()
    assert not bench.steps.grant(True, 5000, 5000, 5)
    run_each(bench, 20_000)
    assert bench.rises() == []
    assert not bench.steps.busy()
    assert bench.steps.halt() == 0


def test_only_one_grant_is_in_flight(bench):
    bench.steps.grant(True, 5000, 5000, 2)
    with pytest.raises(RuntimeError):
        bench.steps.grant(True, 5000, 5000, 2)
    with pytest.raises(ValueError):
        bench.steps.grant(True, 5000, 5000, 0)


def test_halt_empties_a_fifo_that_was_not_taken(bench):
    bench.steps.grant(True, 5000, 5000, 2)
    bench.steps.gate()  # before a single cycle has run
    assert bench.sm.tx_fifo() == 3
    assert bench.steps.halt() == 0
    assert bench.sm.tx_fifo() == 0


def test_a_gate_while_the_words_are_loaded_never_counts_too_few(bench):
    for cycles in range(9):
        bench.steps.grant(True, 5000, 5000, 5)
        run_each(bench, cycles)
        bench.steps.gate()
        assert bench.steps.halt() >= 0
        assert bench.sm.tx_fifo() == 0
    assert bench.rises() == []


def test_words_are_put_with_interrupts_off(bench):
    off = []
    put = bench.sm.put
    bench.sm.put = lambda words: (off.append(bench.machine.irqs_off), put(words))
    bench.steps.grant(True, 5000, 5000, 1)
    assert off == [1]
    assert bench.machine.irqs_off == 0


def test_direction_and_enable(bench):
    """NUM-06."""
    bench.steps.enable(True)
    assert bench.enn.level == 0
    bench.steps.grant(False, 5000, 5000, 1)
    assert bench.dir.level == 0
    bench.steps.enable(False)
    assert bench.enn.level == 1


def test_a_state_machine_that_does_not_answer_is_an_error(bench):
    bench.sm.exec = lambda word: None
    with pytest.raises(OSError):
        bench.steps.probe()
