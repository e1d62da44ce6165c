"""Another drug, strength or syringe: what is in the holder counts, not what is prescribed."""

from dataclasses import replace

import pytest
from pump.delivery.ledger import CREDIT
from pump.panel.screen import Screen
from support.therapy.example_therapy import MIN_MS, active_alarms, infusing_rig
from support.therapy.fluid_queue import FluidQueue
from support.therapy.reference_model import HOUR_MS, Prescription
from support.therapy.therapy_rig import TherapyRig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=60, lockout_s=600)
WEAK = replace(RX, concentration_ug_per_ml=100)


@pytest.fixture
def rig():
    return infusing_rig(RX)


def blocked(rig):
    rig.key("start")
    assert rig.state == "stopped"
    return rig.pump.start_stop.blocked_by()


@pytest.mark.parametrize("change", ["strength", "syringe"])
def test_another_fluid_or_syringe_waits_for_its_exchange(rig, change):
    """H02, H11, RES-05: a tenfold strength without an exchange gave a tenfold dose; bd-50 for bd-10 3.4 times."""
    rx = WEAK if change == "strength" else RX
    if change == "syringe":
        rig.syringe, rig.fill_ul = "bd-10", 10_000
    before = rig.pump.therapy.ledger.pl_step
    assert rig.prescribe(rx) is None
    assert blocked(rig) == "exchange"
    assert rig.refill(rx) == "refill_clamp"
    rig.cut(20_000)
    assert rig.prescribe(rx) is None and blocked(rig) == "exchange"
    rig.clamp(True)
    assert rig.refill(rx) == "refill_clamp"
    rig.clamp(False)
    assert blocked(rig) == "exchange" and rig.pump.therapy.ledger.pl_step == before
    assert rig.refill(RX if change == "strength" else replace(RX, drug="morphine")) == "refill_fluid"
    rig.syringe, prescribed = "bd-20", rig.syringe
    assert rig.refill(rx, 9_000) == "refill_syringe"
    rig.syringe = prescribed
    assert blocked(rig) == "exchange"
    assert rig.refill(rx) is None
    rig.key("start")
    assert rig.state == "infusing" and active_alarms(rig) == []


def test_the_syringe_that_is_still_in_place_needs_no_exchange(rig):
    """H11: a change that was taken back before anybody exchanged anything."""
    assert rig.prescribe(WEAK) is None and blocked(rig) == "exchange"
    assert rig.prescribe(RX) is None
    assert rig.state == "infusing"


def test_a_clamp_that_was_opened_asks_for_a_refill_and_for_nothing_else(rig):
    """RES-05, ALM-09: stop, clamp, swap, clamp, told, start: no new prescription is needed for the same fluid."""
    rig.key("stop")
    rig.clamp(True)
    rig.clamp(False)
    assert blocked(rig) == "unnamed"
    rig.cut(20_000)
    assert rig.prescribe(RX) is None and blocked(rig) == "unnamed"
    assert rig.refill(RX) is None
    rig.key("start")
    assert rig.state == "infusing"
    rig.run(MIN_MS)
    assert rig.booked_usteps() >= rig.plant.position()


def test_a_line_is_filled_only_from_a_syringe_that_was_named():
    """H11, DEL-31: priming refuses what START refuses."""
    rig = TherapyRig()
    assert rig.load(RX) is None
    rig.hold_start()
    rig.clamp(True)
    rig.clamp(False)
    rig.key("start")
    with pytest.raises(Exception, match="refill"):
        rig.prime()
    assert rig.refill(RX) is None
    rig.prime()
    rig.run(MIN_MS)
    assert rig.plant.position() > 0


# --- a bridge: what leaves the tip is dosed

PL_BD50 = 139_976
LINE_NL = 300_000


def queue_of(rig):
    """The fluids that left the tip since now, by the steps of the motor alone; see `FluidQueue`."""
    return FluidQueue(rig, LINE_NL)


