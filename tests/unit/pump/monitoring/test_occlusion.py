"""A closed line is found, an open one raises no alarm, and little is released afterwards.

Volumes in uL, pressures in kPa, flows in mL/h, as in `line_physics.py`.
"""

from pump.monitoring.occlusion import NONE, OCCLUDED, TREND, OcclusionDetector
from support.portable.line_physics import CatheterTip, DetectorRig, InfusionLine, RepeatableRandom
from support.portable.wakeup_cost import allocates, checked_int


def rig(compliance=9.0, known=9_000, resistance=0.65, movement=0.0, noise=0.02, bore_mm=14.5, seed=1):
    dice = RepeatableRandom(seed)
    line = InfusionLine(compliance, resistance, CatheterTip(dice, movement_kpa=movement), dice, noise, bore_mm)
    made = DetectorRig(line, known)
    made.detector.configure(known, int(line.ustep * 1_000_000))
    made.settle()
    return made


def clamped_after(made, ml_h, seconds, most=400):
    """Infuse for `seconds`, close the line, continue. Returns the uL pumped until OCCLUDED; None: never."""
    assert made.run(seconds, ml_h) == NONE
    made.line.clamp = 1.0
    return made.run_volume(most, ml_h)


def test_found_within_100_ul():
    """OCC-01, OCC-03: 0.1 / 1 / 5 mL/h in 60 / 6 / 1.2 min at 9 uL/kPa, at any moment of closing."""
    for ml_h, target_min in ((0.1, 60), (1.0, 6), (5.0, 1.2)):
        for seed in range(1, 9):
            made = rig(seed=seed)
            pumped = clamped_after(made, ml_h, made.line.dice.uniform(0, 40) * 3.6 / ml_h)
            assert pumped is not None and pumped <= 90
            assert pumped * 0.06 / ml_h <= target_min


def test_found_at_every_flow():
    """OCC-01: 0.02 to 10 mL/h; H15: always before 200 uL are stored."""
    for ml_h, most in ((0.02, 90), (0.05, 90), (0.3, 90), (2.0, 90), (7.0, 130), (10.0, 160)):
        assert clamped_after(rig(), ml_h, 20 * 3.6 / ml_h) <= most


def test_found_when_the_compliance_is_wrong():
    """9 to 21 uL/kPa, configured as 9 to 21: found by its straightness before 200 uL are stored."""
    for compliance in (9.0, 14.0, 21.0):
        for known in (9_000, 21_000):
            for ml_h in (0.1, 1.0, 5.0):
                assert clamped_after(rig(compliance, known), ml_h, 15 * 3.6 / ml_h) <= 150


def test_found_by_a_noisy_sensor_and_in_a_wide_syringe():
    """Five times the usual noise; a 50 mL syringe, whose plunger sticks in steps of 1 uL."""
    for ml_h in (0.1, 1.0, 5.0):
        assert clamped_after(rig(noise=0.1), ml_h, 15 * 3.6 / ml_h) <= 95
        assert clamped_after(rig(bore_mm=26.7), ml_h, 15 * 3.6 / ml_h) <= 95


def test_found_in_the_first_minute():
    """Closed at the start, or soon after it."""
    for ml_h in (0.1, 1.0, 5.0):
        for seconds in (0, 5, 20, 60):
            assert clamped_after(rig(), ml_h, seconds) <= 100


def test_found_in_a_bolus():
    """Closed at its start or in it: within 100 uL at 3 mL/h; at 10 mL/h H15's 200 uL."""
    for into_s in (0, 10, 60):
        made = rig()
        made.run(7_200, 0.1)
        made.run(into_s, 3.1)
        made.line.clamp = 1.0
        before = made.line.pumped
        made.run(120 - into_s, 3.1)
        made.run(2 * 3_600, 0.1)
        assert made.result == OCCLUDED and made.line.pumped - before <= 102
    for into_s in (0, 10, 20):
        made = rig()
        made.run(7_200, 0.1)
        made.run(into_s, 10.0)
        made.line.clamp = 1.0
        before = made.line.pumped
        made.run(36 - into_s, 10.0)
        made.run(3 * 3_600, 0.1)
        assert made.result == OCCLUDED and made.line.pumped - before <= 130


