"""Alarm lights and sounds against the windows of IEC 60601-1-8, from the levels their PIO programs drive."""

import pytest
from support.fakes.fake_board import Pin

RED, YELLOW, GREEN = 1, 2, 4


def levels(machine, cycles):
    """[(cycle, level)] of each change within `cycles`."""
    out = []
    for cycle in range(cycles):
        before = machine.core.pins
        machine.core.step()
        if machine.core.pins != before:
            out.append((cycle, machine.core.pins))
    return out


@pytest.fixture
def lights(fake):
    fake.lights = fake.driver("annunciator").Lights(4, Pin(18))
    fake.sm = fake.clock.machines[0]
    return fake


def rises_s(lights, bit, seconds):
    freq = lights.sm.freq
    before, out = 0, []
    for cycle, level in levels(lights.sm, int(seconds * freq)):
        if level & bit and not before & bit:
            out.append(cycle / freq)
        before = level
    return out


def test_high_is_red_between_1_4_and_2_8_hz(lights):
    """ALS-02."""
    lights.lights.show(3)
    rises = rises_s(lights, RED, 10)
    gaps = [b - a for a, b in zip(rises, rises[1:], strict=False)]
    assert all(1 / 2.8 <= gap <= 1 / 1.4 for gap in gaps) and len(gaps) >= 15


def test_medium_is_yellow_between_0_4_and_0_8_hz(lights):
    """ALS-02."""
    lights.lights.show(2)
    rises = rises_s(lights, YELLOW, 20)
    gaps = [b - a for a, b in zip(rises, rises[1:], strict=False)]
    assert all(1 / 0.8 <= gap <= 1 / 0.4 for gap in gaps) and len(gaps) > 5


def test_low_is_steady_yellow_and_green_shows_infusion(lights):
    """ALS-02."""
    lights.lights.show(1, infusing=True)
    levels(lights.sm, 10)
    assert lights.sm.core.pins == YELLOW | GREEN
    assert levels(lights.sm, 40_000) == []
    lights.lights.show(0, infusing=True)
    levels(lights.sm, 10)
    assert lights.sm.core.pins == GREEN


def test_a_new_priority_shows_at_once_and_an_old_one_costs_nothing(lights):
    lights.lights.show(0)
    levels(lights.sm, 5000)
    lights.lights.show(3)
    assert levels(lights.sm, 10)[0][1] == RED
    puts = []
    lights.sm.put = puts.append
    lights.lights.show(3)
    assert puts == []


def test_two_changes_in_one_cycle_show_the_second(lights):
    lights.lights.show(2)
    lights.lights.show(3)
    levels(lights.sm, 10)
    assert lights.sm.core.pins == RED


def pulses_s(fake, priority, seconds):
    """[(start, end)] of the pulses of sound."""
    sound = fake.driver("annunciator").Sound(5, Pin(21))
    sm = fake.clock.machines[0]
    sound.show(priority)
    assert sm.on
    highs = [cycle / sm.freq for cycle, level in levels(sm, int(seconds * sm.freq)) if level]
    pulses = []
    for t in highs:
        if pulses and t - pulses[-1][1] < 0.02:
            pulses[-1][1] = t
        else:
            pulses.append([t, t])
    return pulses, highs


@pytest.mark.parametrize(
    "priority, count, shortest, longest, rest_from, rest_to",
    [(3, 10, 0.075, 0.200, 2.5, 15), (2, 3, 0.125, 0.250, 2.5, 30), (1, 1, 0.125, 0.250, 15, 1000)],
)
def test_bursts_lie_in_the_windows(fake, priority, count, shortest, longest, rest_from, rest_to):
    """ALS-02."""
    pulses, highs = pulses_s(fake, priority, 17)
    assert len(pulses) >= count + 1, "it repeats by itself"
    assert all(shortest <= end - start + 0.004 <= longest for start, end in pulses[:count])
    assert rest_from <= pulses[count][0] - pulses[count - 1][1] <= rest_to
    period = highs[1] - highs[0]
    assert 150 <= 1 / period <= 1000


def test_high_is_two_groups_of_three_and_two(fake):
    """ALS-02."""
    pulses, _ = pulses_s(fake, 3, 7)
    gaps = [b[0] - a[1] for a, b in zip(pulses, pulses[1:], strict=False)]
    kinds = "".join("x" if gap < 0.13 else "y" if gap < 0.5 else "Z" for gap in gaps[:9])
    assert kinds == "xxyxZxxyx"


def test_muted_is_silent_and_unmuted_restarts_the_burst(fake):
    """ALS-03."""
    sound = fake.driver("annunciator").Sound(5, Pin(21))
    sm = fake.clock.machines[0]
    sound.show(3)
    sound.show(3, muted=True)
    assert not sm.on and sm.core.pins == 0
    sound.show(3, muted=False)
    assert sm.on
