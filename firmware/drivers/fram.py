"""MB85RC256V FRAM, 32 KiB, I2C 0x50 with 16-bit addresses (data sheet DS501-00017, "Command").

A byte is stored when it is acknowledged: no write time, no pages; 10^12 writes per byte, so no wear to consider.
"""

import struct

from micropython import const

_ADDRESS = const(0x50)
SIZE = const(32768)
# Sizes of the writes in the delivery tick. They have their own buffers: `writeto_mem` of the rp2 port allocates one to
# join address and data.
_BLOCK = const(64)
_HALF_BLOCK = const(32)


class FRAM:
    """`i2c`: machine.I2C. A write of 64 or of 32 bytes does not allocate."""

    def __init__(self, i2c):
        self._i2c = i2c
        self._one = bytearray(1)
        self._out = bytearray(2 + _BLOCK)
        self._half_out = bytearray(2 + _HALF_BLOCK)

    def read_into(self, address, buffer):
        """Fill `buffer` from `address` on.

        ValueError beyond the last byte (the chip would continue at 0), OSError if the chip does not answer twice.
        """
        _check(address, buffer)
        try:
            self._i2c.readfrom_mem_into(_ADDRESS, address, buffer, addrsize=16)
        except OSError:  # once more: a single glitch on the bus is no fault of the memory
            self._i2c.readfrom_mem_into(_ADDRESS, address, buffer, addrsize=16)

    def write(self, address, buffer):
        """Write `buffer` from `address` on. Errors as `read_into`."""
        _check(address, buffer)
        try:
            self._write(address, buffer)
        except OSError:  # once more, all of it
            self._write(address, buffer)

    def _write(self, address, buffer):
        if len(buffer) == _BLOCK:
            struct.pack_into(">H64s", self._out, 0, address, buffer)
            self._i2c.writeto(_ADDRESS, self._out)
        elif len(buffer) == _HALF_BLOCK:
            struct.pack_into(">H32s", self._half_out, 0, address, buffer)
            self._i2c.writeto(_ADDRESS, self._half_out)
        else:
            self._i2c.writeto_mem(_ADDRESS, address, buffer, addrsize=16)

    def probe(self):
        """True if the chip answers; else OSError."""
        self.read_into(0, self._one)
        return True


def _check(address, buffer):
    if not 0 <= address <= SIZE - len(buffer):
        raise ValueError(f"fram: {len(buffer)} bytes at {address} are outside 0..{SIZE - 1}")