@pytest.mark.parametrize("ug_per_ml", [100, 500, 999, 1001, 2000, 10_000])
@pytest.mark.parametrize("front_percent", [91, 100, 109])
def test_basal_and_boluses_go_by_what_leaves_the_tip(rig, ug_per_ml, front_percent):
    """H11, LIM-05, LIM-13: wherever the front really is, no more than prescribed; away from it, exactly that."""
    queue = FluidQueue(rig, LINE_NL * front_percent // 100)
    rx = replace(RX, concentration_ug_per_ml=ug_per_ml)
    rig.prescribe(rx)
    assert rig.exchange(rx) is None
    rig.key("start")
    since = queue.given_ng()
    start_ms = rig.plant.now_ms
    bridge_ms = 0
    while rig.pump.therapy.fluids.in_bridge():
        rig.run(MIN_MS)
        assert rig.state == "infusing"
        bridge_ms += MIN_MS
    given_ng, prescribed_ng = queue.given_ng() - since, 10_000 * (rig.plant.now_ms - start_ms) // 60_000
    assert given_ng <= prescribed_ng + 2 * PL_BD50 * max(1000, ug_per_ml) // 10**6
    # What the stronger strength in doubt may hold back: a fifth of the dead space at the difference of the two.
    assert given_ng >= prescribed_ng - LINE_NL // 5 * abs(ug_per_ml - 1000) // 1000 - 3_000
    start_ms, since = rig.plant.now_ms, queue.given_ng()
    rig.run(HOUR_MS)
    assert queue.given_ng() - since == pytest.approx(600_000, rel=0.01)
    assert rig.pump.therapy.ledger.booked_ng() >= queue.given_ng() - 2_000


@pytest.mark.parametrize("ug_per_ml, ahead", [(100, 1.0999), (2000, 0.8999)])
def test_a_bolus_that_meets_the_front_keeps_its_mass_per_second(rig, ug_per_ml, ahead):
    """DEL-04, DEL-05, H11: half a bolus of either strength; flow at most 10 mL/h, the mass is the prescribed one."""
    queue = FluidQueue(rig, int(LINE_NL * (1.1 if ug_per_ml < 1000 else 0.9)))
    rx = replace(RX, concentration_ug_per_ml=ug_per_ml, bolus_duration_s=120)
    rig.prescribe(rx)
    assert rig.exchange(rx) is None
    rig.key("start")
    therapy = rig.pump.therapy
    while therapy.fluids.left_nl() > LINE_NL * (1.1 - ahead) + 55_000:
        rig.run(1_000)
    before, start_ms = queue.given_ng(), rig.plant.now_ms
    rig.press()
    was = therapy.ledger.concentration_ug_per_ml
    most_flow = 0
    while rig.state == "bolus":
        rig.run(1_000)
        most_flow = max(most_flow, therapy.flow_nl_per_h)
    assert was == 1000 and therapy.ledger.concentration_ug_per_ml == ug_per_ml
    end = rig.last("bolus_end")
    assert end.payload["mass_ng"] == 100_000 and not end.payload["interrupted"]
    assert most_flow <= 10_000_000
    basal_ng = 10_000 * (rig.plant.now_ms - start_ms) // 60_000
    assert queue.given_ng() - before == pytest.approx(100_000 + basal_ng, abs=2_000)
    rig.key("stop")
    assert rig.booked_usteps() == rig.plant.position()


def bridge_to(rig, rx):
    """Prescribes `rx`, exchanges the syringe and starts."""
    assert rig.prescribe(rx) is None
    assert rig.exchange(rx) is None
    rig.key("start")
    assert rig.state == "infusing" and rig.pump.therapy.fluids.in_bridge()


def test_a_bridge_outlasts_power_cuts(rig):
    """H11, RPL-01: what the line holds is known again after each cut; a cut moves the front by a grant."""
    queue = queue_of(rig)
    bridge_to(rig, WEAK)
    for _ in range(9):
        rig.run(10_007)
        left_nl = rig.pump.therapy.fluids.left_nl()
        strength = rig.pump.therapy.ledger.concentration_ug_per_ml
        rig.cut(20_000)
        fluids = rig.pump.therapy.fluids
        assert abs(fluids.left_nl() - left_nl) <= 1_200 and fluids.as_prescribed
        assert rig.pump.therapy.ledger.concentration_ug_per_ml == strength
        assert rig.prescribe(WEAK) is None and rig.state == "infusing"
        rig.run(3 * MIN_MS)
    assert rig.pump.therapy.ledger.booked_ng() >= queue.given_ng()
    rig.run(HOUR_MS)
    assert not rig.pump.therapy.fluids.in_bridge()
    assert rig.pump.therapy.ledger.concentration_ug_per_ml == 100


def test_a_back_off_moves_the_front_back(rig):
    """H11, OCC-05: what was drawn back has to be pumped again before the new fluid is at the tip."""
    bridge_to(rig, WEAK)
    therapy = rig.pump.therapy
    while therapy.ledger.concentration_ug_per_ml == 1000:
        rig.run(1_000)
    rig.key("stop")
    assert not therapy.fluids.in_bridge()
    rig = infusing_rig(RX)
    bridge_to(rig, WEAK)
    therapy = rig.pump.therapy
    while therapy.fluids.left_nl() > 5_000:
        rig.run(1_000)
    rig.key("stop")
    before = therapy.fluids.left_nl()
    therapy.ledger.book(CREDIT, 100)
    rig.key("start")
    assert therapy.fluids.left_nl() == pytest.approx(before + 100 * PL_BD50 // 1000, abs=1_200)
    assert therapy.ledger.concentration_ug_per_ml == 1000


def test_another_size_of_syringe_begins_no_bridge(rig):
    """RES-05, H11: the same fluid; the step of the new syringe counts from the exchange on."""
    rig.syringe, rig.fill_ul = "bd-20", 20_000
    assert rig.prescribe(RX) is None and rig.exchange(RX) is None
    rig.key("start")
    assert rig.state == "infusing" and not rig.pump.therapy.fluids.in_bridge()
    before = rig.plant.position()
    rig.run(HOUR_MS)
    assert (rig.plant.position() - before) * 71_855 == pytest.approx(600_000_000, rel=0.005)


def test_a_second_change_during_a_bridge_is_refused(rig):
    """H11: of strength, of syringe, and back again; a change of the dose is none."""
    bridge_to(rig, WEAK)
    assert rig.load(replace(RX, concentration_ug_per_ml=200)) == "bridge"
    assert rig.load(RX) == "bridge"
    rig.syringe, rig.fill_ul = "bd-20", 20_000
    assert rig.load(WEAK) == "bridge"
    rig.syringe, rig.fill_ul = "bd-50", 50_000
    assert rig.prescribe(replace(WEAK, basal_ug_per_day=20_000)) is None and rig.state == "infusing"
    rig.key("stop")
    assert rig.exchange(WEAK) is None
    rig.key("start")
    assert rig.state == "infusing" and rig.pump.therapy.fluids.in_bridge()


@pytest.mark.parametrize("basal, code", [(24_001, "rx_basal_machine"), (24_000, "rx_bolus_needs_flow"), (23_760, None)])
def test_a_tip_that_is_too_weak_for_the_basal(basal, code):
    """DEL-02, H11: with what the line holds basal would need more than 10 mL/h, or leave nothing for a bolus."""
    rig = infusing_rig(WEAK)
    assert rig.load(replace(RX, basal_ug_per_day=basal, concentration_ug_per_ml=5000)) == code


def test_a_tip_that_is_too_strong_for_the_schedule():
    """DEL-02: a microstep in more than a quarter of an hour; the schedule holds 1000 s."""
    rig = infusing_rig(replace(RX, concentration_ug_per_ml=25_000, basal_ug_per_day=14_400))
    low = replace(RX, concentration_ug_per_ml=10, basal_ug_per_day=240, bolus_ug=0)
    assert rig.load(low) == "rx_basal_machine"
    small = replace(RX, concentration_ug_per_ml=100, basal_ug_per_day=14_400, bolus_ug=3)
    assert rig.load(small) == "rx_bolus_too_small"


def test_an_order_that_the_fluid_in_the_line_cannot_give(rig):
    """DEL-10, H11: less than a microstep of what is at the tip."""
    rig = infusing_rig(replace(RX, concentration_ug_per_ml=25_000))
    bridge_to(rig, RX)
    with pytest.raises(Exception, match="order_bolus_too_small"):
        rig.order(3, 120)
    assert rig.order(100, 120) is None


def test_the_low_reservoir_counts_with_the_weaker_fluid():
    """ALM-07, H11: four hours of basal, and two boluses, of what is at the tip."""
    strong = replace(RX, concentration_ug_per_ml=10_000, basal_ug_per_day=48_000, limit_24h_ug=None)
    rig = infusing_rig(replace(strong, concentration_ug_per_ml=1000))
    bridge_to(rig, strong)  # 2 mL/h of the old, 0.2 mL/h of the new fluid
    therapy = rig.pump.therapy
    therapy.reservoir.fill(8_100_000)
    rig.pump.prescription_change.set_reservoir_thresholds()
    assert not therapy.reservoir.is_low()
    rig.run(5 * MIN_MS)
    assert active_alarms(rig) == ["reservoir_low"]


def test_the_display_and_the_state_show_the_bridge(rig):
    """H11: how much of the old fluid has to leave."""
    bridge_to(rig, WEAK)
    rows = [row.strip() for row in Screen(rig.pump, {"board": "b", "build": "1", "drivers": ()}).rows()]
    assert rows[6] in ("old fluid 329 uL", "old fluid 330 uL")
