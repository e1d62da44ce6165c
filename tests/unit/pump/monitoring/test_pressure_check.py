"""Plausibility of the pressure sensor [ALM-25, OCC-13]."""

from pump.monitoring.pressure_check import FAULT, OK, SUSPICIOUS, PressureCheck
from support.portable.line_physics import CatheterTip, InfusionLine, RepeatableRandom
from support.portable.wakeup_cost import allocates, checked_int

COUNTS_PER_KPA = 0.8 * (1 << 24) / 200


class Sensor:
    """Converter on a line, and a reader that repeats a reading after 10 ms when asked."""

    def __init__(self, line, noise_kpa=0.02, seed=1):
        self.line = line
        self.noise_kpa = noise_kpa
        self.dice = RepeatableRandom(seed)
        self.check = PressureCheck()
        self.fault = "ok"
        self.value = 5.0
        self.status = 0x40
        self.raw = 0
        self.readings = 0
        self.worst = OK

    def convert(self):
        if self.fault == "stuck":
            return
        kpa = self.line.p + self.noise_kpa * self.dice.normal()
        if self.fault == "noise":
            kpa += self.value * self.dice.normal()
        elif self.fault == "offset":
            kpa += self.value
        self.raw = int((1 << 23) + kpa * COUNTS_PER_KPA) + self.dice.below(5) - 2

    def read(self):
        """One wake-up. Returns OK or FAULT, and how long it took in ms."""
        for looks in range(40):
            self.convert()
            self.readings += 1
            verdict = self.check.sample(self.raw, self.status)
            if verdict != SUSPICIOUS:
                if verdict > self.worst:
                    self.worst = verdict
                return verdict, looks * 10
            self.line.advance(0.01, 0.0)
        raise AssertionError("never decided")

    def live(self, wakes, ml_h=1.0, wake_s=5.0):
        for _ in range(wakes):
            self.line.advance(wake_s, ml_h * wake_s / 3.6)
            verdict, _ = self.read()
        return verdict


def moving_line(seed=1, resistance=0.65):
    dice = RepeatableRandom(seed)
    tip = CatheterTip(dice, movement_kpa=3.0)
    return InfusionLine(9.0, resistance, tip, dice)


def test_a_healthy_sensor_raises_no_alarm():
    """Body movement, height changes, boluses, a clamp: nothing of it is the sensor's fault, and few re-reads."""
    for resistance in (0.2, 0.65, 1.3):
        line = moving_line(3, resistance)
        sensor = Sensor(line)
        for k in range(60):
            line.tip.ramp(line.t + 10, 12.0 if k % 2 else 0.0)
            sensor.live(100, 0.1)
            sensor.live(60, 10.0, 0.36)
        line.clamp = 1.0
        sensor.live(100, 10.0, 0.36)
        line.clamp = 0.0
        sensor.live(200, 0.1)
        assert sensor.worst == OK
        assert sensor.readings < 10_400 * 1.05


def test_noise_of_the_converter_alone():
    """A line without any noise but +-2 counts of the converter is alive: no false alarm in a month of readings."""
    line = InfusionLine(noise=0.0)
    sensor = Sensor(line, noise_kpa=0.0)
    sensor.live(20_000, 0.0)
    assert sensor.worst == OK


def test_noise_of_five_times_the_usual():
    """0.1 kPa rms is a poor sensor but no broken one."""
    sensor = Sensor(moving_line(5), noise_kpa=0.1)
    sensor.live(20_000, 0.5)
    assert sensor.worst == OK


def test_frozen_sensor():
    """Stuck to the bit: found at the second reading after it, within 1 s [ALM-25]."""
    sensor = Sensor(moving_line())
    sensor.live(100)
    sensor.fault = "stuck"
    sensor.line.advance(5.0, 1.0)
    verdict, took_ms = sensor.read()
    assert verdict == FAULT and took_ms <= 1_000
    sensor.fault = "ok"
    sensor.live(20)
    assert sensor.check.verdict == OK


def test_noisy_sensor():
    """Noise of 1 kPa and more is found within a minute, 5 kPa at once."""
    for value, wakes in ((1.0, 12), (2.0, 5), (5.0, 2), (20.0, 2)):
        for seed in range(1, 11):
            sensor = Sensor(moving_line(seed), seed=seed)
            sensor.live(50)
            sensor.fault, sensor.value = "noise", value
            sensor.live(wakes)
            assert sensor.worst == FAULT, (value, seed)


def test_jump_that_stays():
    """An offset of more than a body can do is a fault; its sign does not matter."""
    for value in (-40.0, -15.0, 15.0, 40.0):
        sensor = Sensor(moving_line())
        sensor.live(50)
        sensor.fault, sensor.value = "offset", value
        sensor.live(1)
        assert sensor.worst == FAULT


def test_bad_status_and_off_the_scale():
    """Saturated, memory error, no power, off the scale: three in a row are a fault, one or two are not."""
    for status, raw in ((0x41, 1 << 23), (0x44, 1 << 23), (0x00, 1 << 23), (0x40, 0), (0x40, (1 << 24) - 1)):
        check = PressureCheck()
        assert check.sample((1 << 23) + 5, 0x40) == OK
        assert check.sample(raw, status) == SUSPICIOUS
        assert check.sample(raw + 1, status) == SUSPICIOUS
        assert check.sample(raw, status) == FAULT
        check.restart()
        check.sample(1 << 23, 0x40)
        check.sample(raw, status)
        check.sample(raw + 1, status)
        for k in range(40):
            check.sample((1 << 23) + k % 3, 0x40)
        assert check.verdict == OK


def test_cost_of_a_wake_up():
    """NUM-02, H36: no allocation, no number past 2^30, for any reading of the chip."""
    check = PressureCheck()

    def readings():
        for k in range(60):
            check.sample((1 << 23) + k * k * 1_000, 0x40)
        for _ in range(20):
            check.sample(1 << 23, 0x40)
        for _ in range(5):
            check.sample(0, 0x41)

    assert not allocates(readings)
    dice = RepeatableRandom(1)
    for _ in range(2_000):
        check.sample(checked_int(dice.below(1 << 24)), checked_int(0x40))
