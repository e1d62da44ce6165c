"""Every way out of a closed line leaves it relieved, and an open line is left alone, on the simulated board."""

import pytest
from support.simulated.scenario_play import outcome

CLOSED = "10min occlude"
# What ends motion in a line that closed at 10 min (0.6 mL/h, 9 uL/kPa). The occlusion is found about 17.4 min.
WAYS = {
    "stop key": ["16min press button='stop'"],
    "cancelled": ["16min cancel"],
    "stall": ["16min stall for='4min'"],
    "door just before the alarm": ["1044.808s door open=true", "1075s door open=false"],
    "door before": ["15min door open=true", "16min door open=false"],
    "door in the back-off": ["1051s door open=true", "20min door open=false"],
    "power": ["16min power off_for='3s'"],
    "power in the back-off": ["1051s power off_for='3s'", "1070s power off_for='3s'"],
    "sensor silent in the back-off": [
        "1051s sensor name='pressure' fault='open'",
        "22min sensor name='pressure' fault='ok'",
    ],
}


def relieved_ul(run) -> list[float]:
    """uL that the plunger was turned back, by record."""
    return [record.payload["nl"] / 1000 for record in run.records if record.name == "back_off"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_of_a_closed_line_is_relieved(way):
    """OCC-04, OCC-05, H14: at most 10 uL are let go; before they were 49 to 77. RPL-04: the books stay above."""
    summary = outcome("40min", CLOSED, *WAYS[way], "30min clear").summary
    assert summary["released_ul"] <= 10
    assert summary["pumped_ul"] * 0.999 - 1.5 <= summary["booked_ul"]
    cut_ul = 6 if "power" in way else 1
    assert summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 5 + cut_ul


@pytest.mark.parametrize("after_s", [4, 12, 30, 45])
def test_a_fast_flow_explains_only_what_relaxes(after_s):
    """OCC-04, OCC-05, H14: at 5 mL/h flow makes 3.3 kPa, 29 uL: what does not relax in the rest is drawn back, too."""
    stop = f"{600 + after_s}s press button='stop'"
    run = outcome("20min", CLOSED, stop, "15min clear", basal_ug_per_day=120_000)
    assert run.summary["released_ul"] <= 10 and relieved_ul(run)
    opened = outcome("20min", stop, basal_ug_per_day=120_000)
    assert relieved_ul(opened) == []


def test_power_cuts_into_a_closed_line_do_not_pile_up():
    """OCC-04, OCC-05, H14, RPL-04: six cuts, each 4.5 min after a restart: no boot takes what it finds as reference.

    The line held 326 uL at the end.
    """
    cuts = [f"{930 + 330 * k}s power off_for='3s'" for k in range(6)]
    restarts = [f"{940 + 330 * k}s restart" for k in range(6)]
    both = [doing for pair in zip(cuts, restarts, strict=True) for doing in pair]
    run = outcome("80min", CLOSED, *both, "4110s clear")
    assert run.summary["refusals"] == [] and run.summary["released_ul"] <= 10
    assert len(relieved_ul(run)) == 7 and all(ul < 80 for ul in relieved_ul(run))


def test_a_sensor_that_falls_silent_ends_the_pulls():
    """ALM-25, OCC-05: `sensor`; nothing is pulled until it answers, then the rest."""
    run = outcome("30min", CLOSED, *WAYS["sensor silent in the back-off"])
    assert [alarm["code"] for alarm in run.summary["alarms"]] == ["occlusion_downstream", "sensor"]
    records = [record for record in run.records if record.name == "back_off"]
    first, last = records[0], records[-1]
    assert first.payload["nl"] < 30_000 and last.payload["nl"] > 30_000
    assert last.mono_ms - first.mono_ms > 260_000


def test_an_encoder_that_falls_silent_ends_the_relief():
    """ALM-25, OCC-05: unseen motion is none: the rest stays owed, also when the encoder answers again."""
    fault = ["1051s sensor name='encoder' fault='open'", "20min sensor name='encoder' fault='ok'"]
    run = outcome("25min", CLOSED, *fault, "24min press button='start'")
    assert [alarm["code"] for alarm in run.summary["alarms"]] == ["occlusion_downstream", "sensor"]
    assert run.summary["state"] == "alarm" and sum(relieved_ul(run)) < 30


def test_a_motor_that_stands_is_tried_again():
    """ALM-10, OCC-05: what was not turned back is not credited, and relief goes on when the motor turns again."""
    run = outcome("40min", CLOSED, "16min press button='stop'", "961s stall for='2min'", "30min clear")
    assert "stall" in [alarm["code"] for alarm in run.summary["alarms"]]
    assert run.summary["released_ul"] <= 10
    assert run.summary["booked_ul"] >= run.summary["pumped_ul"] * 0.999 - 1.5


@pytest.mark.parametrize("over", ["20s", "3min", "11min"])
def test_a_raised_patient_is_not_drawn_on(over):
    """OCC-06, OCC-11: 12 kPa in 11 min look like a closed line; 75 uL were drawn out of the patient, now at most 10."""
    run = outcome("30min", f"10min back_pressure kpa=12 over='{over}'", "25min press button='stop'")
    assert sum(relieved_ul(run)) <= 10 + 3.3  # 20 um of backlash


def test_a_patient_who_is_raised_at_rest_is_not_drawn_on():
    """OCC-06: a line at rest owes nothing, whatever its pressure does, and START is free."""
    rest = ["10min press button='stop'", "12min back_pressure kpa=12", "18min press button='start'"]
    run = outcome("40min", *rest, "35min door open=true")
    states = [record.payload["to_state"] for record in run.records if record.name == "state"]
    assert states[-2:] == [4, 6] and sum(relieved_ul(run)) <= 13.3


def test_start_does_nothing_before_the_line_is_relieved():
    """OCC-05, OCC-08: and the press is not remembered."""
    run = outcome("40min", CLOSED, "16min press button='stop'", "965s press button='start'", "30min clear")
    assert run.summary["state"] == "stopped" and run.summary["released_ul"] <= 10
    run = outcome("24min", CLOSED, "16min press button='stop'", "16min clear", "18min press button='start'")
    assert run.summary["state"] == "infusing"


def test_priming_into_a_closed_line_is_relieved():
    """OCC-05, H13: what 10 mL/h have pushed into it comes back; priming is booked on its own and not credited."""
    run = outcome("10min", "-100s occlude", "-10s clear")
    assert any(ul > 10 for ul in relieved_ul(run)) or run.summary["primed_ul"] > 0
