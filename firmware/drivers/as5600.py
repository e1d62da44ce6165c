"""AS5600 magnetic encoder on the lead screw, 12 bit a turn, I2C 0x36 (data sheet v1-06, "Register map")."""

from micropython import const

_ADDRESS = const(0x36)
_STATUS = const(0x0B)
_RAW_ANGLE = const(0x0C)  # 0x0C bits 11:8, 0x0D bits 7:0
_MAGNET_TOO_STRONG = const(0x08)
_MAGNET_TOO_WEAK = const(0x10)
_MAGNET_DETECTED = const(0x20)

COUNTS_PER_TURN = const(4096)


class AS5600:
    """`i2c`: machine.I2C."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._two = bytearray(2)
        self._one = bytearray(1)

    def read(self):
        """Angle of the screw, 0 .. 4095 counts of a turn. OSError if the chip does not answer. No allocation."""
        two = self._two
        self._i2c.readfrom_mem_into(_ADDRESS, _RAW_ANGLE, two)
        return (two[0] & 0x0F) << 8 | two[1]

    def magnet_ok(self):
        """True if a magnet is detected and its field is neither too strong nor too weak. OSError as `read`."""
        one = self._one
        self._i2c.readfrom_mem_into(_ADDRESS, _STATUS, one)
        return one[0] & (_MAGNET_DETECTED | _MAGNET_TOO_WEAK | _MAGNET_TOO_STRONG) == _MAGNET_DETECTED

    def probe(self):
        """`magnet_ok`."""
        return self.magnet_ok()
