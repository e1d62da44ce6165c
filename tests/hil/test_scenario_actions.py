"""Each action of the scenario contract, on the simulated board."""

import pytest
from support.simulated.scenario_play import outcome, play


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


def test_backlash_is_taken_up_before_the_start():
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


def test_power_is_lost_and_restored():
    """ALS-09, WDG-10, RPL-01, RPL-02."""
    summary = play("1h", "10min power off_for='5min'", "12min press", "20min press", "13min restart", "24min restart")
    assert summary["reboots"] == 1 and summary["state"] == "infusing"
    assert codes(summary) == ["unexpected_reset"] and summary["alarms"][0]["action"] == "none"
    assert results(summary) == ["not_infusing"]
    assert summary["refusals"] == [{"t": 780.0, "do": "restart", "code": "off"}]


def test_power_is_lost_during_a_bolus():
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


def test_a_second_power_cut_does_not_raise_the_priority_of_the_first_alarm():
    """ALS-09."""
    summary = play("17min", "5min power off_for='60s'", "7min power off_for='30s'")
    assert summary["state"] == "stopped" and summary["reboots"] == 2
    assert [(alarm["code"], alarm["action"]) for alarm in summary["alarms"]] == [("unexpected_reset", "none")]
    assert 360 <= summary["alarms"][0]["t_on"] <= 365


def test_a_rotation():
    """LIM-13, RX-05, H04, H11: morphine goes on at its rate until it has left the line, and PCA waits for that."""
    morphine = {"drug": "morphine", "concentration_ug_per_ml": 200, "basal_ug_per_day": 700, "bolus_ug": 70}
    morphine |= {"bolus_duration_s": 300, "lockout_s": 3600, "limit_24h_ug": 1120}
    hydromorphone = "drug='hydromorphone' concentration_ug_per_ml=50 basal_ug_per_day=140 bolus_ug=14 limit_24h_ug=224"
    rotated = play(
        "6h",
        "30min press",
        f"1h prescribe {hydromorphone}",
        "90min press",
        "2h clinician_bolus ug=10 over_s=600",
        "150min prescribe concentration_ug_per_ml=20",
        "5h press",
        **morphine,
    )
    assert results(rotated) == ["delivered", "bridge", "bridge", "delivered"] and rotated["state"] == "infusing"
    assert [(entry["t"], entry["code"]) for entry in rotated["refusals"]] == [(9000.0, "bridge")]
    # 270 uL of morphine at 700 ug/day, 30 uL at the strength of the new fluid, which is stronger: 2 h 06 min
    assert 11_000 <= rotated["boluses"][1]["next_possible_s"] <= 11_300
    morphine_ug, hydromorphone_ug = 70 + 700 / 24 + 270 * 0.2, 30 * 0.05 + 14 + 140 / 24 * (6 - 11_200 / 3600)
    assert rotated["booked_ug"] == pytest.approx(morphine_ug + hydromorphone_ug, rel=0.02)
    # Against the tip: the pump books the stronger of both between 0.9 and 1.1 dead spaces
    assert rotated["peak_tip_ug"]["24h"] == pytest.approx(rotated["booked_ug"], abs=30 * 0.2 + 1)


def test_a_line_that_holds_another_strength():
    """H11, LIM-05, LIM-13: tenfold strength in the line, a bolus just before the front, and the 1 h limit binding."""
    rx = {"limit_1h_ug": 800, "bolus_ug": 100, "lockout_s": 600}
    for ug_per_ml in (100, 500, 2000):
        summary = play(
            "100min", f"10min prescribe concentration_ug_per_ml={ug_per_ml}", "11min press", "37min press", **rx
        )
        assert summary["peak_tip_ug"]["1h"] <= 801, ug_per_ml
        assert results(summary) == ["delivered", "delivered"] and summary["state"] == "infusing"
        assert summary["booked_ug"] == pytest.approx(1200, abs=15)
        assert summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5
        # What leaves the tip is at most what was booked; of the old fluid a fifth of the dead space is in doubt.
        short_ug = 1200 - summary["peak_tip_ug"]["24h"]
        assert -2 <= short_ug <= 60 * abs(ug_per_ml - 1000) / 1000 + 25


