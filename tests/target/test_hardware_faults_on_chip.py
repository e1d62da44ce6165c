"""Hardware faults and the reaction of the real image."""

from bisect import bisect

import pytest
from cisterna.bench.world.wiring import DIR
from cisterna.link.records import layout
from cisterna.sim import scenario_actions
from cisterna.sim.scenario_host import planned_t0_ms
from pump.base.units import pl_per_ustep
from support.chip.chip_run import SHORT_LINE_UL, play, scenario
from support.chip.trace import MS, TracedTarget

pytestmark = pytest.mark.target

PL = pl_per_ustep("bd-10")
SHORT_BOLUS = {"bolus_ug": 50, "bolus_duration_s": 60, "lockout_s": 60}


def codes(summary: dict) -> list[str]:
    return [alarm["code"] for alarm in summary["alarms"]]


def results(summary: dict) -> list[str]:
    return [bolus["reason"] or bolus["result"] for bolus in summary["boluses"]]


@pytest.fixture(scope="module")
def cut(therapy):
    """Power fails for half a minute in a bolus, after which a lockout runs."""
    doings = [
        "10s press",
        "20s press",
        "40s power off_for='30s'",
        "75s press",
        "76s restart",
        "97s press",
        "165s press",
    ]
    return play(therapy, scenario("3min", *doings, **SHORT_BOLUS))


class TestAPowerCut:
    def test_keeps_lockout_and_decisions(self, cut):
        """LIM-01, RPL-01, RPL-02, RPL-03, RPL-05, ALS-09."""
        assert results(cut.summary) == ["interrupted", "running", "not_infusing", "lockout", "running"]
        assert codes(cut.summary) == ["unexpected_reset"] and cut.summary["refusals"] == []
        assert cut.summary["reboots"] == 1 and cut.summary["state"] == "bolus"

    def test_keeps_the_books(self, cut):
        """RPL-04, PWR-09."""
        made = len(cut.trace.steps(cut.t0_ns)) * PL / 1e6
        in_flight = 2 * 1.0  # at the cut, and at the end
        assert made - PL / 2e6 <= cut.summary["booked_ul"] <= made + in_flight + 1.3

    def test_keeps_the_log_and_the_time(self, cut):
        """LOG-06, LOG-08, PWR-07."""
        assert cut.summary["log"]["verified"]
        first, second = cut.records("boot")
        assert (first["was_infusing"], second["was_infusing"]) == (0, 1)
        assert second["journal_ok"] == 1 and second["time_proven"] == 1 and second["off_s"] == pytest.approx(30, abs=8)
        assert second["reset_cause"] == 1
        assert len(cut.records("bolus_cut")) == 1
        times = [record.mono_ms for record in cut.outcome.records]
        assert times == sorted(times)


@pytest.fixture(scope="module")
def occluded(therapy):
    """5 mL/h into a line that closes and opens again."""
    doings = ["20s occlude", "140s clear", "150s press button='start'"]
    return play(therapy, scenario("160s", *doings, basal_ug_per_day=120_000))


class TestAnOcclusion:
    def test_is_found_and_nothing_starts_again(self, occluded):
        """OCC-01, OCC-08."""
        assert codes(occluded.summary) == ["reservoir_low", "occlusion_downstream"]  # 5 mL/h: under 4 h are left
        alarm = occluded.summary["alarms"][-1]
        assert 20 < alarm["t_on"] <= 20 + 72
        assert occluded.summary["state"] == "alarm"

    def test_is_backed_off_at_the_pins(self, occluded):
        """DEL-30, OCC-05: DIR falls, and as many steps as the record tells go backwards; none comes after them."""
        trace = occluded.trace
        turns = [edge for edge in trace.outputs if edge.pin == DIR and edge.ns > occluded.t0_ns]
        assert [edge.level for edge in turns] == [0]
        alarm_ns = occluded.ns(occluded.summary["alarms"][-1]["t_on"])
        assert alarm_ns <= turns[0].ns < occluded.ns(140)
        backwards = trace.steps(turns[0].ns)
        (back_off,) = occluded.records("back_off")
        assert len(backwards) == back_off["usteps"] and back_off["nl"] > 30_000
        assert backwards[-1] < occluded.ns(140) and abs(back_off["to_pa"] - back_off["target_pa"]) <= 500
        assert [grant for grant in trace.grants if grant.ns > backwards[-1]] == []

    def test_lets_little_go(self, occluded):
        """OCC-04, H14."""
        assert 0 <= occluded.summary["released_ul"] <= 10

    def test_is_booked(self, occluded):
        """What went forwards, less what came back beyond the lash of the screw."""
        steps = occluded.trace.steps(occluded.t0_ns)
        turned = bisect(steps, next(edge.ns for edge in occluded.trace.outputs if edge.pin == DIR and not edge.level))
        (back_off,) = occluded.records("back_off")
        forwards_ul = turned * PL / 1e6
        assert occluded.summary["booked_ul"] == pytest.approx(
            forwards_ul - back_off["credited_nl"] / 1e3, abs=2 * PL / 1e6
        )


