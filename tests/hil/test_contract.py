"""The words of the scenario contract, one by one, on the simulated board."""

import pytest
from hil.play import outcome, play


def codes(summary: dict) -> list[str]:
    return [alarm["code"] for alarm in summary["alarms"]]


def results(summary: dict) -> list[str]:
    return [bolus["reason"] or bolus["result"] for bolus in summary["boluses"]]


def test_nothing_happens_and_the_figures_agree():
    """DEL-01, DEL-29, ITH-07."""
    summary = play("2h")
    assert summary["state"] == "infusing" and summary["boluses"] == summary["alarms"] == summary["refusals"] == []
    assert summary["booked_ul"] >= summary["pumped_ul"] - 0.001 * summary["pumped_ul"] - 1.5
    assert summary["booked_ul"] == pytest.approx(1200, rel=0.005)
    assert summary["booked_ug"] == pytest.approx(summary["booked_ul"], rel=1e-4)
    assert 300 <= summary["primed_ul"] <= 330
    assert summary["log"]["verified"] and summary["reboots"] == 0


def test_the_lash_of_the_screw_is_taken_up_before_the_start():
    """DEL-34: 20 um of it are 3.3 uL, which would be missing."""
    assert play("10min")["pumped_ul"] == pytest.approx(100, abs=1.6)


def test_a_press_counts_at_contact_and_starts_within_a_second():
    """DEL-04, DEL-06, DEL-07, NUM-05."""
    (bolus,) = play("1h", "10min press hold_ms=700")["boluses"]
    assert bolus["t_request"] == 600.0 and 600 <= bolus["t_start"] <= 601
    assert bolus["t_end"] == pytest.approx(bolus["t_start"] + 120, abs=0.01)
    assert bolus["next_possible_s"] == pytest.approx(bolus["t_end"] + 1800, abs=0.002)
    assert bolus["ul"] == pytest.approx(100, abs=0.05) and bolus["ul"] <= 100


def test_a_press_within_2_s_of_a_press_is_no_demand():
    """DEL-08, LOG-11, H24."""
    summary = play("20min", "10min press count=3 gap_ms=1700")  # contacts 1.9 s apart
    assert results(summary) == ["delivered"]
    summary = play("20min", "10min press count=2 gap_ms=1900")
    assert results(summary) == ["delivered", "running"]


@pytest.mark.parametrize(("hold_ms", "entries"), [(30, 0), (60, 1), (2900, 1), (3100, 0)])
def test_a_press_lasts_50_ms_to_3_s(hold_ms, entries):
    """H25."""
    assert len(play("15min", f"10min press hold_ms={hold_ms}")["boluses"]) == entries


def test_lockout_to_the_second():
    """LIM-01, LIM-11, LIM-12."""
    early = play("45min", "5min press", "2218s press")  # 300.2 + 120 + 1800 = 2220.2
    assert results(early) == ["delivered", "lockout"]
    at = early["boluses"][1]["next_possible_s"]
    assert at == early["boluses"][0]["next_possible_s"]
    late = play("45min", "5min press", f"{at:.3f}s press")
    assert results(late) == ["delivered", "delivered"]


def test_stop_and_start_keys():
    """DEL-23, DEL-24, ITH-02, H22."""
    summary = play("1h", "10min press button='stop'", "20min press button='start'")
    assert summary["state"] == "infusing" and summary["booked_ul"] == pytest.approx(500, abs=3)


def test_the_third_stop_within_ten_minutes():
    """ALM-19."""
    stops = [f"{10 + 2 * k}min press button='stop'" for k in range(3)]
    starts = [f"{11 + 2 * k}min press button='start'" for k in range(3)]
    summary = play("30min", *stops, *starts)
    assert "repeat_stops" in codes(summary) and summary["state"] == "alarm"
    summary = play("30min", *stops, *starts, "18min restart")
    assert summary["state"] == "infusing" and summary["refusals"] == []


def test_a_door_stops_and_start_resumes_once_it_is_closed():
    """ALM-08, RES-01, H22."""
    summary = play("30min", "10min door open=true", "12min press button='start'", "14min door open=false")
    assert codes(summary) == ["door"] and summary["state"] == "alarm"
    summary = play("30min", "10min door open=true", "14min door open=false", "15min press button='start'")
    assert codes(summary) == ["door"] and summary["state"] == "infusing"
    assert summary["booked_ul"] == pytest.approx(250, abs=3)


