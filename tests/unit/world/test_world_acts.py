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
    """Lets time go on with nobody at the CPU."""

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
    ],
)
def test_a_wrong_config_says_what_is_wrong(config, said):
    with pytest.raises(ValueError, match=said):
        World(config)


def test_looking_changes_nothing(make_bench):
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


def test_released_counts_from_clear_to_the_next_grant_forwards(bench):
    bench.energise()
    bench.world.act("connect")
    bench.pump(80)  # the lash
    bench.world.act("mark_start")
    bench.world.act("occlude")
    bench.pump(800, 0.02)
    assert bench.world.truth()["released_ul"] == 0
    bench.world.act("clear")
    bench.to(bench.now_s() + 3600)
    released = bench.world.truth()["released_ul"]
    assert released == pytest.approx(800 * 0.041282 - 9 * 1.3, abs=1.5)
    bench.pump(800, 0.02)
    assert bench.world.truth()["released_ul"] == pytest.approx(released, abs=0.01)


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
    bench.world.act("swap_syringe", ml=8, drug="morphine", concentration_ug_per_ml=5000)
    assert bench.world.truth()["pumped_ul"] == 0
    bench.pump(800)
    truth = bench.world.truth()
    assert truth["pumped_ul"] == pytest.approx(800 * 0.041282, rel=1e-3)  # no lash lost
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