def test_found_when_only_boluses_flow():
    """DEL-03: no basal, 20 uL boluses every hour; the line closes between two."""
    made = rig()
    for k in range(12):
        if k == 4:
            made.line.clamp = 1.0
        made.run(3_540, 0.0)
        made.run(60, 1.2)
    assert made.result == OCCLUDED
    assert made.line.pumped <= 80 + 100


def test_restart_onto_a_closed_line():
    """The alarm comes again within 100 uL, and margins do not pile up from restart to restart."""
    for ml_h in (0.1, 1.0, 5.0):
        made = rig()
        clamped_after(made, ml_h, 60)
        first_pa = made.detector.no_flow_estimate_pa()
        for _ in range(3):
            made.line.p = first_pa / 1000 + 0.5  # where the back-off leaves it
            made.settle()
            assert made.run_volume(400, ml_h) <= 95
            assert abs(made.detector.no_flow_estimate_pa() - first_pa) < 300


def test_partial_clamps():
    """A clamp that lets a tenth through stops the pump where it stores much; less flow is left to go on.

    At 5 mL/h it would hold 29 kPa. At 1 mL/h it holds 6 kPa more than before, which any change of height does.
    """
    made = rig()
    made.run(600, 5.0)
    made.line.clamp = 0.9
    assert made.run_volume(400, 5.0) <= 150
    made = rig()
    made.run(600, 1.0)
    made.line.clamp = 0.9
    assert made.run(7_200, 1.0) == NONE
    made.line.clamp = 0.99
    assert made.run_volume(400, 1.0) <= 100


def test_absolute_limit():
    """OCC-02, ITH-06: 40 kPa above the start, or 69 kPa in all, in two readings, for any shape [ALM-03]."""
    detector = OcclusionDetector()
    detector.start(0, 1_000)
    assert detector.sample(1, 0, 41_100, 100_000) == NONE
    assert detector.sample(2, 0, 1_000, 100_000) == NONE
    assert detector.sample(3, 0, 41_000, 100_000) == NONE
    assert detector.sample(4, 0, 41_000, 100_000) == OCCLUDED
    detector.start(5, 35_000)
    assert detector.sample(6, 0, 69_100, 100_000) == NONE
    assert detector.sample(7, 0, 69_100, 100_000) == OCCLUDED


def test_trend():
    """OCC-17: half the limit above what the flow explains, for more than 5 min, and not longer than it lasts."""
    detector = OcclusionDetector()
    detector.start(0, 1_000)
    for s in range(0, 2_000, 5):
        found = detector.sample(s, s * 28, 1_000 if s < 100 else 22_000, 100_000)
        assert found == (NONE if s <= 400 else TREND)
    assert detector.sample(2_005, 2_000 * 28, 15_000, 100_000) == NONE


def test_no_false_alarm_in_body_movement():
    """No alarm, and no trend, in days of +-3 kPa at 0.1 to 5 mL/h (30 days a flow were run by hand)."""
    for ml_h, days in ((0.1, 4), (1.0, 3), (5.0, 0.5)):
        made = rig(movement=3.0, seed=7)
        made.run(days * 86_400, ml_h)
        assert made.result == NONE and made.trends == 0


def test_no_false_alarm_by_height():
    """OCC-11: 12 kPa over 20 s, up and down, singly and to and fro, with the body's movement on top, at any flow."""
    for ml_h in (0.1, 1.0, 3.0, 5.0, 10.0):
        for resistance in (0.2, 0.65, 1.3):
            made = rig(movement=3.0, resistance=resistance, seed=3)
            made.run(300, ml_h)
            for kpa, rest_s in ((12, 400), (0, 200), (-12, 300), (0, 30), (12, 20), (0, 5), (12, 60), (0, 300)):
                made.line.tip.ramp(made.line.t, kpa)
                made.run(20 + rest_s, ml_h)
            assert made.result == NONE and made.trends == 0, (ml_h, resistance)


def test_no_false_alarm_by_boluses():
    """OCC-12: start and end of boluses, small and large, also with a height change anywhere near."""
    for resistance in (0.65, 1.3):
        for ml_h, seconds in ((3.1, 120), (10.0, 36), (10.0, 120), (10.0, 8)):
            made = rig(resistance=resistance, movement=3.0, seed=5)
            made.run(600, 0.1)
            for k in range(16):
                if resistance == 0.65:
                    made.line.tip.ramp(made.line.t + k * 5.0, 12 if k % 2 else 0)
                made.run(seconds, ml_h)
                made.run(600, 0.1)
            assert made.result == NONE and made.trends == 0, (resistance, ml_h, seconds)