def test_restart_with_an_open_door_loads_nothing():
    """RES-01."""
    summary = play("30min", "10min door open=true", "12min restart")
    assert summary["refusals"] == [{"t": 720.0, "do": "restart", "code": "door"}]
    assert summary["state"] == "alarm"


def test_a_refused_prescription_changes_nothing_and_stops_nothing():
    """LIB-04, RX-03."""
    summary = play("30min", "10min press", "10.5min prescribe lockout_s=10")
    assert summary["refusals"] == [{"t": 630.0, "do": "prescribe", "code": "rx_lockout_range"}]
    assert results(summary) == ["delivered"] and summary["booked_ul"] == pytest.approx(400, abs=2)


def test_an_accepted_prescription_interrupts_a_running_bolus():
    summary = play("30min", "10min press", "10.5min prescribe basal_ug_per_day=7200")
    assert summary["refusals"] == [] and results(summary) == ["interrupted"]
    (bolus,) = summary["boluses"]
    assert 20 < bolus["ul"] < 50 and bolus["t_end"] < 690
    assert summary["state"] == "infusing"


def test_prescribe_and_restart_keep_lockout_and_limits():
    """LIM-09, LIM-27, RX-05, H34."""
    limits = {"limit_4h_ug": 2600}
    refused = play("2h", "10min press", "45min press", "90min prescribe basal_ug_per_day=15000", **limits)
    assert [entry["code"] for entry in refused["refusals"]] == ["limit_4h"]
    summary = play("1h", "10min press", "15min restart", "20min press")
    assert results(summary) == ["delivered", "lockout"]


def test_what_happens_during_a_restart_happens_at_its_time():
    """RES-02."""
    summary = play("30min", "10min restart", "601s door open=true", "15min door open=false")
    assert codes(summary) == ["door"] and summary["alarms"][0]["t_on"] == pytest.approx(601, abs=0.05)


def test_cancel_ends_the_therapy():
    """DEL-24."""
    summary = play("30min", "10min cancel", "12min press button='start'", "13min press")
    assert summary["state"] == "stopped" and results(summary) == ["not_infusing"]
    assert summary["booked_ul"] == pytest.approx(100, abs=2)
    assert play("30min", "10min cancel", "12min restart")["state"] == "infusing"


def test_power_goes_and_comes_back():
    """ALS-09, WDG-10, RPL-01, RPL-02."""
    summary = play("1h", "10min power off_for='5min'", "12min press", "20min press", "13min restart", "30min restart")
    assert summary["reboots"] == 1 and summary["state"] == "infusing"
    assert codes(summary) == ["unexpected_reset"] and summary["alarms"][0]["action"] == "none"
    assert results(summary) == ["not_infusing"]
    assert summary["refusals"] == [{"t": 780.0, "do": "restart", "code": "off"}]


def test_power_goes_during_a_bolus():
    """LIM-03, LOG-08, RPL-03, COM-05, H27."""
    summary = play("1h", "10min press", "11min power off_for='5min'", "20min restart", "22min press")
    assert results(summary) == ["interrupted", "lockout"]
    assert summary["booked_ul"] >= summary["pumped_ul"] - 1.5


@pytest.mark.parametrize("at", ["-100s", "-1s", "1s", "10min", "630s"])
def test_a_power_cut_books_no_more_than_was_in_flight(at):
    """PWR-08, RPL-04."""
    summary = play("20min", "10min press", f"{at} power off_for='30s'", "11.5min power off_for='30s'", "15min restart")
    assert summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5
    assert summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 1 + 2 * (1 + 1.3)  # a grant and a jump for each cut


def test_a_second_power_cut_makes_no_worse_alarm_of_the_first():
    """ALS-09."""
    summary = play("20min", "5min power off_for='60s'", "7min power off_for='30s'")
    assert summary["state"] == "stopped" and summary["reboots"] == 2
    assert [(alarm["code"], alarm["action"]) for alarm in summary["alarms"]] == [("unexpected_reset", "none")]
    assert 360 <= summary["alarms"][0]["t_on"] <= 365


