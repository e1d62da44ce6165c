"""STEP, DIR and ENN at the chip's pins, with the time of each edge."""

from bisect import bisect
from pathlib import Path

import pytest
from cisterna.bench.world.wiring import DIR, DOOR, ENN, KEY_STOP, MOTOR_SUPPLY, STEP, SYRINGE
from cisterna.sim import scenario_actions
from cisterna.sim.scenario_host import planned_t0_ms
from pump.base.units import pl_per_ustep
from support.chip.chip_run import SHORT_LINE_UL, ChipRun, play, scenario
from support.chip.trace import MS, US, Grant, TracedTarget

pytestmark = pytest.mark.target

PL = pl_per_ustep("bd-10")
CYCLE_NS = 8
GATED_WITHIN = 10 * MS

FAST = {"basal_ug_per_day": 240_000, "bolus_ug": 0}  # 10 mL/h, a step every 15 ms


def flights(run: ChipRun) -> list[tuple[Grant, list[float]]]:
    """Each grant with the steps that rose before the next one."""
    steps, grants = run.trace.steps(), run.trace.grants
    begins = [bisect(steps, grant.ns) for grant in grants] + [len(steps)]
    assert begins[0] == 0, "a step that nobody granted"
    return [(grant, steps[a:b]) for grant, a, b in zip(grants, begins, begins[1:], strict=False)]


@pytest.fixture(scope="module")
def bolus(therapy):
    """0.6 mL/h, one bolus of 100 uL, and the stop key at the end."""
    return play(therapy, scenario("3.5min", "20s press", "200s press button='stop'"))


