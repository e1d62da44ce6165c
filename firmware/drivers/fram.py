"""MB85RC256V FRAM, 32 KiB, I2C 0x50 with 16-bit addresses (data sheet DS501-00017, "Command").

A byte is kept as soon as it is acknowledged: no write time, no pages, no wear that matters (10^12).
"""

import struct

from micropython import const

_ADDRESS = const(0x50)
SIZE = const(32768)
# What is written in the delivery tick. `writeto_mem` of the rp2 port joins address and data in a new buffer every time.
_BLOCK = const(64)


class FRAM:
    def __init__(self, i2c):
        self._i2c = i2c
        self._one = bytearray(1)
        self._out = bytearray(2 + _BLOCK)

    def read_into(self, address, buffer):
        """Fill `buffer` from `address` on.

        ValueError past the end (the chip would go on at 0), OSError if it does not answer.
        """
        _check(address, buffer)
        self._i2c.readfrom_mem_into(_ADDRESS, address, buffer, addrsize=16)

    def write(self, address, buffer):
        """Keep `buffer` from `address` on. Errors as `read_into`."""
        _check(address, buffer)
        if len(buffer) == _BLOCK:
            struct.pack_into(">H64s", self._out, 0, address, buffer)
            self._i2c.writeto(_ADDRESS, self._out)
        else:
            self._i2c.writeto_mem(_ADDRESS, address, buffer, addrsize=16)

    def prove(self):
        """True if the chip answers."""
        self.read_into(0, self._one)
        return True


def _check(address, buffer):
    if not 0 <= address <= SIZE - len(buffer):
        raise ValueError(f"fram: {len(buffer)} bytes at {address} are outside 0..{SIZE - 1}")