def test_a_rotation():
    """LIM-13, RX-05, H04."""
    morphine = {"drug": "morphine", "concentration_ug_per_ml": 200, "basal_ug_per_day": 700, "bolus_ug": 70}
    morphine |= {"bolus_duration_s": 300, "lockout_s": 3600, "limit_24h_ug": 1120}
    hydromorphone = "drug='hydromorphone' concentration_ug_per_ml=50 basal_ug_per_day=140 bolus_ug=14 limit_24h_ug=224"
    refused = play("2h", f"1h prescribe {hydromorphone}", **morphine)
    assert [entry["code"] for entry in refused["refusals"]] == ["rx_no_equivalence"]
    assert refused["booked_ug"] == pytest.approx(700 / 12, rel=0.01)
    rotated = play(
        "2h", "30min press", f"1h prescribe {hydromorphone} equiv_prev_ug_per_day=140", "90min press", **morphine
    )
    assert rotated["refusals"] == [] and rotated["state"] == "infusing"
    assert results(rotated) == ["delivered", "lockout"]
    assert rotated["booked_ug"] == pytest.approx(70 + 700 / 24 + 140 / 24, rel=0.01)
    assert rotated["peak_window_ug"]["24h"] == pytest.approx(rotated["booked_ug"], rel=0.01)


def test_off_at_the_end():
    summary = play("30min", "29min power off_for='10min'")
    assert summary["state"] == "off" and summary["log"]["verified"]


def test_the_wall_clock_changes_nothing():
    """LOG-05, TIM-01, H28."""
    actions = ["5min press", "30min press", "50min press"]
    plain = play("1h", *actions)
    for set_to in ("2036-01-01T00:00:00Z", "2020-01-01T00:00:00Z"):
        moved = play("1h", *actions, f"10min clock set='{set_to}'")
        assert moved["boluses"] == plain["boluses"] and moved["alarms"] == plain["alarms"] == []


def test_the_counter_s_wrap_changes_nothing():
    """TIM-02, H29."""
    plain = play("1h", "5min press", "30min press")
    wrapped = play("1h", "5min press", "30min press", ticks_at_power_up_ms=2**30 - 905_000 - 300_000)
    for summary in (plain, wrapped):
        del summary["wall_s"]
    assert plain == wrapped


def test_a_clinician_bolus_and_a_press_during_it():
    """DEL-10, DEL-11, DEL-12, DEL-15, DEL-20, H09."""
    summary = play("1h", "10min clinician_bolus ug=200 over_s=600", "12min press")
    assert [(bolus["kind"], bolus["result"]) for bolus in summary["boluses"]] == [
        ("clinician", "delivered"),
        ("pca", "delivered"),
    ]
    clinician, pca = summary["boluses"]
    assert clinician["t_end"] - clinician["t_start"] == pytest.approx(600 + pca["t_end"] - pca["t_start"], abs=1)
    assert clinician["ul"] == pytest.approx(200, abs=0.1)
    summary = play("1h", "5min press", "10min clinician_bolus ug=200 over_s=600")
    assert results(summary) == ["delivered", "lockout"]


def test_a_clinician_bolus_that_may_not_be_written_is_a_refusal():
    """DEL-14."""
    summary = play("30min", "10min clinician_bolus ug=20000 over_s=600")
    assert [(entry["do"], entry["t"]) for entry in summary["refusals"]] == [("clinician_bolus", 600.0)]
    assert summary["refusals"][0]["code"].startswith("order_")


def test_a_refill_while_infusing():
    """RES-08, H17."""
    summary = play("1h", "20min refill ml=10 returned_ml=9.5", "25min press")
    assert summary["refusals"] == [] and summary["alarms"] == []
    assert summary["state"] == "infusing" and results(summary) == ["delivered"]
    assert summary["booked_ul"] == pytest.approx(700, abs=2)


def test_a_returned_volume_that_is_far_off():
    """ALM-29, RES-08, H17."""
    summary = play("1h", "20min refill ml=10 returned_ml=7")
    assert codes(summary)[0] == "refill" and summary["state"] == "stopped"


def test_a_press_before_the_start():
    """DEL-09."""
    summary = play("10min", "-2min press")
    assert results(summary) == ["not_infusing"] and summary["boluses"][0]["t_request"] == -120.0


def test_a_bolus_still_going_at_the_end():
    (bolus,) = play("11min", "10min press")["boluses"]
    assert bolus["result"] == "running" and bolus["t_end"] is None and 45 < bolus["ul"] < 55


def test_the_trace_follows_the_run():
    """DEL-31."""
    rows = outcome("30min", "10min press button='stop'", trace_every_ms=60_000).rows
    assert [row.t_s for row in rows] == [60.0 * k for k in range(31)]
    assert rows[0].pumped_ul == rows[0].booked_ul == 0.0
    assert rows[5].state == "infusing" and rows[20].state == "stopped"
    assert all(row.booked_ul >= row.pumped_ul - 1.5 for row in rows)
