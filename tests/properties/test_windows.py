"""The published counter-example on the pump itself, wherever it begins and whatever comes between its boluses.

Basal 0.6 mL/h, bolus 0.1 mL in 2 min, lockout 30 min, 2.65 mL in 240 min, requests at 40, 80 and 120 min. A rule
that looks only at what was given accepts the third, and basal then carries the window to 2.70 mL.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.reference import Prescription
from model.rig import Rig
from model.witness import Witness

MIN_MS = 60_000
HOUR_MS = 60 * MIN_MS
DAY_MS = 24 * HOUR_MS

COUNTER_EXAMPLE = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1_800, limit_4h_ug=2_650
)


def therapy(rx, idle_ms=0):
    """A pump that stood for `idle_ms`, was then given `rx` and infuses; with its witness and the start in ms."""
    rig = Rig()
    witness = Witness(rig)
    rig.run(idle_ms)
    prescribe(rig, witness, rx)
    return rig, witness, rig.plant.now_ms


def prescribe(rig, witness, rx):
    witness.loaded = rx
    assert rig.prescribe(rx) is None


def press_at(rig, witness, t_ms):
    """A press at `t_ms`: the reason it was refused for, or None."""
    rig.run_until(t_ms)
    rig.press()
    return witness.last_reason


def nothing(rig, witness):
    pass


def stop_for_a_while(rig, witness):
    rig.key("stop")
    rig.run(15 * MIN_MS)
    rig.key("start")


def restart(rig, witness):
    prescribe(rig, witness, COUNTER_EXAMPLE)


def lower_the_rate(rig, witness):
    prescribe(rig, witness, replace(COUNTER_EXAMPLE, basal_ug_per_day=7_200))


def cancel_and_restart(rig, witness):
    rig.cancel()
    restart(rig, witness)


def cut_the_power(rig, witness):
    witness.cut(5 * MIN_MS, proven=True)
    restart(rig, witness)


BETWEEN = st.sampled_from([nothing, stop_for_a_while, restart, lower_the_rate, cancel_and_restart, cut_the_power])


@settings(max_examples=settings.default.max_examples // 4)
@given(idle_ms=st.integers(0, DAY_MS), between=BETWEEN, after_ms=st.integers(3 * MIN_MS, 20 * MIN_MS))
def test_the_third_bolus_of_the_counter_example_is_refused(idle_ms, between, after_ms):
    """LIM-07, H31."""
    rig, witness, start = therapy(COUNTER_EXAMPLE, idle_ms)
    assert press_at(rig, witness, start + 40 * MIN_MS) is None
    rig.run(after_ms)
    between(rig, witness)
    assert press_at(rig, witness, start + 80 * MIN_MS) is None
    assert press_at(rig, witness, start + 120 * MIN_MS) == "limit_4h"
    told_ms = witness.told[2]
    rig.run(told_ms - rig.pump_ms_now())
    rig.press()
    assert witness.last_reason is None
    rig.run(4 * HOUR_MS)
    witness.check_windows()


@pytest.mark.parametrize("stopped_h", [0, 6])
def test_two_boluses_a_day_beside_700_ug_under_a_limit_of_840(stopped_h):
    """LIM-07, H31: Pressed at every lockout for three days, with a stop: the third bolus of a day is never given."""
    rx = Prescription(basal_ug_per_day=700, bolus_ug=70, bolus_duration_s=60, lockout_s=1_800, limit_24h_ug=840)
    rig, witness, start = therapy(rx)
    for half_hours in range(23 * 2, 71 * 2):
        if stopped_h and half_hours == 25 * 2:
            rig.key("stop")
            rig.run(stopped_h * HOUR_MS)
            rig.key("start")
        press_at(rig, witness, start + half_hours * 30 * MIN_MS + 61_000 * (half_hours - 45))
    starts = [entry.true_ms for entry in rig.tape.entries if entry.what == "bolus_start"]
    assert len(starts) >= 4
    assert all(later - first >= DAY_MS for first, later in zip(starts, starts[2:], strict=False))
    witness.check_windows()
