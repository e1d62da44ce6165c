"""The reference model against cases whose answers are published or worked out by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from support.therapy.reference_model import DAY_MS, HOUR_MS, REASONS, Prescription, ReferenceModel, ceil

MIN_MS = 60_000

# Basal 0.6 mL/h, bolus 0.1 mL in 2 min, lockout 30 min, 2.65 mL in 240 min, all at 1000 ug/mL.
COUNTER_EXAMPLE = Prescription(
    basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800, limit_4h_ug=2650
)
H31 = Prescription(basal_ug_per_day=700, bolus_ug=70, bolus_duration_s=60, lockout_s=600, limit_24h_ug=840)


def therapy(rx, t=0):
    """A model in which `rx` was confirmed and started at `t`."""
    model = ReferenceModel()
    model.confirmed(t, rx)
    model.started(t)
    return model


def give(model, t, kind="pca", ug=None, over_ms=None):
    """Accept a bolus at `t` and deliver it whole; the model must allow it."""
    ug = model.rx.bolus_ug if ug is None else ug
    over_ms = model.rx.bolus_duration_s * 1000 if over_ms is None else over_ms
    assert model.refusal(t, kind, ug * 1000) is None
    bolus = model.accepted(t, kind, ug * 1000, t + over_ms)
    model.delivered(bolus, t + over_ms)
    return bolus


def test_published_counter_example_refuses_the_third_bolus():
    model = therapy(COUNTER_EXAMPLE)
    give(model, 40 * MIN_MS)
    give(model, 80 * MIN_MS)
    assert model.projected_ng(120 * MIN_MS, "4h", 100_000) == 2_700_000
    assert model.refusal(120 * MIN_MS) == "limit_4h"
    # The first bolus ended at 42 min and leaves the window 240 min later, exactly.
    assert model.next_possible(120 * MIN_MS) == 282 * MIN_MS
    assert model.refusal(282 * MIN_MS - 1) == "limit_4h"
    assert model.refusal(282 * MIN_MS) is None


def test_two_boluses_a_day_beside_basal_and_never_a_third():
    model = therapy(H31)
    give(model, 23 * HOUR_MS)
    give(model, 23 * HOUR_MS + 30 * MIN_MS)
    assert model.refusal(24 * HOUR_MS + 10 * MIN_MS) == "limit_24h"
    assert model.next_possible(24 * HOUR_MS) == 47 * HOUR_MS + MIN_MS


def test_a_stop_frees_nothing():
    model = therapy(H31)
    give(model, HOUR_MS)
    give(model, 2 * HOUR_MS)
    model.stopped(3 * HOUR_MS)
    assert model.refusal(4 * HOUR_MS) == "not_infusing"
    model.started(20 * HOUR_MS)
    assert model.refusal(20 * HOUR_MS) == "limit_24h"


def test_an_interrupted_bolus_starts_a_full_lockout():
    model = therapy(COUNTER_EXAMPLE)
    bolus = model.accepted(MIN_MS, "pca", 100_000, 3 * MIN_MS)
    model.stopped(2 * MIN_MS)
    model.interrupted(bolus, 2 * MIN_MS, 50_041)
    model.started(2 * MIN_MS + 5000)
    assert model.refusal(32 * MIN_MS - 1) == "lockout"
    assert model.refusal(32 * MIN_MS) is None
    assert model.boluses_ng(32 * MIN_MS, HOUR_MS, model.rx) == 50_041


def test_cancel_and_a_new_prescription_clear_neither_lockout_nor_counts_nor_windows():
    rx = replace(COUNTER_EXAMPLE, max_boluses_per_h=1)
    model = therapy(rx)
    give(model, MIN_MS)
    model.cancel(5 * MIN_MS)
    model.confirmed(6 * MIN_MS, rx)
    model.started(6 * MIN_MS)
    assert model.refusal(6 * MIN_MS) == "lockout"
    assert model.refusal(33 * MIN_MS) == "count_1h"
    assert model.next_possible(6 * MIN_MS) == 63 * MIN_MS


def test_of_two_lockouts_the_longer_holds():
    for first_s, second_s in ((1800, 600), (600, 1800)):
        model = therapy(replace(COUNTER_EXAMPLE, lockout_s=first_s))
        give(model, MIN_MS)
        model.confirmed(5 * MIN_MS, replace(COUNTER_EXAMPLE, lockout_s=second_s))
        model.started(5 * MIN_MS)
        assert model.next_possible(5 * MIN_MS) == 33 * MIN_MS


def test_a_lockout_longer_than_one_that_has_run_out_counts_from_the_same_end():
    model = therapy(replace(COUNTER_EXAMPLE, lockout_s=600))
    give(model, MIN_MS)
    model.confirmed(20 * MIN_MS, COUNTER_EXAMPLE)
    model.started(20 * MIN_MS)
    assert model.refusal(20 * MIN_MS) == "lockout"
    assert model.next_possible(20 * MIN_MS) == 33 * MIN_MS


def test_the_highest_rate_of_the_past_window_stays_until_it_has_left():
    slow = replace(COUNTER_EXAMPLE, basal_ug_per_day=7200, limit_4h_ug=2500)
    model = therapy(replace(COUNTER_EXAMPLE, limit_4h_ug=2500))
    model.confirmed(HOUR_MS, slow)
    model.started(HOUR_MS)
    assert model.projected_ng(HOUR_MS, "4h") == 2_400_000
    give(model, HOUR_MS)
    assert model.refusal(3 * HOUR_MS) == "limit_4h"
    assert model.next_possible(3 * HOUR_MS) == 5 * HOUR_MS
    assert model.projected_ng(5 * HOUR_MS, "4h") == 1_200_000 + 100_000


def test_a_rate_stays_in_force_while_stopped_or_cancelled():
    model = therapy(COUNTER_EXAMPLE)
    model.cancel(HOUR_MS)
    low = replace(COUNTER_EXAMPLE, basal_ug_per_day=1440, limit_4h_ug=2399)
    assert model.new_prescription_refusal(10 * HOUR_MS, low) == "limit_4h"
    assert model.new_prescription_refusal(10 * HOUR_MS, replace(low, limit_4h_ug=2400)) is None


def test_a_new_prescription_must_leave_room_for_the_boluses_still_in_its_window():
    model = therapy(replace(COUNTER_EXAMPLE, limit_1h_ug=1200))
    give(model, MIN_MS)
    tight = replace(COUNTER_EXAMPLE, limit_1h_ug=699, limit_4h_ug=2499)
    assert model.new_prescription_refusal(10 * MIN_MS, tight) == "limit_1h"
    assert model.new_prescription_refusal(10 * MIN_MS, replace(tight, limit_1h_ug=700)) == "limit_4h"
    assert model.new_prescription_refusal(63 * MIN_MS, tight) == "limit_4h"
    assert model.new_prescription_refusal(243 * MIN_MS, tight) is None


def test_boluses_of_another_drug_count_by_the_equivalence_rounded_up():
    model = therapy(Prescription(drug="morphine", basal_ug_per_day=700, bolus_ug=70, lockout_s=600))
    bolus = model.accepted(0, "pca", 70_000, 60_000)
    model.interrupted(bolus, 30_000, 35_001)
    other = Prescription(
        drug="hydromorphone", basal_ug_per_day=100, lockout_s=600, equivalence={"morphine": Fraction(1, 5)}
    )
    model.confirmed(HOUR_MS, other)
    model.started(HOUR_MS)
    assert model.boluses_ng(HOUR_MS, DAY_MS, other) == 8000  # 7000.2, in whole ug
    assert model.highest_basal_ng(HOUR_MS, DAY_MS, other) == 140_000


def test_a_patient_bolus_during_a_clinician_bolus_minds_only_the_last_patient_bolus():
    rx = replace(COUNTER_EXAMPLE, limit_4h_ug=3000)
    model = therapy(rx)
    give(model, MIN_MS)
    long = model.accepted(33 * MIN_MS, "clinician", 200_000, 93 * MIN_MS)
    assert model.refusal(40 * MIN_MS) is None
    pca = model.accepted(40 * MIN_MS, "pca", 100_000, 42 * MIN_MS)
    assert model.refusal(41 * MIN_MS) == "running"
    long.planned_end += 2 * MIN_MS
    model.delivered(pca, 42 * MIN_MS)
    assert model.refusal(50 * MIN_MS) == "lockout"
    assert model.refusal(72 * MIN_MS) is None
    assert model.refusal(72 * MIN_MS, "clinician", 1) == "running"
    model.delivered(long, 95 * MIN_MS)
    assert model.refusal(125 * MIN_MS - 1) == "lockout"
    assert model.refusal(125 * MIN_MS) is None


def test_the_limits_hold_the_rest_of_a_clinician_bolus_that_runs():
    model = therapy(replace(COUNTER_EXAMPLE, limit_1h_ug=800))
    model.accepted(0, "clinician", 150_000, 6 * HOUR_MS)
    assert model.refusal(5 * HOUR_MS) == "limit_1h"


def test_next_possible_is_never_when_the_bolus_cannot_fit():
    model = therapy(replace(COUNTER_EXAMPLE, limit_1h_ug=650))
    assert model.refusal(0) == "limit_1h"
    assert model.next_possible(0) is None


def test_next_possible_while_a_bolus_runs_is_a_lockout_after_its_planned_end():
    model = therapy(COUNTER_EXAMPLE)
    model.accepted(0, "pca", 100_000, 2 * MIN_MS)
    assert model.refusal(MIN_MS) == "running"
    assert model.next_possible(MIN_MS) == 32 * MIN_MS


def test_counts_are_of_patient_boluses_by_their_end():
    model = therapy(replace(COUNTER_EXAMPLE, lockout_s=60, max_boluses_per_h=2, limit_4h_ug=None))
    give(model, 0)
    give(model, 5 * MIN_MS, "clinician", 10, MIN_MS)
    give(model, 10 * MIN_MS)
    assert model.refusal(20 * MIN_MS) == "count_1h"
    assert model.next_possible(20 * MIN_MS) == 62 * MIN_MS


@pytest.mark.parametrize("gap_ms, demand", [(300, False), (1999, False), (2000, True), (5000, True)])
def test_a_press_within_two_seconds_of_the_last_is_no_new_demand(gap_ms, demand):
    model = therapy(COUNTER_EXAMPLE)
    assert model.pressed(1000)
    assert model.pressed(1000 + gap_ms) is demand


def test_presses_that_are_no_demand_hold_the_next_ones_off_too():
    model = therapy(COUNTER_EXAMPLE)
    assert [model.pressed(t) for t in (0, 1500, 3000, 4500, 6500)] == [True, False, False, False, True]


def test_reasons_come_in_the_order_of_the_contract():
    """Every reason at once, then taken away one by one."""
    rx = Prescription(
        basal_ug_per_day=24_000, bolus_ug=100, lockout_s=1800, max_boluses_per_h=1, max_boluses_per_24h=1,
        limit_1h_ug=1150, limit_4h_ug=4150, limit_24h_ug=24_150,
    )  # fmt: skip
    model = therapy(rx)
    give(model, 0)
    running = model.accepted(MIN_MS, "pca", 100_000, 2 * MIN_MS)
    model.pendant_fault = model.hold = model.log_failed = model.bridged = True
    model.alarms["air"] = "stop"
    model.stopped(90_000)
    seen = [model.refusal(100_000, remaining_nl=0)]
    model.pendant_fault = False
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.hold = False
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.alarms["air"] = "none"
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.infusing = True
    model.reigns[-1].rx = replace(rx, bolus_ug=0)
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.reigns[-1].rx = rx
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.bridged = False
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.log_failed = False
    seen.append(model.refusal(100_000, remaining_nl=0))
    model.interrupted(running, 100_000, 100_000)
    seen.append(model.refusal(100_000, remaining_nl=0))
    loose = rx
    t = 31 * MIN_MS + 100_000
    seen.append(model.refusal(t, remaining_nl=0))
    for name in ("max_boluses_per_h", "max_boluses_per_24h", "limit_1h_ug", "limit_4h_ug", "limit_24h_ug"):
        loose = replace(loose, **{name: None})
        model.reigns[-1].rx = loose
        seen.append(model.refusal(t, remaining_nl=0))
    assert tuple(seen) == REASONS
    assert model.refusal(t, remaining_nl=600_000) is None
    assert model.refusal(t, remaining_nl=599_999) == "reservoir"


def test_basal_of_a_window_is_rounded_up():
    model = therapy(replace(COUNTER_EXAMPLE, basal_ug_per_day=1))
    assert model.highest_basal_ng(0, HOUR_MS, model.rx) == 42  # 41.67
    assert ceil(Fraction(125, 3)) == 42 and ceil(42) == 42