def test_no_false_alarm_at_the_start():
    """The rise to the flow's own pressure is no occlusion, at twice the resistance and compliance either."""
    for resistance in (0.65, 1.3):
        for compliance in (9.0, 21.0):
            for ml_h in (0.1, 1.0, 5.0, 10.0):
                made = rig(compliance, int(compliance * 1000), resistance, seed=9)
                made.run(900, ml_h)
                assert made.result == NONE, (resistance, compliance, ml_h)


def test_resistance_is_learnt():
    """The drop of the flow is known after the first settled change of flow of 1.5 mL/h or more."""
    for resistance in (0.3, 0.65, 1.3):
        made = rig(resistance=resistance)
        made.run(600, 5.0)
        assert abs(made.detector.resistance_pa_per_ml_h - resistance * 1000) < 100


def test_no_flow_estimate():
    """Where the back-off pulls to: the tip's pressure when the line closed, though flow hid it."""
    for ml_h in (0.1, 1.0, 5.0, 10.0):
        for seed in (1, 2, 3):
            made = rig(seed=seed)
            made.line.tip.ramp(0, 6.0)
            made.settle(200)
            clamped_after(made, ml_h, 1_200)
            assert abs(made.detector.no_flow_estimate_pa() - 7_300) < 300


def test_stored_volume():
    """What a line holds beyond its flow's drop: nothing while open, what was pumped once it is closed."""
    for ml_h in (0.1, 1.0, 5.0):
        made = rig()
        made.run(900, ml_h)
        assert made.detector.stored_nl() < 3_000
        made.line.clamp = 1.0
        drop_ul = ml_h * made.line.resistance * made.line.compliance  # the flow's own, no longer explained
        made.run_volume(40, ml_h)
        assert abs(made.detector.stored_nl() - 40_000) < 4_000 + 100 * drop_ul


def test_volume_wraps():
    """Pumped volume may wrap at 2^28 nL at any moment."""
    detector = OcclusionDetector()
    detector.start(0, 1_300)
    nl = (1 << 28) - 40_000
    pressure = 1_300
    for s in range(0, 4_000, 4):
        nl += 111  # 0.1 mL/h
        pressure += 111 * 1000 // 9_000
        if detector.sample(s, nl & 0xFFFFFFF, pressure, 100_000) == OCCLUDED:
            break
    assert detector.result == OCCLUDED and nl - (1 << 28) + 40_000 < 85_000
    assert abs(detector.measured_compliance_nl_per_kpa() - 9_000) < 400


def test_cost_of_a_wake_up():
    """H36: no allocation in any wake-up, open or closed line, bolus or not."""
    detector = OcclusionDetector()
    detector.start(0, 1_300)

    def month():
        nl = s = 0
        for k in range(400):
            s += 5
            nl += 400 if k % 100 < 60 else 5_000
            flow = 288_000 if k % 100 < 60 else 3_600_000
            detector.sample(s, nl, 1_300 + (nl // 9 if k > 150 else k % 7 * 3_000), flow)
        detector.start(s, 1_300)

    assert not allocates(month)


def test_numbers_stay_small():
    """NUM-02: no number past 2^30 for any pressure and flow, any set and any age of the pump."""
    for compliance, resistance in ((1_000, 50), (9_000, 650), (40_000, 5_000)):
        dice = RepeatableRandom(compliance)
        detector = OcclusionDetector()
        detector.configure(checked_int(compliance), checked_int(139_976), checked_int(resistance))
        nl, s = checked_int(0), checked_int(900_000_000)
        for k in range(12):
            detector.start(s, checked_int(dice.below(40_000) - 20_000))
            stiff = dice.below(3)
            for _ in range(400):
                s = s + dice.below(6)
                flow = (0, 20_000, 100_000, 5_000_000, 10_000_000)[dice.below(5)] if k % 2 else 3_000_000
                nl = (nl + dice.below(flow // 300 + 1)) & 0xFFFFFFF
                pressure = dice.below(160_000) - 100_000 if stiff else detector._reading_pa + dice.below(300)
                detector.sample(s, nl, checked_int(pressure), checked_int(flow))
