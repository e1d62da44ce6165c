"""After a stop, a prime, a power cut or a gate, every step made is booked and none that was not made."""

import pytest
from pump.base.refusal import Refused
from support.therapy.record_checker import RecordChecker
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import TherapyRig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1_800)
SYRINGES = [("bd-10", 10_000), ("bd-50", 50_000)]


def therapy(rx=RX, **machine):
    rig = TherapyRig(**machine)
    checker = RecordChecker(rig)
    checker.loaded = rx
    assert rig.prescribe(rx) is None
    return rig, checker


@pytest.mark.parametrize("syringe, fill_ul", SYRINGES)
@pytest.mark.parametrize("wait_ms", range(0, 12_000, 1_700))
def test_a_cut_after_an_ordinary_stop_books_nothing(syringe, fill_ul, wait_ms):
    """RPL-04: What moved before the stop is booked already: the rotor has not jumped."""
    rig, _ = therapy(syringe=syringe, fill_ul=fill_ul)
    rig.run(60_000 + wait_ms)
    rig.key("stop")
    rig.run(5_000)
    rig.cut(60_000)
    assert rig.booked_usteps() == rig.plant.position()


@pytest.mark.parametrize("syringe, fill_ul", SYRINGES)
@pytest.mark.parametrize("wait_ms", range(0, 120_000, 17_000))
def test_a_cut_while_priming_books_at_most_the_grant_in_flight(syringe, fill_ul, wait_ms):
    """RPL-04."""
    rig = TherapyRig(syringe=syringe, fill_ul=fill_ul)
    assert rig.load(RX) is None
    rig.hold_start()
    rig.prime()
    rig.run(wait_ms)
    rig.cut(60_000)
    assert 0 <= rig.booked_usteps() - rig.plant.position() <= rig.grant_usteps()


def test_a_second_cut_books_nothing_more():
    """RPL-04."""
    rig, checker = therapy()
    rig.run(30 * 60_000)
    checker.cut(1_000, proven=True)
    booked = rig.booked_usteps()
    checker.cut(1_000, proven=True)
    assert rig.booked_usteps() == booked


@pytest.mark.parametrize("touch", ["stop", "door"])
def test_infusion_starts_at_once_after_a_gate_while_stopped(touch):
    """The stop key or the door gates the motor also when nothing moves; that must not cost the first grant."""
    rig, _ = therapy()
    rig.key("stop")
    if touch == "stop":
        rig.key("stop")
    else:
        rig.door(True)
        rig.run(500)
        rig.door(False)
    rig.run(1_000)
    before = rig.plant.position()
    rig.key("start")
    rig.run(5_000)
    assert rig.plant.position() - before >= 5


@pytest.mark.parametrize("cut_ms", [5_000, 40_000, 70_000, 84_000])
def test_a_slow_bolus_that_power_cuts_between_its_steps_ended_no_earlier_than_the_cut(cut_ms):
    """RPL-05."""
    rig, checker = therapy(Prescription(bolus_ug=1, bolus_duration_s=600, lockout_s=60))
    rig.press()
    rig.run(cut_ms)
    checker.cut(60_000, proven=True)


@pytest.mark.parametrize("concentration, ug, over_s", [(25_000, 1, 60), (1_000, 1, 7_200), (1_000, 1, 21_600)])
def test_a_clinician_bolus_that_cannot_be_laid_out_is_refused(concentration, ug, over_s):
    """Less than a ustep, or more than 1000 s between two: refused at once, never an error in the pump."""
    rig, checker = therapy(Prescription(concentration_ug_per_ml=concentration, lockout_s=60))
    with pytest.raises(Refused) as refused:
        rig.clinician_bolus(ug, over_s)
    assert refused.value.code == "order_bolus_too_small"
    rig.run(10_000)
    assert rig.state in ("infusing", "bolus")


def test_a_bolus_of_one_ustep_an_hour_is_not_prescribed():
    """More than 1000 s between two usteps cannot be laid out."""
    rig = TherapyRig()
    assert rig.prescribe(Prescription(bolus_ug=1, bolus_duration_s=21_600, lockout_s=60)) == "rx_bolus_too_slow"


def test_a_press_for_the_slowest_bolus_does_not_end_the_pump():
    """7 usteps over an hour: one in 514 s."""
    rig, _ = therapy(Prescription(bolus_ug=1, bolus_duration_s=3_600, lockout_s=60))
    rig.press()
    assert rig.state == "bolus"
    rig.run(3_590_000)
    assert rig.state == "bolus"
    rig.run(20_000)
    assert rig.state == "infusing" and rig.plant.position() == rig.booked_usteps()


@pytest.mark.parametrize("syringe", ["bd-10", "bd-50"])
def test_with_an_empty_reservoir_nothing_is_loaded(syringe):
    rx = Prescription(basal_ug_per_day=47_777)
    rig, _ = therapy(rx, syringe=syringe, fill_ul=1_500)
    rig.run(2 * 3_600_000)
    assert rig.state == "alarm"
    assert rig.load(rx) is not None
