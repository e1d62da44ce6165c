"""Hardware faults and the pump's reaction, on the simulated board."""

import pytest
from support.simulated.scenario_play import outcome, play


def codes(summary: dict) -> list[str]:
    return [alarm["code"] for alarm in summary["alarms"]]


def results(summary: dict) -> list[str]:
    return [bolus["reason"] or bolus["result"] for bolus in summary["boluses"]]


@pytest.mark.parametrize(
    "fault",
    [
        ("11min press button='stop'", "12min press button='start'"),
        ("11min door open=true", "12min door open=false", "13min press button='start'"),
    ],
    ids=["stop key", "door"],
)
def test_what_ends_a_bolus_ends_it_for_good(fault):
    """DEL-13, DEL-18, LIM-26, H33: its rest is never given, and a full lockout runs from there."""
    summary = play("30min", "10min press", *fault, "20min press")
    assert results(summary) == ["interrupted", "lockout"]
    cut, refused = summary["boluses"]
    assert cut["t_end"] == pytest.approx(660, abs=0.1)
    made_ul = (cut["t_end"] - cut["t_start"]) * 100 / 120
    assert cut["ul"] == pytest.approx(made_ul, abs=0.15), "three usteps: where the motor was when it was gated"
    assert refused["next_possible_s"] == pytest.approx(cut["t_end"] + 1800, abs=0.01)
    stopped_min = 1 if "stop" in fault[0] else 2
    assert summary["booked_ul"] == pytest.approx(10 * (30 - stopped_min) + cut["ul"], abs=2)


def test_an_occlusion_is_relieved_and_nobody_starts_again():
    """DEL-30, OCC-05, OCC-08, OCC-16, H14: a few uL are let go, the start key does nothing, the books are right."""
    run = outcome("40min", "10min occlude", "30min clear", "32min press button='start'")
    summary = run.summary
    assert codes(summary) == ["occlusion_downstream"] and summary["state"] == "alarm"
    assert summary["released_ul"] <= 10
    (back_off,) = (record.payload for record in run.records if record.name == "back_off")
    assert 0 <= back_off["nl"] - 5_000 - back_off["credited_nl"] < 42 and back_off["credited_nl"] > 30_000
    assert abs(back_off["to_pa"] - back_off["target_pa"]) <= 500
    assert summary["pumped_ul"] - 1.5 <= summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 6


def test_a_stalled_motor_is_found():
    """ALM-10, H21: before 10 uL are missing; what was not given is booked all the same."""
    summary = play("30min", "10min stall for='10min'")
    assert codes(summary) == ["stall"] and summary["state"] == "alarm"
    assert summary["booked_ul"] - 10 <= summary["pumped_ul"] <= summary["booked_ul"] + 1.5


def test_a_motor_that_runs_away_is_found():
    """ALM-01, H21: it stops within some 10 uL, and what it gave beyond its grants is booked."""
    summary = play("30min", "10min creep percent=100 for='15min'")
    assert codes(summary) == ["over_infusion"] and summary["state"] == "alarm"
    (alarm,) = summary["alarms"]
    assert summary["pumped_ul"] <= alarm["t_on"] / 6 + 13
    assert summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5


@pytest.mark.parametrize(
    "name, fault, more, code",
    [
        ("pressure", "stuck", "", "sensor"),
        ("pressure", "open", "", "sensor"),
        ("pressure", "noise", "value=5", "sensor"),
        ("pressure", "offset", "value=20", "sensor"),
        ("encoder", "open", "", "sensor"),
        ("encoder", "offset", "value=45", "second_channel"),
    ],
)
def test_a_sensor_that_fails_stops_the_pump(name, fault, more, code):
    """ALM-25, OCC-13: within the 5 s between two readings and a second of looking again."""
    summary = play("15min", f"10min sensor name='{name}' fault='{fault}' {more}")
    assert codes(summary) == [code] and summary["state"] == "alarm"
    assert 600 <= summary["alarms"][0]["t_on"] <= 620


