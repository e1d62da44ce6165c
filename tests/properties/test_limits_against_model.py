"""The limits of the pump against the reference model: random pasts, asked at every instant that matters."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pump.dosing.dose_history import BOLUS_BYTES, CLINICIAN, PCA, DoseHistory
from pump.dosing.limits import REASONS as PUMP_REASONS
from pump.dosing.limits import Limits, Pending
from support.therapy.ideal_plant import Fram
from support.therapy.reference_model import REASONS, WINDOWS_MS, Prescription, ReferenceModel

KINDS = {"pca": PCA, "clinician": CLINICIAN}
ORIGIN_MS = 400 * 86_400_000  # the pump has run for a year


def test_the_reasons_and_their_order_are_those_of_the_contract():
    """LIM-12: their numbers are those of the records, so what came later is at the end."""
    later = ("not_confirmed", "bridge")  # the first is of orders that were dropped, beside the contract
    assert PUMP_REASONS[1:] == tuple(reason for reason in REASONS if reason not in later) + later


def limits_of(rx, history):
    """The pump's limits of a model prescription; None ("none") is 0 there."""
    names = ("limit_1h_ug", "limit_4h_ug", "limit_24h_ug", "max_boluses_per_h", "max_boluses_per_24h")
    values = {name: getattr(rx, name) or 0 for name in names}
    return Limits(SimpleNamespace(basal_ug_per_day=rx.basal_ug_per_day, **values), history)


BASALS = st.sampled_from([0, 1, 700, 1439, 2400, 14_400])
GAPS_MS = st.sampled_from([1, 999, 60_000, 600_000, 1_800_000, 3_599_999, 3_600_000, 14_400_000])
KIND = st.sampled_from(["pca", "pca", "pca", "clinician"])
MASSES_NG = st.sampled_from([0, 333, 833, 834, 50_000, 50_001, 100_000])
DURATIONS_MS = st.sampled_from([1, 120_000, 3_600_000, 20_000_000])


@st.composite
def prescriptions(draw):
    """Values from short lists, limits some whole boluses above the highest basal: sums meet limits."""
    basal = draw(BASALS)
    limit = st.tuples(st.sampled_from([basal, 700, 2400]), st.integers(0, 6), st.integers(0, 4))
    limits = [
        draw(limit.map(lambda a, hours=h: max(1, -(-a[0] * hours // 24) + 50 * a[1]) if a[2] else None))
        for h in (1, 4, 24)
    ]
    return Prescription(
        basal_ug_per_day=basal,
        bolus_ug=draw(st.sampled_from([50, 100])),
        max_boluses_per_h=draw(st.none() | st.integers(1, 4)),
        max_boluses_per_24h=draw(st.none() | st.integers(1, 8)),
        limit_1h_ug=limits[0],
        limit_4h_ug=limits[1],
        limit_24h_ug=limits[2],
    )


@st.composite
def histories(draw):
    """(gap, basal) of rates, the last prescription, (gap, kind, ng) of boluses, (kind, ms) of pending."""
    rates = draw(st.lists(st.tuples(GAPS_MS, BASALS), max_size=6))
    boluses = draw(st.lists(st.tuples(GAPS_MS, KIND, MASSES_NG), max_size=14))
    pending = draw(st.lists(st.tuples(KIND, DURATIONS_MS), max_size=2))
    return rates, draw(prescriptions()), boluses, pending


def build(rates, rx, boluses, pending):
    """The same past in the model and in the pump, with the ms at which it ends."""
    model, history = ReferenceModel(), DoseHistory(Fram(), 0, BOLUS_BYTES)
    events, t = [], ORIGIN_MS
    for gap, basal in rates:
        events.append((t, "rate", basal))
        t += gap
    events.append((t, "rx", rx))
    t = ORIGIN_MS
    for gap, kind, ng in boluses:
        t += gap
        events.append((t, kind, ng))
    for t, what, value in sorted(events, key=lambda event: event[0]):
        if what in KINDS:
            model.interrupted(model.accepted(t, what, value, t), t, value)
            history.bolus_ended(*divmod(t, 1000), KINDS[what], value)
        else:
            if model.reigns:
                history.rate_replaced(*divmod(t, 1000), model.rx.basal_ug_per_day)
            model.confirmed(t, value if what == "rx" else Prescription(basal_ug_per_day=value))
            model.started(t)
    waiting = []
    for kind, lasts_ms in pending:
        model.accepted(t, kind, 80_000, t + lasts_ms)
        waiting.append(Pending(KINDS[kind], 80_000, *divmod(t + lasts_ms, 1000)))
    return model, history, waiting, t


@pytest.mark.parametrize("past_ng, reason", [(833, None), (834, "limit_1h")])
def test_basal_is_rounded_up_to_the_nanogram(past_ng, reason):
    """NUM-07: 700 ug/day are 29 166.67 ng/h: beside 833 ng a bolus of 50 ug fits 80 ug, beside 834 it does not."""
    rx = Prescription(basal_ug_per_day=700, bolus_ug=50, limit_1h_ug=80)
    model, history, _, now = build([], rx, [(1, "pca", past_ng)], [])
    assert PUMP_REASONS[limits_of(rx, history).refusal(50_000, *divmod(now, 1000))] == reason
    assert next(iter(model.reasons(now, "clinician", 50_000, None)[1:]), None) == reason


@given(histories(), st.sampled_from(["pca", "clinician"]))
def test_refusals_and_next_times_are_those_of_the_model(past, kind):
    """LIM-04, LIM-05, LIM-06, LIM-07, LIM-11, LIM-29, H31."""
    model, history, waiting, now = build(*past)
    limits = limits_of(model.rx, history)
    ng = model.rx.bolus_ug * 1000
    counted = kind == "pca"
    end_of_pending = min((b.planned_end for b in model.running(now)), default=now + 100 * 3_600_000)
    for t in instants_that_matter(model, now, end_of_pending):
        s, ms = divmod(t, 1000)
        wanted = [r for r in model.reasons(t, kind, ng, None) if r.startswith(("count", "limit"))]
        reason = limits.refusal(ng, s, ms, waiting, counted)
        assert PUMP_REASONS[reason] == (wanted[0] if wanted else None)
    earliest = limits.earliest(ng, *divmod(now, 1000), waiting, counted)
    assert earliest == earliest_by_trying(model, now, kind, ng)


def instants_that_matter(model, now, until):
    """`now`, and the ms before, at and after each instant at which something leaves a window."""
    ends = [b.end for b in model.boluses if b.end is not None] + [r.replaced for r in model.reigns[:-1]]
    leave_in_pieces = [e + w for e in ends for w in WINDOWS_MS.values()]
    return sorted({now} | {t for e in leave_in_pieces for t in (e - 1, e, e + 1) if now <= t < until})


def earliest_by_trying(model, now, kind, ng):
    """The model's answer with lockouts and running boluses left out, as (s, ms): only counts and limits."""
    for t in model.instants(now):
        future = model.as_if_nothing_happened_until(t)
        if not any(r.startswith(("count", "limit")) for r in future.reasons(t, kind, ng, None)):
            return divmod(t, 1000)
    return None
