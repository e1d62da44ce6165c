"""Actions of the simulated world: presses, contacts, faults, supplies, pressures, syringes."""

from math import exp

import pytest
from cisterna.bench.world import World
from cisterna.bench.world.rng import Rng

S = 1_000_000


def edges(world):
    """Every edge of an input from here on, as (us, pin, level)."""
    seen = []
    world.gpio.on_input = lambda pin, level: seen.append((world.timeline.now_us, pin, level))
    return seen


def run(world, t_s):
    """Let time pass without a CPU."""

    class Enough(Exception):
        pass

    def host():
        raise Enough

    world.timeline.host = host
    world.timeline.limit_us = round(t_s * S)
    with pytest.raises(Enough):
        world.timeline.wait()
        while True:
            world.timeline.wait()


def test_presses_move_both_contacts_at_their_instants():
    world = World({})
    seen = edges(world)
    world.act("press", hold_ms=200, count=2, gap_ms=300)
    run(world, 5)
    assert seen == [
        (0, 13, 1), (0, 12, 0), (200_000, 13, 0), (200_000, 12, 1),
        (500_000, 13, 1), (500_000, 12, 0), (700_000, 13, 0), (700_000, 12, 1),
    ]  # fmt: skip


def test_keys_door_and_clamp():
    world = World({})
    seen = edges(world)
    world.act("press", button="stop", hold_ms=50)
    world.act("door", open=True)
    world.act("syringe", gripped=False)
    run(world, 1)
    world.act("door", open=False)
    assert seen == [(0, 14, 1), (0, 15, 1), (0, 10, 0), (50_000, 10, 1), (1_000_000, 14, 0)]


@pytest.mark.parametrize("fault, levels", [("short", (0, 0)), ("open", (1, 1)), ("stuck", (0, 1))])
def test_pendant_faults_end_by_themselves(fault, levels):
    world = World({})
    world.act("pendant", fault=fault, for_s=3)
    assert (world.gpio.levels[12], world.gpio.levels[13]) == levels
    run(world, 2.9)
    assert (world.gpio.levels[12], world.gpio.levels[13]) == levels
    run(world, 3.1)
    assert (world.gpio.levels[12], world.gpio.levels[13]) == (1, 0)


def test_chatter_is_twenty_hertz():
    world = World({})
    seen = edges(world)
    world.act("pendant", fault="chatter", for_s=1)
    run(world, 3)
    assert len([e for e in seen if e[1] == 12 and e[2] == 0]) == 20
    assert (world.gpio.levels[12], world.gpio.levels[13]) == (1, 0)


@pytest.mark.parametrize(
    "do, keys, said",
    [
        ("explode", {}, "explode"),
        ("press", {"button": "nose"}, "nose"),
        ("press", {"hold_ms": 0}, "hold_ms"),
        ("press", {"colour": 1}, "colour"),
        ("occlude", {"fraction": 1.5}, "1.5"),
        ("occlude", {"where": "sideways"}, "sideways"),
        ("sensor", {"name": "smell", "fault": "ok"}, "smell"),
        ("sensor", {"name": "pressure", "fault": "sad"}, "sad"),
        ("back_pressure", {"kpa": "high"}, "high"),
        ("stall", {"for_s": -1}, "-1"),
        ("power", {}, "power"),
        ("stall", {"for_s": float("inf")}, "allowed: 0 to"),
        ("stall", {"for_s": float("nan")}, "allowed: 0 to"),
        ("power", {"off_for_s": 1e308}, "allowed: 0 to"),
        ("sensor", {"name": "pressure", "fault": "offset", "value": 1e308}, "allowed: a number from"),
        ("creep", {"percent": float("nan")}, "allowed: a number from"),
        ("back_pressure", {"kpa": -1e300}, "allowed: a number from"),
        ("press", {"hold_ms": 10**300}, "allowed: a whole number"),
        ("cut_at_write", {"n": "x", "byte": 1, "off_for_s": 1}, "allowed: a whole number"),
    ],
)
def test_a_wrong_act_says_what_is_wrong(do, keys, said):
    world = World({})
    with pytest.raises(ValueError, match=said):
        world.act(do, **keys)


