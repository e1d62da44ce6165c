"""A grant of priming, and what the journal says about when it ends."""

from support.therapy.example_therapy import UNLIMITED_RX
from support.therapy.therapy_rig import TherapyRig


def priming_rig():
    rig = TherapyRig()
    assert rig.load(UNLIMITED_RX) is None
    rig.hold_start()
    rig.prime()
    rig.run(5_000)
    while not rig.in_flight():
        rig.run(10)
    assert rig.state == "priming"
    return rig


def test_a_grant_of_priming_ends_when_its_steps_take_it():
    """RPL-04: a cut is placed at the latest instant at which motion can have ended: all steps, at their period."""
    rig = priming_rig()
    left_ms = (rig.plant.runs[-1].last_us - rig.plant.now_us) / 1000
    assert left_ms > 100
    assert left_ms <= rig.pump.therapy.motion.ends_in_ms(*divmod(rig.pump_ms_now(), 1000)) <= left_ms + 3


def test_a_stop_while_priming_counts_what_was_made_and_no_more():
    """DEL-33: the rest of the line is what the next priming fills."""
    rig = priming_rig()
    rig.key("stop")
    made = rig.last("prime").payload["usteps"]
    assert made == rig.plant.position() and rig.state == "stopped"
    rig.prime()
    while not rig.pump.therapy.primed:
        rig.run(1_000)
    assert rig.last("prime").payload["finished"] == 1
    assert 300_000 <= rig.plant.position() * 0.139976 * 1000 <= 330_000
