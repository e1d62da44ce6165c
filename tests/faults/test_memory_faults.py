"""A bit of a dose variable in RAM flips on the simulated board: the pump stops, or nothing changes.

That every bit of every variable is seen is shown in `unit/therapy/test_dose_guard.py`; here, that it is acted on.
"""

import os

import pytest
from cisterna.sim import flips
from support.simulated.scenario_play import outcome, play

SOAK = "CISTERNA_SOAK" in os.environ
PRESS = "60s press"
AGAIN = "300s press"  # in the lockout, which ends at 780 s
CHANGES = {"basal_ug_per_day": 4_800, "lockout_s": 600}  # 0.2 mL/h
MOMENTS = {"basal": "30.3s", "bolus": "100.1s", "lockout": "250.7s"}
# The bits that would do the most harm: a faster basal, a shorter lockout, a smaller count, a wider limit.
HARM = [
    ("schedule.whole_us.basal", 19), ("basal.whole_us", 18), ("rx.lockout_s", 9), ("ledger.pl_step", 15),
    ("lockouts.any_until.s", 9), ("ledger.usteps.basal", 8), ("limits.windows.24h", 29), ("rx.bolus_ug", 8),
    ("clock.s", 12), ("loop.ticks", 20), ("therapy.state", 0), ("boluses.count", 0), ("schedule.left.pca", 10),
]  # fmt: skip


def faults():
    """(name, bit) of each flip that is played."""
    if not SOAK:
        return HARM
    return [(name, bit) for name, bits in flips.widths().items() for bit in sorted({0, bits // 3, bits // 2, bits - 1})]


@pytest.fixture(scope="module")
def undisturbed():
    """The same run without a flip: its summary, and what was pumped by each second."""
    run = outcome("400s", PRESS, AGAIN, trace_every_ms=1000, **CHANGES)
    return run.summary, {int(row.t_s): row.pumped_ul for row in run.rows}


@pytest.mark.parametrize("when", list(MOMENTS))
@pytest.mark.parametrize("name, bit", faults())
def test_a_flipped_bit_stops_the_pump_or_changes_nothing(name, bit, when, undisturbed):
    """WDG-06, WDG-07: within 11 s and before the next grant: what was pumped by the stop was right."""
    flipped_s = float(MOMENTS[when][:-1])
    summary = play("400s", PRESS, AGAIN, f"{MOMENTS[when]} flip name='{name}' bit={bit}", **CHANGES)
    results = [bolus["reason"] or bolus["result"] for bolus in summary["boluses"]]
    right, pumped_ul = undisturbed
    if summary["reboots"] == 0:
        assert summary["pumped_ul"] == right["pumped_ul"]
        assert results == [bolus["reason"] or bolus["result"] for bolus in right["boluses"]]
        return
    assert summary["state"] == "alarm"
    alarm = next(alarm for alarm in summary["alarms"] if alarm["code"] == "self_test")
    assert flipped_s <= alarm["t_on"] <= flipped_s + 11
    assert (alarm["priority"], alarm["action"], alarm["t_off"]) == ("high", "stop", None)
    assert summary["pumped_ul"] <= pumped_ul[int(alarm["t_on"]) + 1] + 0.05
    assert summary["pumped_ul"] - 1.5 <= summary["booked_ul"] <= summary["pumped_ul"] * 1.02 + 6
    assert results[-1] == "alarm"


def test_after_a_flip_a_restart_gives_what_was_prescribed():
    """WDG-07: the count, the lockout and the basal are those of FRAM; neither key nor power cut resumes."""
    run = outcome(
        "60min", "10min press", "15min flip name='lockouts.any_until.s' bit=11", "16min press button='ack'",
        "17min press button='start' hold_ms=2500", "18min press button='start'",
        "20min restart", "25min press", "45min press",
    )  # fmt: skip
    summary = run.summary
    assert [bolus["reason"] or bolus["result"] for bolus in summary["boluses"]] == ["delivered", "lockout", "delivered"]
    assert summary["boluses"][1]["next_possible_s"] == pytest.approx(summary["boluses"][0]["t_end"] + 1800, abs=2.1)
    (alarm,) = [alarm for alarm in summary["alarms"] if alarm["code"] == "self_test"]
    assert 900 <= alarm["t_on"] <= 911 and 1200 <= alarm["t_off"] <= 1260
    assert summary["state"] == "infusing" and summary["reboots"] == 1
    (fault,) = [record.payload for record in run.records if record.name == "fault"]
    assert fault["source"] == 1


def test_a_flip_in_a_stopped_pump_is_masked_and_recorded():
    """WDG-08: nothing moved, so nothing is wrong after the restart from FRAM: a record, and no alarm for it."""
    run = outcome("20min", "5min press button='stop'", "6min flip name='rx.basal_ug_per_day' bit=12", "8min restart")
    codes = [alarm["code"] for alarm in run.summary["alarms"]]
    assert "self_test" not in codes and run.summary["state"] == "infusing"
    assert [record.name for record in run.records].count("fault") == 1
    assert run.summary["pumped_ul"] == pytest.approx(10 * 17, abs=12)