def test_a_syringe_that_runs_empty():
    """ALM-06, ALM-07, RES-04, H23: low is an alarm, a bolus must leave its guard volume, empty stops."""
    summary = play("5.5h", "3.5h press", basal_ug_per_day=4800, fill_ml=1.6)
    assert codes(summary) == ["reservoir_low", "reservoir_empty"] and summary["state"] == "alarm"
    assert results(summary) == ["reservoir"]
    low, empty = summary["alarms"]
    filled_ul = 1600 - summary["primed_ul"]
    assert low["t_on"] * 200 / 3600 == pytest.approx(filled_ul - 1000, abs=5)
    assert empty["t_on"] * 200 / 3600 == pytest.approx(filled_ul - 300, abs=5)
    assert summary["booked_ul"] == pytest.approx(filled_ul - 300, abs=5)


@pytest.mark.parametrize("fault", ["stuck", "short", "open", "chatter"])
def test_a_broken_pendant_gives_no_bolus_and_basal_continues(fault):
    """ALM-24, H25: one alarm, no bolus; well again it may give one."""
    summary = play("20min", f"5min pendant fault='{fault}' for='1min'", "10min press")
    assert codes(summary) == ["button"] and summary["alarms"][0]["t_off"] is not None
    assert results(summary) == ["delivered"]
    assert summary["booked_ul"] == pytest.approx(300, abs=2)


def test_the_log_records_when_power_was_off():
    """PWR-07, LOG-05: how long, whether it was infusing, and that the clock proves it."""
    run = outcome("20min", "10min power off_for='5min'")
    boots = [record.payload for record in run.records if record.name == "boot"]
    assert [boot["was_infusing"] for boot in boots] == [0, 1]
    assert boots[1]["time_proven"] == 1 and boots[1]["off_s"] == pytest.approx(300, abs=12)


@pytest.mark.parametrize(
    "meddling",
    [("880s press button='stop'",), ("880s door open=true", "900s door open=false")],
    ids=["stop key", "door"],
)
def test_the_back_off_continues_after_a_stop_key_or_an_open_door(meddling):
    """OCC-05, H14: what interrupts the retraction does not leave the line full of pressure."""
    summary = play("30min", "10min occlude", *meddling, "20min clear", basal_ug_per_day=24_000)
    assert codes(summary)[0] == "occlusion_downstream"
    assert 0 <= summary["released_ul"] <= 10


def test_stopping_and_starting_hides_no_closing_line():
    """OCC-03, OCC-04, H14: what the line holds at each stop is drawn back; the patient's level stays the reference."""
    meddling = [f"{t}min press button='{key}'" for t, key in ((33, "stop"), (34, "start"), (36, "stop"), (37, "start"))]
    whole = play("1h", "30min occlude", "55min clear", basal_ug_per_day=12_000)
    cut = play("1h", "30min occlude", *meddling, "55min clear", basal_ug_per_day=12_000)
    assert codes(whole) == codes(cut) == ["occlusion_downstream"]
    assert whole["alarms"][0]["t_on"] < cut["alarms"][0]["t_on"] < 55 * 60
    assert whole["released_ul"] <= 10 and cut["released_ul"] <= 10


def test_a_press_counts_at_its_contact():
    """DEL-09, LIM-01: the state at the contact decides, not the state at the release."""
    stopped = play(
        "10min", "5min press button='stop'", "6min press hold_ms=2500", "361s press button='start'", lockout_s=60
    )
    assert results(stopped) == ["not_infusing"]
    for hold_ms in (100, 200):
        summary = play("20min", "5min clinician_bolus ug=20 over_s=300", f"599.9s press hold_ms={hold_ms}")
        assert results(summary) == ["delivered", "delivered"]


def test_all_records_are_read_once():
    """LOG-07: more records than one block, and two readers at the end of an hour."""
    presses = [f"{20 * k}s press" for k in range(1, 17)]
    summary = play("1h", *presses, lockout_s=600, bolus_ug=50, bolus_duration_s=60)
    assert len(summary["boluses"]) == 16 and summary["log"]["verified"] is True


