"""The simulated line: pressure, flow, dead space, air."""

from math import exp

import pytest
from cisterna.bench.world.dead_space import DeadSpace
from cisterna.bench.world.line import Line
from cisterna.bench.world.settings import checked_pump
from hypothesis import given
from hypothesis import strategies as st

C, R = 9.0, 0.65 * 3.6

strides = st.lists(
    st.tuples(
        st.integers(0, 100_000_000),  # microseconds
        st.floats(-50, 50),  # uL
        st.floats(-5, 5),  # tip at the end of it
        st.sampled_from([None, 0.0, 0.5, 1.0, "upstream", "open"]),
    ),
    max_size=30,
)


def line():
    line = Line(checked_pump({}))
    line.connect(True)
    return line


def test_rest_pressure_is_tip_plus_flow_times_resistance():
    wet = line()
    for _ in range(100):
        wet.flow(10, 10 / 3.6, 1.3, 1.3)  # 1 mL/h
    assert wet.kpa == pytest.approx(1.3 + 0.65)


def test_decay_is_exponential():
    wet = line()
    wet.kpa = 10
    out = wet.flow(30, 0, 0, 0)
    assert wet.kpa == pytest.approx(10 * exp(-30 / (R * C)))
    assert out == pytest.approx(C * (10 - wet.kpa))


def test_a_moving_tip_is_trailed_by_tau():
    wet = line()
    for n in range(100):
        wet.flow(10, 0, n * 0.1, (n + 1) * 0.1)
    assert wet.kpa == pytest.approx(10 - 0.01 * R * C)


def test_one_long_interval_equals_many_short_ones():
    one, many = line(), line()
    out = one.flow(60, 6, 0, 3)
    parts = sum(many.flow(0.1, 0.01, n * 0.005, (n + 1) * 0.005) for n in range(600))
    assert one.kpa == pytest.approx(many.kpa)
    assert out == pytest.approx(parts)


@given(strides)
def test_no_volume_is_lost(todo):
    wet = line()
    pumped = delivered = tip = 0.0
    for us, ul, tip_after, clamp in todo:
        if clamp == "upstream" or clamp == "open":
            wet.clamp_upstream(clamp == "upstream")
        elif clamp is not None:
            wet.clamp(clamp)
        delivered += wet.flow(us / 1_000_000, ul, tip, tip_after)
        pumped += ul
        tip = tip_after
    wet.clamp_upstream(False)
    assert pumped == pytest.approx(delivered + C * wet.kpa, abs=1e-9)


def test_closed_line_only_swells():
    wet = line()
    wet.clamp(1.0)
    assert wet.flow(100, 9, 0, 0) == 0
    assert wet.kpa == pytest.approx(1)


def test_upstream_clamp_keeps_the_push_from_the_sensor():
    wet = line()
    wet.kpa = 2.0
    wet.clamp_upstream(True)
    wet.flow(10, 27, 2.0, 2.0)
    assert wet.kpa == pytest.approx(2.0)
    assert wet.syringe_kpa == pytest.approx(12.0)
    wet.clamp_upstream(False)
    assert wet.kpa == pytest.approx(5.0)


def test_air_leaves_first_then_drug():
    dead, drug = DeadSpace(300.0), ("morphine", 2.0)
    assert dead.push(200.0, drug) == 0
    assert dead.push(150.0, drug) == pytest.approx(100.0)
    assert dead.push(1.0, drug) == pytest.approx(2.0)
    assert sum(plug[0] for plug in dead.plugs) == pytest.approx(300)


def test_what_runs_back_comes_out_again_first():
    dead, drug = DeadSpace(300.0), ("morphine", 2.0)
    dead.push(400.0, drug)
    assert dead.push(-5.0, drug) == 0
    assert dead.push(8.0, drug) == pytest.approx(6.0)
    assert len(dead.plugs) == 1


def test_a_new_fluid_arrives_after_the_dead_space():
    dead, old, new = DeadSpace(300.0), ("morphine", 2.0), ("hydromorphone", 1.0)
    dead.push(400.0, old)
    assert dead.push(300.0, new) == pytest.approx(600)
    assert dead.push(10.0, new) == pytest.approx(10)
