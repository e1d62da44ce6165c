"""The published counter-example on the pump itself, at any start time and with any events between its boluses.

Basal 0.6 mL/h, bolus 0.1 mL in 2 min, lockout 30 min, 2.65 mL in 240 min, requests at 40, 80 and 120 min. A rule
that looks only at what was given accepts the third, and basal then carries the window to 2.70 mL.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.therapy.record_checker import RecordChecker
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

MIN_MS = 60_000
HOUR_MS = 60 * MIN_MS
DAY_MS = 24 * HOUR_MS

COUNTER_EXAMPLE = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1_800, limit_4h_ug=2_650
)


def therapy(rx, idle_ms=0):
    """A pump that stood for `idle_ms`, was then given `rx` and infuses; with its checker and the start in ms."""
    rig = TherapyRig()
    checker = RecordChecker(rig)
    rig.run(idle_ms)
    prescribe(rig, checker, rx)
    return rig, checker, rig.plant.now_ms


def prescribe(rig, checker, rx):
    checker.loaded = rx
    assert rig.prescribe(rx) is None


def press_at(rig, checker, t_ms):
    """A press at `t_ms`: the reason it was refused for, or None."""
    rig.run_until(t_ms)
    rig.press()
    return checker.last_reason


def nothing(rig, checker):
    pass


def stop_for_a_while(rig, checker):
    rig.key("stop")
    rig.run(15 * MIN_MS)
    rig.key("start")


def restart(rig, checker):
    prescribe(rig, checker, COUNTER_EXAMPLE)


def lower_the_rate(rig, checker):
    prescribe(rig, checker, replace(COUNTER_EXAMPLE, basal_ug_per_day=7_200))


def cancel_and_restart(rig, checker):
    rig.cancel()
    restart(rig, checker)


def cut_the_power(rig, checker):
    checker.cut(5 * MIN_MS, proven=True)
    restart(rig, checker)


BETWEEN = st.sampled_from([nothing, stop_for_a_while, restart, lower_the_rate, cancel_and_restart, cut_the_power])


@settings(max_examples=settings.default.max_examples // 4)
@given(idle_ms=st.integers(0, DAY_MS), between=BETWEEN, after_ms=st.integers(3 * MIN_MS, 20 * MIN_MS))
def test_the_third_bolus_of_the_counter_example_is_refused(idle_ms, between, after_ms):
    """LIM-07, H31."""
    rig, checker, start = therapy(COUNTER_EXAMPLE, idle_ms)
    assert press_at(rig, checker, start + 40 * MIN_MS) is None
    rig.run(after_ms)
    between(rig, checker)
    assert press_at(rig, checker, start + 80 * MIN_MS) is None
    assert press_at(rig, checker, start + 120 * MIN_MS) == "limit_4h"
    told_ms = checker.next_possible[2]
    rig.run(told_ms - rig.pump_ms_now())
    rig.press()
    assert checker.last_reason is None
    rig.run(4 * HOUR_MS)
    checker.check_windows()


@pytest.mark.parametrize("stopped_h", [0, 6])
def test_two_boluses_a_day_beside_700_ug_under_a_limit_of_840(stopped_h):
    """LIM-07, H31: Pressed at every lockout for three days, with a stop: the third bolus of a day is never given."""
    rx = Prescription(basal_ug_per_day=700, bolus_ug=70, bolus_duration_s=60, lockout_s=1_800, limit_24h_ug=840)
    rig, checker, start = therapy(rx)
    for half_hours in range(23 * 2, 71 * 2):
        if stopped_h and half_hours == 25 * 2:
            rig.key("stop")
            rig.run(stopped_h * HOUR_MS)
            rig.key("start")
        press_at(rig, checker, start + half_hours * 30 * MIN_MS + 61_000 * (half_hours - 45))
    starts = [entry.true_ms for entry in rig.tape.entries if entry.what == "bolus_start"]
    assert len(starts) >= 4
    assert all(later - first >= DAY_MS for first, later in zip(starts, starts[2:], strict=False))
    checker.check_windows()
