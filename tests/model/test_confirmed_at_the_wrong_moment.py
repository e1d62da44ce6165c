"""A prescription is held against what is true when its key is held, whatever has ended by then (LIB-06, RX-03)."""

from model.reference import Prescription
from model.rig import Rig

FLUID_ON_DEMAND = Prescription(basal_ug_per_day=0, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)


class Restated(Prescription):
    """Of another drug than before, of which it says what a day of it was worth."""

    equiv_prev_ug_per_day = 200


MORPHINE = Restated(
    drug="morphine", concentration_ug_per_ml=200, basal_ug_per_day=200, bolus_ug=20, bolus_duration_s=300,
    lockout_s=3600, max_boluses_per_24h=6, limit_24h_ug=320,
)  # fmt: skip


def test_the_first_bolus_ever_ends_with_the_confirmation_of_another_drug():
    """LIB-06, RX-03, H04: stopping for it books that bolus, and what was given of the old drug cannot be restated."""
    rig = Rig()
    assert rig.prescribe(FLUID_ON_DEMAND) is None
    rig.press()
    rig.run(5_000)
    assert rig.state == "bolus"
    assert rig.load(MORPHINE) is None
    rig.key("start", 2_500)
    assert rig.state == "stopped" and rig.pump.core.rx.drug == "test-fluid"
    assert len([entry for entry in rig.tape.entries if entry.what == "rx_refused"]) == 1
    rig.key("start")
    assert rig.state == "infusing"


def test_without_a_bolus_in_between_it_is_confirmed():
    rig = Rig()
    assert rig.prescribe(FLUID_ON_DEMAND) is None
    assert rig.load(MORPHINE) is None
    rig.key("start", 2_500)
    assert rig.pump.core.rx.drug == "morphine"
