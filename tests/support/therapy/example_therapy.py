"""The therapy that the tests of the pump core start from: 0.6 mL/h of test fluid, with and without limits."""

from dataclasses import replace

from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

MIN_MS = 60_000
UNLIMITED_RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)
LIMITED_RX = replace(UNLIMITED_RX, limit_1h_ug=800, limit_4h_ug=3000)


def infusing_rig(rx):
    """A rig whose pump infuses `rx`."""
    rig = TherapyRig()
    assert rig.prescribe(rx) is None and rig.state == "infusing"
    return rig


def active_alarms(rig):
    return rig.pump.therapy.alarms.active_codes()
