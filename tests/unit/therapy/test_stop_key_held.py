"""START while STOP is held."""

from support.therapy.example_therapy import UNLIMITED_RX, infusing_rig
from support.therapy.ideal_plant import STOP


def test_start_does_nothing_while_stop_is_held():
    """ALS-13, H07: neither a short press nor a held one, for as long as STOP is down, and not when it is let go."""
    rig = infusing_rig(UNLIMITED_RX)
    rig.contact(STOP, 0)
    rig.run(1_000)
    assert rig.state == "stopped"
    at = rig.plant.position()
    for hold_ms in (200, 2_500):
        rig.key("start", hold_ms)
        assert rig.state == "stopped"
    rig.contact(STOP, 1)
    rig.run(5_000)
    assert rig.state == "stopped" and rig.plant.position() == at
    rig.key("start")
    assert rig.state == "infusing"
