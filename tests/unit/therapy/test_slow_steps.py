"""A bolus that begins between two steps of a slow basal: neither loses a step nor gains one."""

from dataclasses import replace

import pytest
from pump.delivery.ledger import BASAL, PCA
from support.therapy.example_therapy import UNLIMITED_RX, infusing_rig
from support.therapy.reference_model import HOUR_MS

SLOW_UG_PER_DAY = 240  # 0.01 mL/h: a step of a bd-50 every 50 s
STEPS_PER_H = 10_000_000 / 139_976


@pytest.mark.parametrize("wait_ms", range(0, 55_000, 9_000))
def test_a_bolus_between_two_slow_steps(wait_ms):
    """DEL-04, DEL-27: the basal goes on as if there were no bolus; the bolus makes exactly its usteps."""
    rig = infusing_rig(replace(UNLIMITED_RX, basal_ug_per_day=SLOW_UG_PER_DAY))
    begun_ms = rig.mono_ms()
    rig.run(HOUR_MS + wait_ms)
    rig.press()
    assert rig.last("bolus_start").mono_ms - rig.last("pca_decision").mono_ms < 1_000
    promised = rig.pump.therapy.pca.usteps
    rig.run(HOUR_MS)
    assert rig.pump.therapy.ledger.usteps[PCA] == promised
    rig.key("stop")
    hours = (rig.mono_ms() - begun_ms) / HOUR_MS
    assert rig.pump.therapy.ledger.usteps[BASAL] == pytest.approx(hours * STEPS_PER_H, abs=1.01)
    assert rig.booked_usteps() == rig.plant.position()


def test_a_second_of_both_streams_stays_below_the_machine():
    """DEL-04: 9.9 mL/h of basal and a bolus ordered faster than what is left of 10 mL/h: never more than 10 mL/h."""
    rig = infusing_rig(replace(UNLIMITED_RX, basal_ug_per_day=9_900 * 24, bolus_ug=20, bolus_duration_s=60))
    rig.run(60_000)
    rig.press()
    assert rig.state == "bolus"
    most = 0
    for _ in range(20):
        before = rig.plant.position()
        rig.run(60_000)
        most = max(most, rig.plant.position() - before)
    assert most * 139_976 <= 10_000_000_000 / 60 + 2 * 139_976
    assert most * 139_976 > 9_950_000_000 / 60
