"""A whole run with each of the syringes that other tests seldom use, measured with the bore of the simulated world."""

import pytest
from support.simulated.scenario_play import play


@pytest.mark.parametrize("syringe, fill_ml", [("bd-5", 5.0), ("bd-20", 15.0), ("bd-30", 25.0), ("bd-50", 40.0)])
def test_the_prescribed_volume_leaves_the_syringe(syringe, fill_ml):
    """DEL-01: 2 h of 0.6 mL/h and a bolus of 100 uL. Pitch error, lash and stick-slip are 1.5 uL at most."""
    summary = play("2h", "1h press", syringe=syringe, fill_ml=fill_ml)
    assert summary["alarms"] == [] and [bolus["result"] for bolus in summary["boluses"]] == ["delivered"]
    assert summary["pumped_ul"] == pytest.approx(1300, abs=1.3 + 1.5)  # 0.1 % and the mechanics
    assert summary["booked_ul"] == pytest.approx(1300, abs=1.3)