def test_a_dead_display_confirms_nothing():
    """RX-01, H35: nothing unseen is confirmed; basal goes on; the display is set up again when it is back."""
    run = outcome(
        "40min", "10min display fault='dead'", "12min prescribe basal_ug_per_day=28800",
        "14min clinician_bolus ug=50 over_s=60", "20min display fault='ok'", "22min prescribe basal_ug_per_day=28800",
    )  # fmt: skip
    summary = run.summary
    assert [(entry["do"], entry["code"]) for entry in summary["refusals"]] == [
        ("prescribe", "display"), ("clinician_bolus", "display")
    ]  # fmt: skip
    (alarm,) = summary["alarms"]
    assert (alarm["code"], alarm["priority"], alarm["action"]) == ("display", "medium", "none")
    assert 600 <= alarm["t_on"] <= 611 and 1200 <= alarm["t_off"] <= 1211
    assert summary["booked_ul"] == pytest.approx(22 * 10 + 18 * 20, abs=6) and summary["state"] == "infusing"


@pytest.mark.parametrize("after_ms", [500, 2_000, 5_000, 8_000])
def test_a_display_that_dies_while_a_prescription_waits_refuses_it(after_ms):
    """RX-01: pages that were not drawn, or are gone, cannot be confirmed."""
    dead = f"{600 + after_ms / 1000}s display fault='dead'"
    run = outcome("20min", "10min prescribe basal_ug_per_day=28800", dead)
    assert run.summary["booked_ul"] == pytest.approx(200, abs=3)
    assert [(entry["do"], entry["code"]) for entry in run.summary["refusals"]] == [("prescribe", "display")]
    assert [record.name for record in run.records].count("rx_confirm") == 1


@pytest.mark.parametrize("fault", ["silent", "lose"])
def test_a_dead_clock_chip_is_an_alarm(fault):
    """ALM-23: within a minute; therapy goes on by the monotonic clock."""
    summary = play("20min", "5min press", f"10min rtc fault='{fault}'")
    (alarm,) = summary["alarms"]
    assert (alarm["code"], alarm["priority"], alarm["action"]) == ("clock_invalid", "medium", "none")
    assert 600 <= alarm["t_on"] <= 666 and alarm["t_off"] is None and summary["state"] == "infusing"


def test_a_clock_chip_that_jumps_by_a_day_without_power_proves_nothing():
    """TIM-04, LIM-03: lockout and count run on from the cut, also after an hour's pause before it."""
    jump = ("9min press button='stop'", "68min power off_for='10s'", "68.1min rtc fault='jump' value='24h'")
    summary = play("2h", "5min press", *jump, "70min restart", "72min press", lockout_s=7_200)
    assert results(summary) == ["delivered", "lockout"]
    assert summary["boluses"][1]["next_possible_s"] == pytest.approx(300 + 120 + 7_200, abs=75)


def test_a_pause_with_power_is_no_time_without():
    """TIM-04: five hours' pause, then 5 s without power: the pulse of the last minute tells them apart."""
    pause = ("9min press button='stop'", "310min power off_for='5s'")
    summary = play("6h", "5min press", *pause, "312min restart", "315min press", lockout_s=18_000)
    assert results(summary) == ["delivered", "delivered"]


def test_a_signed_time_proves_what_the_clock_chip_alone_does_not():
    """TIM-04, LIM-03: ten hours without power count from the clinician's log-on on, and the lockout is over."""
    run = outcome("11h", "5min press", "9min power off_for='10h'", "610min restart", "612min press", lockout_s=18_000)
    assert results(run.summary) == ["delivered", "delivered"] and run.summary["refusals"] == []
    (counted,) = [record.payload["off_s"] for record in run.records if record.name == "time_counted"]
    assert 35_990 <= counted <= 36_010
    assert run.summary["boluses"][1]["t_request"] == pytest.approx(612 * 60, abs=1)
