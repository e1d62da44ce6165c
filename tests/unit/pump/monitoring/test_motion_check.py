"""The encoder against the commanded microsteps [ALM-01, ALM-10, ALM-12, H21]."""

import math

from pump.base.units import SYRINGES
from pump.monitoring.motion_check import OK, OVER, SECOND_CHANNEL, STALL, SUSPICIOUS, MotionCheck
from support.portable.line_physics import RepeatableRandom
from support.portable.wakeup_cost import allocates, checked_int

PL = {name: row[2] for name, row in SYRINGES.items()}


class Screw:
    """Rotor, magnet and AS5600: non-linearity of 1 deg, jitter of a count, mounted anywhere."""

    def __init__(self, syringe="bd-10", seed=1, inl_deg=1.0):
        self.dice = RepeatableRandom(seed)
        self.rotor = 0.0
        self.commanded = self.dice.below(100_000)
        self._mounted = self.dice.below(4096)
        self._phase = self.dice.uniform(0, 6.28)
        self._inl = inl_deg * 4096 / 360
        self.offset = 0.0
        self.noise = 0.0
        self.check = MotionCheck()
        self.check.start(self.read(), PL[syringe], self.commanded)
        self.verdicts = []

    def read(self):
        angle = self._mounted + self.rotor * 1.28 + self._inl * math.sin(self.rotor * 6.2831853 / 3200 + self._phase)
        angle += self.dice.below(3) - 0.5 + self.offset + self.noise * self.dice.normal()
        return int(angle // 1) & 4095

    def move(self, usteps, really=None):
        """Commands `usteps`; the rotor makes `really` of them. Reads again when asked to. Returns the verdict."""
        self.commanded += usteps
        self.rotor += usteps if really is None else really
        verdict = self.check.sample(self.commanded, self.read())
        if verdict == SUSPICIOUS:
            verdict = self.check.sample(self.commanded, self.read())
        self.verdicts.append(verdict)
        return verdict

    def until(self, usteps, really, most):
        """Repeats a move until it is noticed. Returns (verdict, commanded, excess of the rotor)."""
        start, lead = self.commanded, self.rotor - self.commanded
        for _ in range(most):
            verdict = self.move(usteps, really)
            if verdict != OK:
                return verdict, self.commanded - start, self.rotor - self.commanded - lead
        return OK, self.commanded - start, self.rotor - self.commanded - lead


def test_true_motion_raises_no_alarm():
    """No alarm, and nothing booked, over 200 revolutions at any grant, either way, with 1 deg of non-linearity."""
    for seed in range(1, 9):
        screw = Screw(seed=seed)
        for usteps in (1, 3, 24, 300, 1500, -24):
            for _ in range(400):
                assert screw.move(usteps) == OK
        assert screw.check.excess_usteps == 0


def test_backlash_and_power_jump_are_no_alarm():
    """A rotor that jumps two full steps when power is cut stays inside what is allowed (the ledger books the jump)."""
    screw = Screw()
    screw.rotor += 32
    assert screw.move(0) == OK
    for _ in range(100):
        assert screw.move(24) == OK
    assert 0 < screw.check.excess_usteps <= 32


def test_stall_is_found_after_four_full_steps():
    """WDG-04, ALM-10, H21: a lag of more than 4 full steps; never more than 10 uL unmoved plus a grant, any syringe."""
    for syringe in PL:
        for seed in range(1, 9):
            screw = Screw(syringe, seed)
            for _ in range(seed * 7):
                screw.move(24)
            verdict, commanded, _ = screw.until(4, 0, 100)
            assert verdict == STALL
            assert 64 - 20 <= commanded <= 64 + 24
            assert commanded * PL[syringe] <= 12_500_000
            assert screw.check.excess_usteps == 0


def test_stall_in_reverse():
    """A plunger that does not come back in a back-off is a stall too, and what was not retracted counts as given."""
    screw = Screw()
    screw.move(500)
    verdict, commanded, _ = screw.until(-24, 0, 100)
    assert verdict == STALL and commanded >= -24 * 5


def test_creep_is_over_infusion():
    """WDG-04, ALM-01, H21: a driver that moves more than granted is found at 10 uL, and the excess is booked."""
    for syringe in ("bd-5", "bd-10", "bd-50"):
        for percent in (5, 20, 100, 400):
            for seed in (1, 2, 3):
                screw = Screw(syringe, seed)
                screw.move(240)
                verdict, _, excess = screw.until(24, 24 * (100 + percent) / 100, 20_000)
                assert verdict == OVER, (syringe, percent)
                assert excess * PL[syringe] <= 10_000_000 + (20 + 2 * 24 * percent / 100) * PL[syringe]
                assert -10 <= screw.check.excess_usteps - excess <= 30


def test_excess_is_booked_before_it_is_an_alarm():
    """What the screw is ahead, less what non-linearity can feign, is booked at once and never taken back."""
    screw = Screw()
    for _ in range(20):
        screw.move(10, 15)
    booked = screw.check.excess_usteps
    assert 100 - 40 <= booked <= 100
    for _ in range(20):
        screw.move(10, 5)
    assert booked <= screw.check.excess_usteps <= 101


def test_motion_without_command():
    """ALM-12: a screw that turns while nothing was commanded, either way."""
    for step in (5, -5):
        screw = Screw()
        screw.move(100)
        verdict, _, excess = screw.until(0, step, 100)
        assert verdict == SECOND_CHANNEL and abs(excess) <= 50


def test_wrong_way():
    """A motor that turns backwards is found as soon as one that stands still."""
    screw = Screw()
    verdict, commanded, _ = screw.until(8, -8, 100)
    assert verdict == STALL and commanded <= 64


def test_encoder_offset_is_its_own_fault():
    """A jump that no motor makes is the encoder [ALM-12, ALM-25]: nothing is asked of the ledger beyond the jump."""
    for usteps in (1, 3, 24):
        for degrees in (20, -20, 45, 90):
            screw = Screw(seed=4)
            screw.move(usteps)
            screw.offset = degrees * 4096 / 360
            assert screw.move(usteps) == SECOND_CHANNEL
            assert screw.check.excess_usteps <= max(0, degrees * 3200 // 360) + 20


def test_encoder_noise_is_found():
    """Noise of 20 deg rms stops the pump within some readings."""
    for seed in range(1, 20):
        screw = Screw(seed=seed)
        screw.noise = 20 * 4096 / 360
        verdict, _, _ = screw.until(3, 3, 50)
        assert verdict in (STALL, OVER, SECOND_CHANNEL)


def test_one_bad_transfer_is_forgiven():
    """A verdict needs two readings: one spike is only suspicious."""
    check = MotionCheck()
    check.start(1000, PL["bd-10"], 0)
    assert check.sample(24, 1031) == OK
    assert check.sample(24, 2500) == SUSPICIOUS
    assert check.sample(24, 1031) == OK
    assert check.sample(48, 1061) == OK
    assert check.excess_usteps == 0


def test_wraps_of_the_encoder_and_of_the_count():
    """The encoder wraps every revolution, the commanded count at 2^28; reference without a count is taken at first."""
    check = MotionCheck()
    start = (1 << 28) - 40
    check.start(4090, PL["bd-10"])
    assert check.sample(start, 4090) == OK
    command, angle = start, 4090.0
    for _ in range(200):
        command = (command + 24) & 0xFFFFFFF
        angle += 24 * 1.28
        assert check.sample(command, int(angle) & 4095) == OK
    assert abs(check.lead_usteps()) <= 1


def test_cost_of_a_wake_up():
    """NUM-02, H36: no allocation, no number past 2^30, for any encoder reading."""
    check = MotionCheck()
    check.start(0, PL["bd-5"], 0)

    def readings():
        for k in range(100):
            check.sample(k * 24, k * 31 & 4095)
        check.sample(0, 77)
        check.sample(0, 77)

    assert not allocates(readings)
    dice = RepeatableRandom(1)
    check.start(checked_int(0), checked_int(PL["bd-50"]), checked_int(0))
    command = checked_int((1 << 28) - 1000)
    for _ in range(5_000):
        command = command + dice.below(65) - 8 & 0xFFFFFFF
        check.sample(checked_int(command), checked_int(dice.below(4096)))


def test_a_rotor_ahead_while_it_is_drawn_back_is_no_over_infusion():
    """ALM-10: backwards a rotor that stays behind its command is ahead in place: it has stalled."""
    screw = Screw()
    for _ in range(20):
        assert screw.move(-24) == OK
    verdict, commanded, _ = screw.until(-8, 0, 400)
    assert verdict == STALL and commanded < 0
