"""A prescription is checked again when its key is held (LIB-06, RX-03)."""

from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

ON_DEMAND = Prescription(
    drug="hydromorphone", concentration_ug_per_ml=50, bolus_ug=10, bolus_duration_s=120, lockout_s=1800,
    limit_24h_ug=100,
)  # fmt: skip


class Restated(Prescription):
    """Of another drug than before, of which it says what a day of it was worth."""

    equiv_prev_ug_per_day = 200


MORPHINE = Restated(
    drug="morphine", concentration_ug_per_ml=200, basal_ug_per_day=200, bolus_ug=20, bolus_duration_s=300,
    lockout_s=3600, max_boluses_per_24h=6, limit_24h_ug=320,
)  # fmt: skip


def test_the_first_bolus_ever_ends_with_the_confirmation_of_another_drug():
    """LIB-06, RX-03, H04: stopping for it books that bolus, and what was given of the old drug cannot be restated."""
    rig = TherapyRig()
    assert rig.prescribe(ON_DEMAND) is None
    rig.press()
    rig.run(5_000)
    assert rig.state == "bolus"
    assert rig.load(MORPHINE) is None
    rig.hold_start()
    assert rig.state == "stopped" and rig.pump.therapy.rx.drug == "hydromorphone"
    assert len([entry for entry in rig.tape.entries if entry.what == "rx_refused"]) == 1
    rig.key("start")
    assert rig.state == "infusing"


def test_without_a_bolus_in_between_it_is_confirmed():
    rig = TherapyRig()
    assert rig.prescribe(ON_DEMAND) is None
    assert rig.load(MORPHINE) is None
    rig.hold_start()
    assert rig.pump.therapy.rx.drug == "morphine"