def test_a_power_cut_in_a_bridge():
    """H11, RPL-01: what the line holds is known again; the limit holds."""
    rx = {"limit_1h_ug": 800, "bolus_ug": 100, "lockout_s": 600}
    summary = play(
        "100min", "10min prescribe concentration_ug_per_ml=100", "20min power off_for='30s'", "21min restart",
        "37min power off_for='30s'", "38min restart", "40min press", **rx,
    )  # fmt: skip
    assert summary["refusals"] == [] and results(summary) == ["delivered"]
    assert summary["peak_tip_ug"]["1h"] <= 801
    assert summary["booked_ug"] == pytest.approx(1100 - 20, abs=20)


def test_a_change_of_strength_without_an_exchange():
    """H02, H11, RES-05: the pump refuses START, then the clinician's restart; nothing more leaves the syringe."""
    summary = play("3h", "1h prescribe concentration_ug_per_ml=100 exchange=false", "2h restart")
    assert summary["state"] == "stopped" and codes(summary) == ["paused_long", "paused_long"]
    assert [(entry["do"], entry["t"], entry["code"]) for entry in summary["refusals"]] == [("restart", 7200, "refill")]
    assert summary["pumped_ul"] == pytest.approx(600, abs=5)


def test_another_size_of_syringe():
    """RES-05, DEL-01: the exchange goes through the clamp; the rate is the prescribed one with either syringe."""
    summary = play("3h", "1h prescribe syringe='bd-50' fill_ml=40")
    assert summary["state"] == "infusing" and summary["refusals"] == [] and summary["alarms"] == []
    assert summary["pumped_ul"] == pytest.approx(1800, rel=0.01)
    assert summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5


def test_a_refill_with_another_fluid_is_a_refusal_and_nothing_starts():
    """H04, H11: the hand has put the wrong syringe in; the pump does not start with it."""
    summary = play("1h", "20min refill ml=10 drug='morphine'")
    assert [entry["code"] for entry in summary["refusals"]] == ["refill_fluid"] and summary["state"] == "stopped"


def test_the_pump_may_be_off_at_the_end():
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
    refill = "20min refill ml=10 returned_ml=7"
    summary = play("30min", refill)
    assert codes(summary) == ["refill"] and summary["state"] == "stopped"
    seen = play("1h", refill, "25min press button='ack'", "26min press button='start'")
    assert codes(seen) == ["refill"] and seen["state"] == "infusing" and seen["refusals"] == []


def test_a_therapy_that_stands_after_a_pause_and_a_power_cut():
    """ALM-20: ten minutes after the power-up, whatever was before it."""
    summary = play("1h", "20min press button='stop'", "21min power off_for='5s'")
    assert codes(summary) == ["paused_long"] and summary["state"] == "stopped"
    assert 1865 <= summary["alarms"][0]["t_on"] <= 1872


def test_jumps_of_the_rotor_while_stopped_are_booked_once():
    """RPL-04: field report of a ledger that grew with every power cut while nothing moved."""
    cuts = [f"{15 + 5 * k}min power off_for='5s'" for k in range(6)]
    summary = play("1h", "10min power off_for='5s'", *cuts)
    assert summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 1 + 1 + 2.6


def test_stop_keys_count_in_fractions_of_a_second_and_over_a_power_cut():
    """ALM-19: 599.2 s from the first to the third."""
    keys = ["600.9s press button='stop'", "650s press button='start'", "900s press button='stop'"]
    summary = play("21min", *keys, "950s press button='start'", "1200.1s press button='stop'")
    assert summary["state"] == "alarm" and codes(summary) == ["repeat_stops"]
    summary = play("21min", *keys, "910s power off_for='5s'", "950s restart", "1200.1s press button='stop'")
    assert summary["state"] == "alarm" and "repeat_stops" in codes(summary)


def test_a_press_before_the_start():
    """DEL-09."""
    summary = play("10min", "-2min press")
    assert results(summary) == ["not_infusing"] and summary["boluses"][0]["t_request"] == -120.0


def test_a_bolus_still_going_at_the_end():
    (bolus,) = play("11min", "10min press")["boluses"]
    assert bolus["result"] == "running" and bolus["t_end"] is None
    assert bolus["ul"] == pytest.approx((660 - bolus["t_start"]) * 100 / 120, abs=1.1), "a grant, booked ahead, is 1 uL"


def test_the_trace_follows_the_run():
    """DEL-31."""
    rows = outcome("30min", "10min press button='stop'", trace_every_ms=60_000).rows
    assert [row.t_s for row in rows] == [60.0 * k for k in range(31)]
    assert rows[0].pumped_ul == rows[0].booked_ul == 0.0
    assert rows[5].state == "infusing" and rows[20].state == "stopped"
    assert all(row.booked_ul >= row.pumped_ul - 1.5 for row in rows)


