"""A new prescription with a longer lockout, confirmed after a power cut that came after a bolus."""

from dataclasses import replace

import pytest
from support.therapy.example_therapy import MIN_MS, UNLIMITED_RX, infusing_rig
from support.therapy.therapy_rig import reason_name

LONG_S = 7_200


@pytest.mark.parametrize("off_ms", [5_000, 10 * MIN_MS])
@pytest.mark.parametrize("by_clinician", [False, True])
def test_a_longer_lockout_counts_from_the_end_of_the_last_bolus(off_ms, by_clinician):
    """LIM-27, RPL-02: the end of the bolus is remembered, not only the end of its lockout."""
    rig = infusing_rig(UNLIMITED_RX)
    rig.press()
    rig.run(125_000)
    ended_ms = rig.reported_end_ms("pca")
    rig.run(5 * MIN_MS)
    rig.cut(off_ms)
    assert rig.reported_end_ms("pca") == rig.reported_end_ms("any") == ended_ms
    assert rig.prescribe(replace(UNLIMITED_RX, lockout_s=LONG_S)) is None
    if by_clinician:
        rig.run_until(rig.plant.now_ms + 30 * MIN_MS)
        assert rig.clinician_bolus(100, 600) == "lockout"
    rig.press()
    refused = rig.last("pca_decision").payload
    assert reason_name(refused["reason"]) == "lockout"
    assert refused["next_s"] * 1000 + refused["next_ms"] == ended_ms + LONG_S * 1000
