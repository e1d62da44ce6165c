"""Honeywell ABP2 line pressure sensor, -100 .. +100 kPa differential, 24 bit, I2C 0x28 (data sheet, "I2C").

A conversion takes 5 ms: call `trigger`, and `read_pa` at least 5 ms later. The caller checks `status` and `raw`.
"""

import time

from micropython import const

_ADDRESS = const(0x28)
_MEASURE = b"\xaa\x00\x00"  # output measurement command
CONVERSION_MS = const(5)

STATUS_POWERED = const(0x40)
STATUS_BUSY = const(0x20)
STATUS_MEMORY_ERROR = const(0x04)
STATUS_SATURATED = const(0x01)

# 10 % of 2^24 counts is -100 kPa and 90 % is +100 kPa: zero is the middle, and a count is
# 200 kPa / (0.8 * 2^24), which is exactly 15625 / 2^20 Pa.
_ZERO = const(0x800000)


class ABP2:
    """`status`: status byte, `raw`: 24-bit count of the last reading. `i2c`: machine.I2C."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._answer = bytearray(4)  # status and pressure; the three bytes of temperature are not read
        self.status = 0
        self.raw = 0

    def trigger(self):
        """Start a conversion. OSError if the chip does not answer."""
        self._i2c.writeto(_ADDRESS, _MEASURE)

    def read_pa(self):
        """Pressure in Pa of the conversion last triggered, rounded down; sets `status` and `raw`.

        OSError if the chip does not answer. No allocation.
        """
        answer = self._answer
        self._i2c.readfrom_into(_ADDRESS, answer)
        self.status = answer[0]
        self.raw = raw = answer[1] << 16 | answer[2] << 8 | answer[3]
        counts = raw - _ZERO
        # counts * 15625 >> 20, in two halves so that every intermediate stays below 2^30
        return ((counts >> 10) * 15625 + ((counts & 1023) * 15625 >> 10)) >> 10

    def probe(self):
        """True if a conversion completes with power and without a memory error. Takes 6 ms. OSError as `read_pa`."""
        self.trigger()
        time.sleep_ms(CONVERSION_MS + 1)  # 1 ms more: the first millisecond that `sleep_ms` counts may be nearly over
        self.read_pa()
        return self.status & (STATUS_POWERED | STATUS_BUSY | STATUS_MEMORY_ERROR) == STATUS_POWERED