@pytest.mark.parametrize("t", ["-370s", "-355s", "-250s", "-200s"])
def test_power_fails_before_the_start(t):
    """The clinician's step that finds no power is a refusal; the run goes to its end."""
    summary = play("10min", f"{t} power off_for='30s'")
    assert summary["reboots"] == 1 and summary["log"]["verified"]
    assert summary["pumped_ul"] == 0 or t == "-200s"
    assert t == "-200s" or {"do": "prime"}.items() <= summary["refusals"][-1].items()
    assert t != "-250s" or [entry["code"] for entry in summary["refusals"]] == ["off"]


def test_power_stays_off_for_days_at_the_end():
    """LOG-08."""
    summary = play("10min", "50s press", "1min power off_for='2d'", "5min press")
    assert (summary["state"], summary["reboots"]) == ("off", 0)
    (bolus,) = summary["boluses"]
    assert bolus["result"] == "interrupted" and 60 <= bolus["t_end"] <= 70.5
    assert summary["log"]["verified"]


def test_a_respiratory_monitor_holds_boluses_and_ends_none_that_runs():
    """ITH-10: reason `hold`, before any other; basal and a running bolus go on."""
    summary = play(
        "2h",
        "10min press",
        "610s hold on=true",  # the bolus of 120 s runs
        "40min press",
        "50min clinician_bolus ug=50 over_s=60",
        "55min hold on=false",
        "60min press",
    )
    assert results(summary) == ["delivered", "hold", "hold", "delivered"]
    assert summary["boluses"][0]["ul"] == pytest.approx(100, abs=0.05)
    assert [bolus["next_possible_s"] for bolus in summary["boluses"][1:3]] == [None, None]
    assert summary["alarms"] == [] and summary["state"] == "infusing"
    assert summary["pumped_ul"] == pytest.approx(1200 + 200, abs=2)


def test_a_hung_loop_is_reset_by_the_watchdog():
    """WDG-01, WDG-10: one grant at most, then the watchdog; the pump says so and only a clinician begins again."""
    summary = play(
        "1h", "20min hang for='60s'", "30min press button='start' hold_ms=2500", "40min restart", "50min press"
    )
    assert [(alarm["code"], alarm["action"]) for alarm in summary["alarms"]] == [("unexpected_reset", "stop")]
    assert 1200 <= summary["alarms"][0]["t_on"] <= 1200 + 12
    assert summary["reboots"] == 1 and results(summary) == ["delivered"]
    assert summary["pumped_ul"] == pytest.approx(200 + 1200 / 6 + 100, abs=4)
    assert summary["log"]["verified"]


def test_a_hang_that_is_shorter_than_the_watchdog_costs_time_only():
    summary = play("1h", "20min hang for='2s'")
    assert summary["alarms"] == [] and summary["reboots"] == 0
    assert summary["pumped_ul"] == pytest.approx(600, abs=1.6)


@pytest.mark.parametrize(("n", "byte"), [(1, 0), (1, 40), (2, 17), (5, 63), (40, 5)])
def test_power_fails_at_a_byte_of_a_write(n, byte):
    """LOG-06, WDG-10: whatever was being written, nothing is lost and no more is booked than was in flight."""
    summary = play("30min", f"10min cut_at_write n={n} byte={byte} off_for='5s'")
    assert codes(summary) == ["unexpected_reset", "paused_long"]
    assert summary["reboots"] == 1 and summary["state"] == "stopped"
    assert summary["booked_ul"] >= summary["pumped_ul"] - 1.5 - 0.001 * summary["pumped_ul"]
    assert summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 2
    assert summary["log"]["verified"]


@pytest.mark.parametrize("cpu_ms", [3, 6, 20])
def test_a_slow_processor_changes_no_decision(cpu_ms):
    """DEL-01, NUM-05: a wake-up takes 3 to 6 ms on the chip; the schedule catches up within the grant."""
    doings = ("10min press", "13min press", "20min press button='stop'", "21min press button='start'", "50min press")
    quick, slow = play("1h", *doings), play("1h", *doings, cpu_ms_per_wake=cpu_ms)
    assert results(slow) == results(quick) == ["delivered", "lockout", "delivered"]
    for mine, theirs in zip(slow["boluses"], quick["boluses"], strict=True):
        assert mine["t_request"] == theirs["t_request"] and mine["ul"] == pytest.approx(theirs["ul"], abs=0.05)
        assert mine["t_end"] == theirs["t_end"] or mine["t_end"] == pytest.approx(theirs["t_end"], abs=1)
    assert slow["pumped_ul"] == pytest.approx(quick["pumped_ul"], abs=0.5)
    assert slow["alarms"] == quick["alarms"] == []


