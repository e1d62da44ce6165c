"""A jump of the rotor at power-up: what the plunger moved is booked, without any allowance."""

import pytest
from pump.delivery.ledger import EXCESS
from pump.recovery import ENCODER_MARGIN_USTEPS
from support.therapy.example_therapy import UNLIMITED_RX, infusing_rig
from support.therapy.ideal_plant import Run

LARGEST_JUMP = 32  # usteps: two full steps [TMC2209 data sheet, power-up]


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "infusing"])
@pytest.mark.parametrize("jump", [-32, -16, -1, 0, 1, 10, 12, 16, 31, LARGEST_JUMP])
def test_what_the_rotor_jumped_is_booked(stopped, jump):
    """RPL-04, H27: booked >= pumped for any jump beyond the sensor's own error, and little more than it."""
    rig = infusing_rig(UNLIMITED_RX)
    rig.run(61_000)
    if stopped:
        rig.key("stop")
        rig.run(5_000)
    excess = rig.pump.therapy.ledger.usteps[EXCESS]
    rig.plant.cut_power()
    rig.plant.now_us += 5_000_000
    rig.plant.restore_power()
    if jump:
        rig.plant.runs.append(Run(rig.plant.now_us, 5_000, abs(jump), 1 if jump > 0 else -1))
        rig.plant.now_us += 1_000_000
    rig.boot()
    noticed = rig.pump.therapy.ledger.usteps[EXCESS] - excess
    noticed = rig.pump.therapy.ledger.usteps[EXCESS] - excess
    booked, made = rig.booked_usteps(), rig.plant.position()
    unseen = ENCODER_MARGIN_USTEPS // 2  # 1 degree of the sensor: a smaller jump is not told from none
    assert booked >= made - (0 if noticed or jump <= 0 else unseen)
    assert booked <= made + max(0, -jump) + unseen + 1 + (0 if stopped else rig.grant_usteps())
    if stopped and jump > unseen:
        assert jump <= noticed <= jump + unseen + 1
    elif stopped or jump <= 0:
        assert noticed == 0


def test_a_new_pump_books_no_jump():
    """RPL-04: there is no angle to compare with."""
    rig = infusing_rig(UNLIMITED_RX)
    assert rig.pump.therapy.ledger.usteps[EXCESS] == 0
