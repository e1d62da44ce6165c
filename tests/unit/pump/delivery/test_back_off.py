"""A closed line is drawn back to its no-flow pressure; an open one is left alone before 10 uL were drawn.

Volumes in uL, pressures in kPa, flows in mL/h, as in `line_physics.py`.
"""

from pump.delivery.back_off import DONE, OPEN, PULL, WAIT, BackOff
from support.portable.line_physics import CatheterTip, InfusionLine, RepeatableRandom
from support.portable.wakeup_cost import allocates, checked_int

LASH_NL = 4_000  # the most that the pump reckons with in a 10 mL syringe
NO_FLOW_PA = 1_300


def line_at(kpa, compliance=9.0, clamp=1.0, seed=1, tip=0.0, resistance=0.65):
    """A line at `kpa` behind a clamp, and a patient who was raised by `tip`."""
    dice = RepeatableRandom(seed)
    line = InfusionLine(compliance, resistance, CatheterTip(dice), dice)
    line.clamp = clamp
    line.p = kpa
    line.tip.ramp(0.0, tip, 0.001)
    return line


def relieve(line, known=9_000, lash=3.3, at_pull=None, most_s=600):
    """Retract as the back-off asks, through the backlash. Returns (its last word, uL drawn from the line, s).

    at_pull(n): called before pull n.
    """
    plan = BackOff()
    plan.start(NO_FLOW_PA, known, 650 * known // 100 * 9 // 25, LASH_NL)
    turned = pulls = 0
    began = line.t
    drawn = 0.0
    while line.t - began < most_s:
        word = plan.reading(line.reading_pa(), int(line.t * 1000))
        if word in (DONE, OPEN):
            return word, drawn, line.t - began
        if word == PULL:
            step = plan.next_nl() / 1000
            assert 0 < step <= 5
            pulls += 1
            if at_pull:
                at_pull(pulls)
            before = max(0.0, turned - lash)
            turned += step
            moved = max(0.0, turned - lash) - before
            line.advance(step / 4.0, -moved)
            drawn += moved
            plan.pulled(int(step * 1000))
        else:
            assert word == WAIT
        line.advance(0.01, 0.0)
    return None, drawn, most_s


def test_a_closed_line_is_drawn_back_to_its_no_flow_pressure():
    """OCC-04, OCC-05, H14: it ends 0 to 1 kPa above it, so at most 10 uL (at 9 uL/kPa) are let go, none is drawn in."""
    for compliance, known in ((9.0, 9_000), (21.0, 21_000), (21.0, 9_000), (9.0, 21_000), (4.0, 4_000)):
        for kpa in (2.6, 5.0, 10.0, 40.0):
            for seed in (1, 2):
                line = line_at(kpa, compliance, seed=seed)
                word, _, _ = relieve(line, known)
                assert word == DONE and 0 <= line.p - 1.3 <= 1.0, (compliance, known, kpa, word, line.p)


def test_it_is_done_within_the_time_that_a_restart_has():
    """60 uL are drawn back in less than 45 s, whatever of its backlash the screw has taken up."""
    for lash in (0.0, 3.3):
        word, drawn, seconds = relieve(line_at(1.3 + 60 / 9), lash=lash)
        assert word == DONE and 50 <= drawn <= 60 and seconds < 45, (lash, drawn, seconds)


def test_an_open_line_is_left_alone():
    """OCC-06: the patient was raised, nothing is closed: at most 10 uL were drawn, at any lash and compliance."""
    for compliance in (9.0, 14.0, 21.0):
        for tip in (1.5, 4.0, 12.0):
            for lash in (0.0, 3.3):
                for flow_kpa in (0.0, 0.39, 3.0):  # what flow still held when motion ended
                    line = line_at(1.3 + tip + flow_kpa, compliance, clamp=0.0, tip=tip)
                    word, drawn, _ = relieve(line, int(compliance * 1000), lash)
                    most = 10 if flow_kpa < 1 else 12
                    assert word in (OPEN, DONE) and drawn <= most, (compliance, tip, lash, flow_kpa, word, drawn)
                    assert word == OPEN or line.p < 1.3 + 1.0, (compliance, tip, lash, flow_kpa, line.p)


def test_a_line_that_opens_meanwhile_is_left_alone():
    """OCC-06: at any pull, with the patient where it was, or higher: at most 15 uL come from the patient.

    Less what comes by itself, up to the pressure of a patient who was raised while the line was closed.
    """
    for at in (1, 4, 9, 12, 16):
        for tip in (0.0, 3.0, 6.0):
            line = line_at(8.0, tip=tip)
            before = []

            def opens(pulls, at=at, tip=tip, line=line, before=before):
                if pulls == at:
                    line.clamp = 0.0
                    before.append(min(0.0, 9.0 * (line.p - 1.3 - tip)))

            word, _, _ = relieve(line, at_pull=opens)
            assert word in (DONE, OPEN), (at, tip)
            for _ in range(60):
                line.advance(5.0, 0.0)
            assert not before or line.outflow >= before[0] - 15, (at, tip, line.outflow, before)


def test_a_pressure_that_does_not_fall_ends_it():
    """OCC-06: nothing that holds fluid is behind such a sensor."""
    plan = BackOff()
    plan.start(NO_FLOW_PA, 9_000, 21_000, LASH_NL)
    pulled = now = 0
    dice = RepeatableRandom(3)
    word = WAIT
    while word in (WAIT, PULL):
        now += 10
        word = plan.reading(9_000 + int(dice.normal() * 20), now)
        if word == PULL:
            pulled += plan.next_nl()
            plan.pulled(plan.next_nl())
    assert word == OPEN and LASH_NL + 5_000 <= pulled <= LASH_NL + 6_000


def test_no_more_is_drawn_than_a_line_can_hold():
    """OCC-05, OCC-06: 2.5 times what it holds by the compliance that is known, and a pull; a bubble gives more."""
    for compliance in (30.0, 60.0, 200.0):
        word, drawn, _ = relieve(line_at(6.0, compliance), lash=0.0)
        held_ul = 9.0 * (6.0 - 1.8)
        assert word == OPEN and drawn <= 2.5 * held_ul + 4.0 + 2 * 5.0 + 10.0, (compliance, word, drawn)


def test_a_line_at_its_no_flow_pressure_is_not_pulled():
    word, drawn, seconds = relieve(line_at(1.7))
    assert word == DONE and drawn == 0 and seconds < 1


def test_a_quiet_closed_line_is_never_called_open():
    """H14: in 300 reliefs; in 100 with five times the noise of the sensor."""
    for seed in range(1, 401):
        line = line_at(6.0, seed=seed)
        line.noise = 0.1 if seed > 300 else 0.02
        word, _, _ = relieve(line)
        assert word == DONE, seed


def test_cost_of_a_reading():
    """H36: no allocation."""
    plan = BackOff()

    def retract():
        plan.start(1_300, 9_000, 20_000, 4_000)
        for k in range(400):
            if plan.reading(12_000 - k * 20, k * 10) == PULL:
                plan.pulled(plan.next_nl())

    assert not allocates(retract)


def test_numbers_stay_small():
    """NUM-02: no number past 2^30 for any pressure, compliance, time and age."""
    dice = RepeatableRandom(5)
    for compliance, tau_ms in ((1_000, 100), (9_000, 21_000), (40_000, 720_000)):
        for _ in range(30):
            plan = BackOff()
            plan.start(checked_int(dice.below(140_000) - 70_000), checked_int(compliance), checked_int(tau_ms), 20_000)
            now = checked_int(0)
            for _ in range(600):
                now = now + dice.below(5_000) if dice.below(30) == 0 else now + 10
                now = min(now, checked_int(900_000))
                steady = dice.below(3)
                pressure = checked_int(60_000 if steady else dice.below(200_000) - 100_000)
                if plan.reading(pressure, now) == PULL:
                    plan.pulled(checked_int(plan.next_nl()))