JOURNAL_BYTES, RECORDS = (1, 41), ((layout.BOLUS_START, 30), (layout.BOLUS_END, 63))


@pytest.fixture(scope="module")
def torn(therapy):
    """Power fails inside four writes, each in another bolus: two of the journal, then two of the log."""
    target = TracedTarget(therapy)
    records = list(RECORDS)
    records_from_ns = (planned_t0_ms(SHORT_LINE_UL) + 240_000) * MS

    def cut(data: bytes) -> None:
        if records and target.now_ns > records_from_ns and data[6] == records[0][0]:
            target.act("cut_at_write", n=1, byte=records.pop(0)[1], off_for_s=10)

    target.on_program = cut
    doings, cuts = [], []
    for cycle in range(4):
        doings += [f"{120 * cycle + 10}s press", f"{120 * cycle + 85}s restart"]
    doings.append("460s press")
    for cycle, byte in enumerate(JOURNAL_BYTES):
        cuts.append(
            scenario_actions.CutAtWrite(t=f"{120 * cycle + 30}s", do="cut_at_write", n=1, byte=byte, off_for="10s")
        )
    run = play(therapy, scenario("8min", *doings, also=cuts, **SHORT_BOLUS), target)
    assert not records
    return run


class TestATornWrite:
    def test_loses_no_record_but_the_one_in_it(self, torn):
        """LOG-06, PWR-08: numbers go on, the chain holds, and the pump can be started again each time."""
        assert torn.summary["reboots"] == 4 and torn.summary["log"]["verified"]
        assert [record.sequence for record in torn.outcome.records] == list(range(len(torn.outcome.records)))
        boots = torn.records("boot")
        assert len(boots) == 5 and all(boot["journal_ok"] and boot["was_infusing"] for boot in boots[1:])
        assert len(torn.records("bolus_start")) == 3 and torn.records("bolus_end") == []
        assert torn.summary["refusals"] == [] and torn.summary["state"] == "infusing"

    def test_loses_nothing_that_was_given(self, torn):
        """RPL-04, COM-05: booked is what moved, and at most what was in flight at each cut."""
        made = len(torn.trace.steps(torn.t0_ns)) * PL / 1e6
        assert made - PL / 2e6 <= torn.summary["booked_ul"] <= made + 4 * (1 + 1.3) + 1

    def test_of_a_bolus_interrupts_it_and_keeps_its_lockout(self, torn):
        """RPL-03, RPL-05, LOG-08: also of one whose end was given and not recorded."""
        assert results(torn.summary)[:2] == ["interrupted", "interrupted"] and len(torn.records("bolus_cut")) == 2
        assert results(torn.summary)[4:] == ["lockout"]

    def test_leaves_no_bolus_that_seems_to_run_for_ever(self, torn):
        """LOG-08: one whose start or end is in no record ended at the cut."""
        assert "running" not in results(torn.summary)


@pytest.mark.parametrize("name", ["pressure", "encoder"])
def test_a_sensor_that_stops_answering_stops_the_pump(therapy, name):
    """ALM-25: on the bus its address is not acknowledged."""
    run = play(therapy, scenario("40s", f"10s sensor name='{name}' fault='open'"))
    assert codes(run.summary) == ["sensor"] and run.summary["state"] == "alarm"
    on_s = run.summary["alarms"][0]["t_on"]
    assert 10 <= on_s <= 20 and run.trace.steps(run.ns(on_s + 0.1)) == []