class TestABolus:
    def test_every_microstep_at_the_pin_is_booked_and_none_else(self, bolus):
        """DEL-29, NUM-05."""
        steps = len(bolus.trace.steps(bolus.t0_ns))
        assert bolus.summary["booked_ul"] == pytest.approx(steps * PL / 1e6, abs=PL / 2e6)
        (given,) = bolus.summary["boluses"]
        whole = 100_000_000 // PL
        assert given["result"] == "delivered" and given["ul"] == pytest.approx(whole * PL / 1e6, abs=0.001)
        during = bisect(bolus.trace.steps(), bolus.ns(given["t_end"])) - bisect(
            bolus.trace.steps(), bolus.ns(given["t_start"])
        )
        basal = 600_000_000 * (given["t_end"] - given["t_start"]) / 3600 / PL
        assert during - whole == pytest.approx(basal, abs=1.5)

    def test_pulses_are_what_the_driver_needs(self, bolus):
        """NUM-06: 4 us high; DIR forwards and at rest for 5 ms before; none within 5 ms of the last."""
        edges = [edge for edge in bolus.trace.outputs if edge.pin in (STEP, DIR)]
        levels = [edge for edge in edges if edge.pin == STEP][1:]  # the first is the pin becoming an output
        assert len(levels) > 6000 and [edge.level for edge in levels[:4]] == [1, 0, 1, 0]
        highs = [fall.ns - rise.ns for rise, fall in zip(levels[::2], levels[1::2], strict=True)]
        assert all(abs(high - 4 * US) < 1 for high in highs)
        rises = bolus.trace.steps()
        assert min(b - a for a, b in zip(rises, rises[1:], strict=False)) >= 5 * MS
        for turn in (edge for edge in edges if edge.pin == DIR):
            assert not [rise for rise in rises if turn.ns - US < rise < turn.ns + 5 * MS]
        assert all(bolus.trace.level(DIR, rise) == 1 for rise in rises[:: len(rises) // 50])

    def test_steps_rise_when_they_were_granted(self, bolus):
        """DEL-27: the first within a cycle of the generator, 1 us, each next one to the chip's own cycle."""
        whole = 0
        for grant, steps in flights(bolus):
            assert len(steps) <= grant.steps
            whole += len(steps) == grant.steps
            for k, rise in enumerate(steps):
                assert abs(rise - grant.ns - (grant.first_us + k * grant.period_us) * US) <= US
                assert abs(rise - steps[0] - k * grant.period_us * US) < CYCLE_NS
        assert whole > 100

    def test_a_grant_is_small(self, bolus):
        """WDG-03: at most 1 uL and 10 s."""
        for grant in bolus.trace.grants:
            assert grant.steps * PL <= 1_000_000
            assert grant.first_us + (grant.steps - 1) * grant.period_us <= 10_000_000

    def test_no_clock_is_touched_while_it_runs(self, bolus):
        """A sleep that gates clocks would stop the step generator; `test_interpreter_access` shows such a sleep."""
        assert [ns for ns in bolus.trace.clocks if ns > 1_500 * MS] == []

    def test_the_motor_holds_between_steps_and_is_released_at_the_end(self, bolus):
        """DEL-24."""
        enn = [edge for edge in bolus.trace.outputs if edge.pin == ENN and edge.ns > bolus.ns(-1)]
        assert [edge.level for edge in enn] == [0, 1]
        assert enn[1].ns - bolus.ns(200) == pytest.approx(30 * MS, abs=30 * MS)


@pytest.fixture(scope="module")
def stops(therapy):
    """10 mL/h, stopped by the key, the door, and the clamp: that one just as a record is written into flash."""
    target = TracedTarget(therapy)

    def release(_data: bytes) -> None:
        if target.now_ns > (planned_t0_ms(SHORT_LINE_UL) + 10_000) * MS:
            target.on_program = lambda data: None
            target.act("syringe", gripped=False)

    def begin() -> None:
        target.chip.flash.worst = True
        target.on_program = release

    target.on_start = begin
    doings = ["3.001s press button='stop'", "5s press button='start'", "7.003s door open=true", "8s door open=false"]
    doings += ["9s press button='start'", "11s press button='ack'"]
    return play(therapy, scenario("14s", *doings, **FAST), target)


@pytest.mark.parametrize(
    ("pin", "level", "within"),
    [(KEY_STOP, 0, MS), (DOOR, 1, MS), (SYRINGE, 1, GATED_WITHIN)],
    ids=["stop key", "door", "clamp, in the longest write"],
)
def test_a_stop_gates_the_motor_in_its_interrupt(stops, pin, level, within):
    """ALS-13, RES-02: no step more than 10 ms after the pin has moved, whatever the main loop is doing."""
    trace = stops.trace
    (moved,) = [edge.ns for edge in trace.inputs if edge.pin == pin and edge.level == level]
    assert moved - trace.steps()[bisect(trace.steps(), moved) - 1] < 20 * MS, "it was moving"
    gated = trace.gates[bisect(trace.gates, moved)]
    assert gated - moved < within
    assert not [rise for rise in trace.steps(gated) if rise < moved + 500 * MS]


def test_stops_lose_nothing_and_book_nothing_that_was_not_made(stops):
    """DEL-29: what the interrupt cut is read back from the step generator."""
    steps = len(stops.trace.steps(stops.t0_ns))
    assert stops.summary["booked_ul"] == pytest.approx(steps * PL / 1e6, abs=PL / 2e6)
    assert stops.summary["state"] == "alarm" and stops.summary["alarms"][-1]["code"] == "syringe"


def erasing(therapy: Path, hold_ms: int) -> ChipRun:
    """10 mL/h, and records enough to go into the next sector of the log, which takes as long as it may to erase.

    Just then somebody presses the stop key for `hold_ms`.
    """
    target = TracedTarget(therapy)

    def press() -> None:
        if target.now_ns > planned_t0_ms(SHORT_LINE_UL) * MS:
            target.on_erase = lambda: None
            target.act("press", button="stop", hold_ms=hold_ms)

    def begin() -> None:
        target.chip.flash.worst = True
        target.on_erase = press

    target.on_start = begin
    return play(therapy, scenario("10s", "0.5s press button='ack' count=60 hold_ms=60 gap_ms=60", **FAST), target)


@pytest.fixture(scope="module")
def long_press(therapy):
    return erasing(therapy, 600)


def test_flash_is_erased_while_nothing_moves(long_press):
    """ALS-13: interrupts are off for 0.4 s meanwhile, and no key could stop a motor."""
    steps = long_press.trace.steps()
    ((begin, end),) = [erase for erase in long_press.trace.erases if erase[0] > long_press.t0_ns]
    assert end - begin == pytest.approx(400 * MS, abs=MS)
    assert steps[0] < begin and not [rise for rise in steps if begin <= rise <= end]
    grant, made = [flight for flight in flights(long_press) if flight[0].ns < begin][-1]
    assert len(made) == grant.steps, "the grant in flight had ended"


def stopped_by_the_key(run: ChipRun) -> bool:
    """The stop key was pressed as an erase began, and no step came after it."""
    (moved,) = [edge.ns for edge in run.trace.inputs if edge.pin == KEY_STOP and edge.level == 0]
    assert [begin for begin, end in run.trace.erases if begin <= moved <= end]
    return run.trace.steps(moved) == [] and run.summary["state"] == "stopped"


def test_a_stop_key_held_beyond_an_erase_stops(long_press):
    """ALS-13."""
    assert stopped_by_the_key(long_press)


def test_a_stop_key_pressed_and_released_during_an_erase_stops(therapy):
    """ALS-13: both edges fall into one interrupt, which finds the key up again."""
    assert stopped_by_the_key(erasing(therapy, 200))


@pytest.fixture(scope="module")
def hung(therapy):
    """The main loop stops in the middle of a bolus; interrupts are served on."""
    return play(
        therapy, scenario("75s", "10s press", also=[scenario_actions.Hang(t="30s", do="hang", **{"for": "1min"})])
    )


class TestAHang:
    def test_it_costs_one_grant(self, hung):
        """WDG-03: the step generator ends it by itself."""
        begun = hung.ns(30)
        last = [grant for grant in hung.trace.grants if grant.ns < begun][-1]
        after = hung.trace.steps(begun)
        assert 0 < len(after) <= last.steps and last.steps * PL <= 1_000_000
        assert after[-1] - begun <= 10_000 * MS
        assert [grant for grant in hung.trace.grants if grant.ns > begun] == []

    def test_the_motor_loses_its_power_and_then_the_chip_is_reset(self, hung):
        """WDG-01: two watchdogs, 6.5 s and 8 s after they were fed last."""
        begun = hung.ns(30)
        (bite,) = hung.trace.watchdog_resets
        (off,) = [edge.ns for edge in hung.trace.inputs if edge.pin == MOTOR_SUPPLY and not edge.level]
        assert begun + 1_500 * MS <= off <= begun + 6_500 * MS
        assert bite - off == pytest.approx(1_500 * MS, abs=10 * MS)
        enn = [edge for edge in hung.trace.outputs if edge.pin == ENN and edge.ns >= bite]
        assert enn[0].level == 1 and enn[0].ns - bite < MS

    def test_it_restarts_in_alarm_and_reports_the_cause(self, hung):
        """WDG-10, ALS-09, RPL-01, RPL-02, RPL-03."""
        assert hung.summary["state"] == "alarm" and hung.summary["reboots"] == 1
        (alarm,) = hung.summary["alarms"]
        assert (alarm["code"], alarm["priority"], alarm["action"]) == ("unexpected_reset", "high", "stop")
        assert hung.records("boot")[-1]["reset_cause"] == 3 and hung.records("boot")[-1]["was_infusing"] == 1
        (given,) = hung.summary["boluses"]
        assert given["result"] == "interrupted"

    def test_what_moved_is_booked(self, hung):
        """RPL-04, COM-05: and at most the grant that was in flight beside it."""
        made = len(hung.trace.steps(hung.t0_ns)) * PL / 1e6
        assert made - PL / 2e6 <= hung.summary["booked_ul"] <= made + 1 + 1.3