def test_a_stop_counts_beside_a_chattering_cord_on_a_slow_processor():
    """ALS-13, H25."""
    summary = play(
        "20min",
        "5min pendant fault='chatter' for='60s'",
        "5.5min press button='stop' hold_ms=60",
        cpu_ms_per_wake=20,
    )
    assert summary["state"] == "stopped" and summary["boluses"] == []
    assert summary["pumped_ul"] == pytest.approx(55, abs=1.6)


def test_a_line_that_is_off_loses_what_is_pumped():
    """Nothing of it is delivered; the line at its end has a fifth of the resistance."""
    summary = play("2h", "1h disconnect")
    assert summary["lost_ul"] == pytest.approx(600 + 9 * (1.3 + 0.52 * 0.6), abs=2)
    assert summary["delivered_ul"] == pytest.approx(600, abs=5)
    joined = play("2h", "1h disconnect", "90min connect")
    assert joined["lost_ul"] == pytest.approx(summary["lost_ul"] - 300, abs=2)


def test_an_open_gripper_is_the_alarm_of_the_syringe():
    """Within a second motion has ended; the fluid follows the height until the plunger is gripped."""
    summary = play(
        "20min", "10min back_pressure kpa=-6 over='1s'", "15min gripper open=true", "16min gripper open=false"
    )
    (alarm,) = [alarm for alarm in summary["alarms"] if alarm["code"] == "syringe"]
    assert 900 <= alarm["t_on"] <= 901 and summary["state"] == "alarm"
    free_ul = 4.7 / 0.65 * 60 / 3.6
    line_ul = 9 * 6 - 9 * 0.39 + 9 * 4.7  # it follows the height twice: the gripper lets it fill from the syringe
    assert summary["delivered_ul"] == pytest.approx(150 + free_ul + line_ul, abs=3)


def test_a_line_that_comes_off_is_found_and_what_it_loses_is_not_delivered():
    """H16: within 30 min, medium; the alarm ends when the line is on again."""
    summary = play("5h", "2h disconnect", "4h connect")
    (off,) = summary["alarms"]
    assert (off["code"], off["priority"], off["action"]) == ("disconnected", "medium", "none")
    assert 7200 < off["t_on"] <= 7200 + 1800 and 14_400 <= off["t_off"] <= 14_400 + 60
    assert summary["lost_ul"] == pytest.approx(1200, rel=0.02)
    assert summary["delivered_ul"] == pytest.approx(summary["pumped_ul"] - summary["lost_ul"], abs=12)
    assert summary["state"] == "infusing"


def test_a_changed_set_is_filled_anew():
    """DEL-31, DEL-33: stopped, taken off, filled, put on, started; the filling is in no total but its own."""
    summary = play("2h", "1h prime", "90min press")
    assert summary["refusals"] == [] and summary["state"] == "infusing" and results(summary) == ["delivered"]
    assert 300 <= summary["primed_ul"] <= 330
    assert summary["pumped_ul"] == pytest.approx(1200 - 0.6 * 1000 / 3600 * 290 + 100, abs=25)
    assert summary["booked_ul"] >= summary["pumped_ul"] - 1.5 - 0.001 * summary["pumped_ul"]
    assert summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 1
    assert summary["lost_ul"] <= 9 * (1.3 + 0.39) + 1 and summary["alarms"] == []


@pytest.mark.parametrize(("tip_kpa", "compliance"), [(1.3, 9.0), (-2.0, 9.0), (0.1, 9.0), (0.0, 5.0), (0.1, 21.0)])
def test_somebody_forgets_to_take_the_line_off(tip_kpa, compliance):
    """H13: refused by the pressure at rest, or ended by the slow beginning, within 50 uL."""
    keys = {"tip_kpa": tip_kpa, "compliance_ul_per_kpa": compliance, "compliance_known_as": compliance}
    summary = play("40min", "10min press button='stop'", "20min prime connected=true", **keys)
    assert [(refusal["do"], refusal["code"]) for refusal in summary["refusals"]] == [("prime", "prime_connected")]
    assert summary["delivered_ul"] - summary["pumped_ul"] <= max(10, 10 * compliance / 9)  # the least release limit
    assert summary["primed_ul"] <= 330 and summary["state"] == "stopped"
    assert summary["peak_tip_ug"]["1h"] <= 150
