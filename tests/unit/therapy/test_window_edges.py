"""The instants at which a limit begins to allow a bolus, to the millisecond, with the limit as the one that binds."""

import pytest
from pump.dosing.dose_history import PCA, DoseHistory
from pump.dosing.limits import ACCEPTED, COUNT_1H, COUNT_24H, LIMIT_1H, LIMIT_4H, LIMIT_24H, Limits
from pump.storage.journal import BOLUS_BASE, RATE_BASE
from support.therapy.ideal_plant import Fram

BOLUS_NG = 100_000
ENDED = (50_000, 700)  # instant (s, ms) of the end of the bolus in the history


class OneBolus:
    """A prescription without basal whose limit is one bolus."""

    basal_ug_per_day = limit_1h_ug = limit_4h_ug = limit_24h_ug = max_boluses_per_h = max_boluses_per_24h = 0

    def __init__(self, **limit):
        self.__dict__.update(limit)


def limits_after_a_bolus(rx):
    history = DoseHistory(Fram(), BOLUS_BASE, RATE_BASE)
    history.bolus_ended(ENDED[0], ENDED[1], PCA, BOLUS_NG)
    return Limits(rx, history)


RULES = [
    (3_600, {"limit_1h_ug": 199}, LIMIT_1H),
    (14_400, {"limit_4h_ug": 199}, LIMIT_4H),
    (86_400, {"limit_24h_ug": 199}, LIMIT_24H),
    (3_600, {"max_boluses_per_h": 1}, COUNT_1H),
    (86_400, {"max_boluses_per_24h": 1}, COUNT_24H),
]


@pytest.mark.parametrize("window_s, rule, reason", RULES)
@pytest.mark.parametrize("off_ms, is_in", [(-1, True), (0, False), (1, False)])
def test_a_bolus_leaves_the_window_at_its_very_end(window_s, rule, reason, off_ms, is_in):
    """LIM-06: a bolus that ended at e is in a window W at t if e > t - W: at e + W - 1 ms, not at e + W."""
    found = limits_after_a_bolus(OneBolus(**rule))
    at = (ENDED[0] + window_s, ENDED[1] + off_ms)
    assert found.refusal(BOLUS_NG, *at) == (reason if is_in else ACCEPTED)
    free = (ENDED[0] + window_s, ENDED[1])
    assert found.earliest(BOLUS_NG, *at) == (free if is_in else at)


@pytest.mark.parametrize("window_s, name", [(3_600, "limit_1h_ug"), (14_400, "limit_4h_ug"), (86_400, "limit_24h_ug")])
@pytest.mark.parametrize("off_ms, is_in", [(-1, True), (0, False), (1, False)])
def test_a_past_rate_leaves_the_window_at_its_very_end(window_s, name, off_ms, is_in):
    """LIM-06, LIM-07: a rate replaced at x was in force in the window if x > t - W."""
    history = DoseHistory(Fram(), BOLUS_BASE, RATE_BASE)
    history.rate_replaced(*ENDED, 24_000)
    found = Limits(OneBolus(**{name: 1_000 * window_s // 3_600 + 99}), history)  # the past rate leaves room for 99 ug
    at = (ENDED[0] + window_s, ENDED[1] + off_ms)
    assert (found.refusal(BOLUS_NG, *at) != ACCEPTED) == is_in
    assert found.earliest(BOLUS_NG, *at) == ((ENDED[0] + window_s, ENDED[1]) if is_in else at)