@pytest.mark.parametrize(
    "config, said",
    [
        ({"pumps": {}}, "pumps"),
        ({"pump": {"syringe": "bd-11"}}, "bd-11"),
        ({"pump": {"compliance": 3}}, "compliance"),
        ({"pump": {"fill_ml": 11}}, "11"),
        ({"pump": {"backlash_um": -1}}, "backlash_um"),
        ({"pump": {"tip_kpa": "x"}}, "tip_kpa"),
        ({"pump": {"deadspace_ul": 0}}, "deadspace_ul"),
        ({"pump": {"resistance_kpa_per_ml_h": 1e308}}, "resistance_kpa_per_ml_h"),
        ({"pump": {"movement_kpa": float("nan")}}, "movement_kpa"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config, said):
    with pytest.raises(ValueError, match=said):
        World(config)


def test_reading_the_truth_changes_nothing(make_bench):
    plain, watched = make_bench(movement_kpa=3), make_bench(movement_kpa=3)
    for bench in (plain, watched):
        bench.energise()
        bench.world.act("connect")
        bench.world.act("mark_start")
        for n in range(400):
            bench.grant(24, 0.2)
            if bench is watched:
                for part in (1.1, 3.3, 8.7):
                    bench.timeline.now_us = round((n * 10 + part) * S)
                    bench.world.truth()
            bench.to(n * 10 + 10)
    assert plain.world.truth() == watched.world.truth()
    assert plain.plant.save() == watched.plant.save()


def test_motor_power_needs_the_pulse():
    world = World({})
    assert world.gpio.levels[26] == 0
    world.gpio.drive(22, 1)
    assert world.gpio.levels[26] == 1
    run(world, 6.4)
    world.gpio.drive(22, 0)
    run(world, 12.8)
    assert world.gpio.levels[26] == 1
    run(world, 12.95)
    assert world.gpio.levels[26] == 0
    world.gpio.drive(22, 1)
    assert world.gpio.levels[26] == 1


def _connected(bench):
    """The motor has current, the backlash is taken up, the line is on the catheter; t = 0."""
    bench.energise()
    bench.world.act("connect")
    bench.pump(80)
    bench.world.act("mark_start")


STORED_UL = 800 * 0.041282 - 9 * 1.3  # of 800 usteps into a closed line that was at 0 kPa, tip at 1.3 kPa


def test_a_release_ends_with_the_next_start(bench):
    _connected(bench)
    bench.world.act("occlude")
    bench.pump(800, 0.02)
    assert bench.world.truth()["released_ul"] == 0
    bench.energise()  # ENN off and on again: the motor has rested
    bench.world.act("clear")
    bench.to(bench.now_s() + 60)
    released = bench.world.truth()["released_ul"]
    assert released == pytest.approx(STORED_UL, abs=3)
    bench.pump(800, 0.02)
    assert bench.world.truth()["released_ul"] == pytest.approx(released, abs=0.01)


def test_a_pump_that_never_stops_has_a_release(bench):
    """What is pumped meanwhile does not count: only what the line had stored, less what its flow of 1.49 mL/h keeps."""
    _connected(bench)
    bench.world.act("occlude")
    bench.pump(800, 0.02)
    bench.world.act("clear")
    for _ in range(12):
        bench.pump(200, 0.1)
    outflow = bench.world.truth()
    assert outflow["released_ul"] == pytest.approx(STORED_UL - 9 * 0.65 * 1.486, abs=2)
    assert outflow["delivered_ul"] > 4 * outflow["released_ul"]


def test_a_release_is_counted_for_five_minutes_at_most(bench):
    """A line that opens only a little flows out slowly: tau = R C is 21 s open, 1050 s at a fraction of 0.98."""
    _connected(bench)
    bench.world.act("occlude")
    bench.pump(800, 0.02)
    bench.world.act("occlude", fraction=0.98)
    bench.to(bench.now_s() + 3600)
    part = 1 - exp(-300 / (0.65 * 3.6 / 0.02 * 9))
    assert bench.world.truth()["released_ul"] == pytest.approx(STORED_UL * part, abs=0.5)


def test_the_largest_release_counts(bench):
    _connected(bench)
    for usteps in (400, 800, 200):
        bench.world.act("occlude")
        bench.pump(usteps, 0.02)
        bench.energise()
        bench.world.act("clear")
        bench.to(bench.now_s() + 600)
    assert bench.world.truth()["released_ul"] == pytest.approx(800 * 0.041282, abs=2)


def test_what_leaves_an_open_line_is_lost_and_not_delivered(bench):
    _connected(bench)
    bench.pump(800, 0.02)
    bench.to(bench.now_s() + 200)
    delivered = bench.world.truth()["delivered_ul"]
    bench.world.act("disconnect")
    bench.pump(800, 0.02)
    bench.to(bench.now_s() + 200)
    truth = bench.world.truth()
    assert truth["delivered_ul"] == delivered
    assert truth["lost_ul"] == pytest.approx(800 * 0.041282 + 9 * 1.3, abs=0.5)
    assert truth["peak_tip_ug"]["1h"] <= truth["delivered_ug"] + 0.001


def test_the_window_at_the_tip_counts_what_the_line_still_holds(make_bench):
    """10 uL of dead space: of 33 uL pumped, the first 10 are of the old fluid."""
    bench = make_bench(deadspace_ul=10, compliance_ul_per_kpa=0.1)
    bench.world.act("syringe", gripped=False)
    bench.world.act("swap_syringe", ml=5, drug="test-fluid", concentration_ug_per_ml=1000)
    bench.energise()
    bench.pump(800)  # fills the line
    bench.world.act("connect")
    bench.world.act("swap_syringe", ml=5, drug="test-fluid", concentration_ug_per_ml=100)
    bench.world.act("mark_start")
    bench.pump(800, 0.1)
    bench.to(bench.now_s() + 100)
    ul = 800 * 0.041282
    truth = bench.world.truth()
    assert truth["peak_window_ug"]["1h"] == pytest.approx(ul * 0.1, abs=0.02)
    assert truth["peak_tip_ug"]["1h"] == pytest.approx(10 * 1.0 + (ul - 10) * 0.1, abs=0.3)


def test_an_open_gripper_lets_the_fluid_follow_height(bench):
    """With the plunger free, 13 kPa of height run out through 0.65 kPa per mL/h; gripped again, what the line holds."""
    _connected(bench)
    bench.world.act("back_pressure", kpa=-14.3, over_s=0)
    bench.to(bench.now_s() + 300)
    before = bench.world.truth()
    bench.world.act("gripper", open=True)
    assert bench.world.gpio.levels[15] == 1
    bench.to(bench.now_s() + 36)
    after = bench.world.truth()
    stored_ul = 9 * 13  # the line was 13 kPa below the atmosphere; the fluid that fills it comes from the syringe
    assert after["delivered_ul"] - before["delivered_ul"] == pytest.approx(13 / 0.65 * 10, rel=0.001)
    assert after["pumped_ul"] - before["pumped_ul"] == pytest.approx(13 / 0.65 * 10 + stored_ul, rel=0.001)
    taken_ul = before["reservoir_ul"] - after["reservoir_ul"]
    assert taken_ul == pytest.approx(after["pumped_ul"] - before["pumped_ul"])
    bench.world.act("gripper", open=False)
    bench.to(bench.now_s() + 3600)
    assert bench.world.gpio.levels[15] == 0
    assert bench.world.truth()["delivered_ul"] - after["delivered_ul"] == pytest.approx(stored_ul, abs=0.1)


def test_a_patient_above_the_pump_fills_a_free_syringe_backwards(bench):
    _connected(bench)
    bench.to(bench.now_s() + 300)
    bench.world.act("gripper", open=True)
    bench.to(bench.now_s() + 360)
    truth = bench.world.truth()
    assert truth["delivered_ul"] == pytest.approx(-1.3 / 0.65 * 100 - 9 * 1.3, abs=1)
    assert truth["pumped_ul"] == pytest.approx(-1.3 / 0.65 * 100 - 9 * 1.3, abs=1)


def test_steps_move_no_fluid_while_the_gripper_is_open_and_the_backlash_comes_after_it(bench):
    _connected(bench)
    bench.world.act("occlude")
    bench.world.act("gripper", open=True)
    before = bench.world.truth()["pumped_ul"]
    bench.pump(800, 0.02)
    assert bench.world.truth()["pumped_ul"] == before and bench.world.plant.drive.rotor == 880
    bench.world.act("gripper", open=False)
    bench.pump(80, 0.02)
    assert bench.world.truth()["pumped_ul"] == pytest.approx(before, abs=0.4)  # 20 um
    bench.pump(80, 0.02)
    assert bench.world.truth()["pumped_ul"] == pytest.approx(before + 80 * 0.041282, abs=0.8)


def test_the_motor_stalls_at_a_force(make_bench):
    """80 N beside friction, on a bore of 26.7 mm: 143 kPa. Without stored volume the line is there after 5 uL."""
    bench = make_bench(syringe="bd-50", compliance_ul_per_kpa=0.1)
    _connected(bench)
    bench.world.act("occlude")
    bench.pump(800, 0.02)
    assert bench.world.plant.line.kpa == pytest.approx(143, abs=12)  # stick and slip: 2 um are 11 kPa
    assert bench.world.plant.drive.rotor < 400
    bench.energise()


def test_four_fifths_of_the_resistance_lie_beyond_the_connector(bench):
    """1.49 mL/h through 0.65 kPa per mL/h, then through a fifth of it into the air."""
    _connected(bench)
    bench.pump(2000, 0.1)
    assert bench.world.truth()["pressure_kpa"] == pytest.approx(1.3 + 0.65 * 1.486, abs=0.06)
    bench.world.act("disconnect")
    bench.pump(2000, 0.1)
    assert bench.world.truth()["pressure_kpa"] == pytest.approx(0.13 * 1.486, abs=0.06)


def test_priming_is_in_no_meter(bench):
    bench.energise()
    bench.pump(8000)
    primed = bench.world.truth()["primed_ul"]
    assert primed == pytest.approx(7920 * 0.041282, rel=1e-3)
    assert bench.world.truth()["pumped_ul"] == 0
    bench.world.act("mark_start")
    bench.pump(800)
    truth = bench.world.truth()
    assert truth["primed_ul"] == primed
    assert truth["pumped_ul"] == pytest.approx(800 * 0.041282, rel=1e-3)
    assert truth["steps"] == 800
    assert truth["peak_window_ug"]["1h"] == pytest.approx(truth["pumped_ug"])


def test_a_new_syringe_displaces_nothing_and_counts_its_own_drug(bench):
    bench.energise()
    bench.pump(800)
    bench.world.act("mark_start")
    bench.world.act("syringe", gripped=False)
    bench.world.act("swap_syringe", ml=8, drug="morphine", concentration_ug_per_ml=5000)
    assert bench.world.truth()["pumped_ul"] == 0
    bench.pump(800)
    truth = bench.world.truth()
    assert truth["pumped_ul"] == pytest.approx(800 * 0.041282, rel=1e-3)  # no backlash lost
    assert truth["pumped_ug"] == pytest.approx(truth["pumped_ul"] * 5)
    assert truth["reservoir_ul"] == pytest.approx(8000 - truth["pumped_ul"])


def test_back_pressure_is_ramped(bench):
    bench.world.act("connect")
    bench.world.act("back_pressure", kpa=10, over_s=20)
    bench.to(10)
    assert bench.world.truth()["tip_kpa"] == pytest.approx(6.3)
    bench.to(60)
    assert bench.world.truth()["tip_kpa"] == pytest.approx(11.3)
    assert bench.world.truth()["delivered_ul"] == 0  # before mark_start
    bench.world.act("disconnect")
    assert bench.plant.tip_kpa == 0


def test_movement_stays_in_its_band_and_moves(make_bench):
    bench = make_bench(movement_kpa=3)
    bench.world.act("connect")
    seen = []
    for n in range(1, 2000):
        bench.to(n * 60)
        seen.append(bench.plant.tip_kpa - 1.3)
    assert -3 <= min(seen) < -2 and 2 < max(seen) <= 3
    changes = sum(a != b for a, b in zip(seen, seen[1:], strict=False))
    assert 33 <= changes <= 2 * 200  # 120 000 s at 10 to 60 min each


def test_streams_do_not_disturb_one_another():
    assert Rng(1, 1).u32() != Rng(1, 2).u32() != Rng(2, 1).u32()
    rng = Rng(3, 1)
    draws = [rng.gauss() for _ in range(20000)]
    assert sum(draws) / 20000 == pytest.approx(0, abs=0.03)
    assert sum(d * d for d in draws) / 20000 == pytest.approx(1, abs=0.03)
    assert min(rng.below(7) for _ in range(1000)) == 0 and max(rng.below(7) for _ in range(1000)) == 6


def test_a_syringe_comes_only_through_its_clamp_and_brings_its_bore(bench):
    """RES-05: the exchange is a hand's; 800 usteps of a bd-20 displace its volume."""
    bench.energise()
    bench.pump(800)
    bench.world.act("mark_start")
    fluid = {"drug": "test-fluid", "concentration_ug_per_ml": 1000}
    with pytest.raises(ValueError, match="the clamp is closed"):
        bench.world.act("swap_syringe", ml=8, **fluid)
    bench.world.act("syringe", gripped=False)
    with pytest.raises(ValueError, match="swap_syringe.syringe"):
        bench.world.act("swap_syringe", ml=8, syringe="bd-15", **fluid)
    bench.world.act("swap_syringe", ml=15, syringe="bd-20", **fluid)
    bench.world.act("syringe", gripped=True)
    with pytest.raises(ValueError, match="the clamp is closed"):
        bench.world.act("swap_syringe", ml=8, **fluid)
    bench.pump(800)
    assert bench.world.truth()["pumped_ul"] == pytest.approx(800 * 0.071855, rel=2e-3)
