"""The simulated step generator and what its steps displace."""

import pytest


def test_a_step_rises_at_its_very_microsecond(bench):
    bench.energise()
    bench.to(1)
    bench.grant(3, period_s=0.5, first_s=0.2)
    for t_s, steps in ((1.199999, 0), (1.2, 1), (1.699999, 1), (1.7, 2), (2.2, 3), (9, 3)):
        bench.to(t_s)
        assert bench.plant.steps == steps
        assert bench.source.x() == (3 - 1 - steps) & 0xFFFFFFFF


def test_the_program_holds_five_milliseconds(bench):
    bench.energise()
    for word in (0, 0, 9):
        bench.source.put(word)
    bench.to(0.005)
    assert bench.plant.steps == 1
    bench.to(0.0499)
    assert bench.plant.steps == 9


def test_two_words_are_no_grant(bench):
    bench.energise()
    bench.source.put(0)
    bench.source.put(0)
    assert bench.source.tx_fifo() == 0  # the program has pulled them and waits for the third
    bench.to(5)
    assert bench.plant.steps == 0
    bench.source.put(4)
    bench.to(6)
    assert bench.plant.steps == 5


def test_a_second_grant_waits_for_the_first_and_replaces_nothing(bench):
    bench.energise()
    bench.grant(10, 0.1)
    bench.grant(10, 0.1)
    assert bench.source.tx_fifo() == 3
    bench.to(1.0)
    assert bench.plant.steps == 10
    assert bench.source.tx_fifo() == 0
    bench.to(1.55)
    assert bench.plant.steps == 15
    bench.to(9)
    assert bench.plant.steps == 20


def test_stopping_keeps_what_was_made_and_what_is_left(bench):
    bench.energise()
    bench.grant(10, 0.1)
    bench.to(0.45)
    bench.source.set_active(False)
    bench.to(3)
    assert bench.plant.steps == 4
    assert bench.source.x() == 5
    bench.source.set_active(True)
    bench.to(3.04)
    assert bench.plant.steps == 4
    bench.to(3.05)
    assert bench.plant.steps == 5


def test_restart_ends_the_grant(bench):
    bench.energise()
    bench.grant(10, 0.1)
    bench.to(0.45)
    bench.source.set_active(False)
    bench.source.restart()
    bench.source.set_active(True)
    bench.to(3)
    assert bench.plant.steps == 4
    bench.grant(2, 0.1)
    bench.to(4)
    assert bench.plant.steps == 6


def test_steps_without_coils_move_nothing(bench):
    bench.source.set_active(True)
    bench.grant(100)
    bench.to(2)
    assert bench.plant.steps == -100  # DIR is low after reset
    assert bench.plant.drive.rotor == 0


def test_direction_changes_take_effect_at_once(bench):
    bench.energise()
    bench.grant(10, 0.1)
    bench.timeline.now_us = 450_000
    bench.world.gpio.drive(3, 0)
    bench.to(2)
    assert bench.plant.steps == 4 - 6


def test_edges_on_the_step_pin_are_steps_too(bench):
    bench.energise()
    for _ in range(5):
        bench.world.gpio.drive(2, 1)
        bench.world.gpio.drive(2, 0)
    assert bench.plant.drive.rotor == 5
    assert bench.plant.steps == 5


@pytest.mark.parametrize("looks", [1, 7, 100])
def test_the_volume_does_not_depend_on_how_often_it_is_read(make_bench, looks):
    bench = make_bench()
    bench.energise()
    bench.world.act("connect")
    for n in range(20):
        bench.grant(24, 0.05)
        for part in range(looks):
            bench.to(n * 2 + 2 * (part + 1) / looks)
    assert bench.plant.pumped_ul == pytest.approx(400 * 0.041282, rel=1e-4)
    assert bench.plant.delivered_ul == pytest.approx(bench.plant.pumped_ul - 9 * bench.plant.line.kpa, abs=1e-9)
    assert bench.plant.line.kpa == pytest.approx(2.017, abs=0.01)
