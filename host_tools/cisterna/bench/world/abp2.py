"""ABP2-class line pressure sensor, -100 to +100 kPa differential, 24 bit (Honeywell ABP2 data sheet, I2C section)."""

from math import pi, sin

from .i2c import Chip
from .rng import PRESSURE_NOISE, Rng

_POWERED = 0x40
_BUSY = 0x20
_SATURATED = 0x01

_CONVERSION_US = 5000
_FULL = 1 << 24
_COUNTS_AT_0_KPA = 0.5 * _FULL
_COUNTS_PER_KPA = 0.8 * _FULL / 200
_TEMPERATURE = ((25 + 50) * (_FULL - 1) // 200).to_bytes(3, "big")  # 25 degC

_DRIFT_KPA = 0.1  # amplitude of the zero drift; its period is a day
_DRIFT_RAD_PER_US = 2 * pi / 86_400_000_000


class Abp2(Chip):
    """Measures on command AA 00 00: the pressure at the instant of the command, readable 5 ms later.

    Noise: `noise_kpa` rms of line and sensor, and always +-2 counts of the converter.
    fault: "ok", "stuck" (the last result), "open" (does not acknowledge), "noise" (value: extra rms kPa),
    "offset" (value: kPa).
    """

    def __init__(self, plant, seed, noise_kpa):
        self.plant = plant
        self.timeline = plant.timeline
        self.rng = Rng(seed, PRESSURE_NOISE)
        self.noise_kpa = noise_kpa
        self.drift_phase = self.rng.uniform() * pi
        self.fault = "ok"
        self.fault_kpa = 0.0
        self.answer = bytearray(7)
        self.previous_answer = bytearray(7)
        self.power_up()

    def power_up(self):
        self.ready_us = 0
        for i in range(7):
            self.answer[i] = 0
        self.answer[0] = _POWERED

    def set_fault(self, fault, value):
        """`value`: kPa; None: 5."""
        self.unplugged = fault == "open"
        self.fault = fault
        self.fault_kpa = 5.0 if value is None else value

    def write(self, data):
        if bytes(data) == b"\xaa\x00\x00":
            self.previous_answer[:] = self.answer
            self.ready_us = self.timeline.now_us + _CONVERSION_US
            if self.fault != "stuck":
                self._convert()

    def _convert(self):
        plant = self.plant
        plant.advance()
        rng = self.rng
        kpa = plant.line.kpa + _DRIFT_KPA * sin(self.timeline.now_us * _DRIFT_RAD_PER_US + self.drift_phase)
        kpa += self.noise_kpa * rng.gauss()
        if self.fault == "noise":
            kpa += self.fault_kpa * rng.gauss()
        elif self.fault == "offset":
            kpa += self.fault_kpa
        count = int(_COUNTS_AT_0_KPA + kpa * _COUNTS_PER_KPA) + rng.below(5) - 2
        status = _POWERED
        if count < 0 or count >= _FULL:
            count = 0 if count < 0 else _FULL - 1
            status = _POWERED | _SATURATED
        answer = self.answer
        answer[0] = status
        answer[1] = count >> 16
        answer[2] = (count >> 8) & 0xFF
        answer[3] = count & 0xFF
        answer[4:] = _TEMPERATURE

    def read_into(self, buf):
        n = len(buf)
        if self.timeline.now_us < self.ready_us:  # still converting: the previous result with the busy bit
            buf[:] = self.previous_answer[:n]
            buf[0] |= _BUSY
        else:
            buf[:] = self.answer[:n]
