"""Where the reservoir is told to be low: at the largest of 1 mL, two boluses, 4 h of basal; each of them binds once."""

from dataclasses import replace

import pytest
from support.therapy.example_therapy import UNLIMITED_RX, active_alarms
from support.therapy.therapy_rig import TherapyRig

GRANT_NL = 1_000  # booked when it is granted


@pytest.mark.parametrize(
    "basal_ug_per_day, bolus_ug, low_nl",
    [(14_400, 100, 2_400_000), (2_400, 900, 1_800_000), (2_400, 100, 1_000_000)],
    ids=["4 h of 0.6 mL/h", "two boluses of 0.9 mL", "1 mL"],
)
def test_the_low_mark(basal_ug_per_day, bolus_ug, low_nl):
    """ALM-07, H23: not before the mark, and at most one grant beside the one in motion after it."""
    rig = TherapyRig(fill_ul=low_nl // 1000 + 360)  # 330 of it fill the line at most
    rx = replace(UNLIMITED_RX, basal_ug_per_day=basal_ug_per_day, bolus_ug=bolus_ug, bolus_duration_s=600)
    assert rig.prescribe(rx) is None
    assert rig.remaining_nl() > low_nl + GRANT_NL and active_alarms(rig) == []
    while "reservoir_low" not in active_alarms(rig):
        rig.run(1_000)
    assert low_nl - 2 * GRANT_NL <= rig.remaining_nl() <= low_nl
    assert rig.state == "infusing"
    rig.press()
    assert rig.last("pca_decision").payload["reason"] == 0, "a bolus is given as long as it fits"
