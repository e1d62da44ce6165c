"""The simulated drive: backlash, sticking, pitch and bore errors, rotor jumps, stalls, end stop."""

import pytest
from cisterna.bench.world.drive import Drive
from cisterna.bench.world.settings import checked_pump

UL_PER_USTEP = 0.041282  # bd-10


def drive(**pump):
    made = Drive(checked_pump({"pitch_error_um": 0, "stick_slip_um": 0, **pump}), 1)
    made.set_coils(True, True)
    return made


def test_backlash_is_taken_up_before_fluid_moves():
    d = drive()
    assert d.turn(80) == pytest.approx(0, abs=1e-9)
    assert d.turn(100) == pytest.approx(100 * UL_PER_USTEP, rel=2e-5)


def test_backlash_is_lost_at_each_reversal():
    d = drive()
    d.turn(200)
    assert d.turn(-80) == pytest.approx(0, abs=1e-9)
    assert d.turn(-50) == pytest.approx(-50 * UL_PER_USTEP, rel=2e-5)
    assert d.turn(80) == pytest.approx(0, abs=1e-9)
    assert d.turn(50) == pytest.approx(50 * UL_PER_USTEP, rel=2e-5)


def test_refill_takes_the_backlash_up():
    d = drive()
    d.refill(5000.0)
    assert d.turn(10) == pytest.approx(10 * UL_PER_USTEP, rel=2e-5)
    assert d.reservoir_ul == pytest.approx(5000 - 10 * UL_PER_USTEP)


def test_plunger_sticks_and_slips_by_two_micrometres():
    d = drive(stick_slip_um=2)
    d.refill(10000.0)
    made = [d.turn(1) for _ in range(80)]
    slips = [ul for ul in made if ul]
    assert len(slips) == 10
    assert slips[0] == pytest.approx(8 * UL_PER_USTEP, rel=2e-5)


def test_pitch_error_comes_back_every_revolution():
    d = drive(pitch_error_um=1.5)
    d.refill(10000.0)
    revolution = [d.turn(100) for _ in range(32)]
    again = [d.turn(100) for _ in range(32)]
    assert revolution == pytest.approx(again)
    assert sum(revolution) == pytest.approx(3200 * UL_PER_USTEP, rel=2e-5)
    assert max(revolution) - min(revolution) > 0.04 * UL_PER_USTEP  # but it is there


def test_bore_error_counts_twice():
    plain, wide = drive(), drive(bore_error_percent=1)
    assert wide.ul_per_um / plain.ul_per_um == pytest.approx(1.01**2)


@pytest.mark.parametrize(
    "steps, lands", [(0, 0), (31, 0), (32, 64), (63, 64), (64, 64), (100, 128), (-31, 0), (-33, -64)]
)
def test_power_cut_lets_the_rotor_snap_up_to_two_full_steps(steps, lands):
    d = drive()
    d.turn(steps)
    d.set_coils(False, True)
    assert d.turn(10) == 0
    assert d.rotor == steps
    d.set_coils(True, True)
    assert d.rotor == lands


def test_snap_comes_with_the_coils_not_with_the_supply():
    d = drive()
    d.turn(40)
    d.set_coils(False, False)
    d.set_coils(True, False)
    assert d.rotor == 40
    d.set_coils(True, True)
    assert d.rotor == 64


def test_enable_pin_alone_loses_nothing():
    d = drive()
    d.turn(40)
    d.set_coils(True, False)
    assert d.turn(10) == 0
    d.set_coils(True, True)
    assert d.rotor == 40


def test_stall_and_creep():
    d = drive()
    d.stalled = True
    assert d.turn(100) == 0 and d.rotor == 0
    d.stalled = False
    d.creep_percent = 2.5
    for _ in range(100):
        d.turn(10)
    assert d.rotor == 1025


def test_end_stop_keeps_the_plunger_and_loses_steps():
    d = drive(fill_ml=0.01)
    d.refill(10.0)
    assert d.turn(1000) == pytest.approx(10.0)
    assert d.reservoir_ul == 0
    at_stop = d.rotor
    assert at_stop == pytest.approx(10 / UL_PER_USTEP, abs=2)
    assert d.turn(100) == 0
    assert d.rotor == pytest.approx(at_stop, abs=8)
    assert d.turn(-500) < 0  # backwards it still goes
