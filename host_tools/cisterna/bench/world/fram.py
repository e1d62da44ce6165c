"""MB85RC256V ferroelectric memory, 32 768 bytes (Fujitsu data sheet DS501-00017).

A byte is stored as soon as it is clocked in.
"""

from .i2c import Chip

SIZE = 32768
_LAST = SIZE - 1


class Fram(Chip):
    """Two address bytes, the top bit ignored; reads and writes wrap from the last address to 0.

    `planned_cut` (`PlannedPowerCut`) may cut the supply between two bytes of a write.
    """

    def __init__(self, planned_cut):
        self.planned_cut = planned_cut
        self.memory = bytearray(SIZE)
        self.pointer = 0

    def power_up(self):
        self.pointer = 0

    def write(self, data):
        if len(data) >= 2:
            address = data[0] << 8 | data[1]
            self.pointer = address & _LAST
            if len(data) > 2:
                self.write_at(address, 2, memoryview(data)[2:])

    def read_into(self, buf):
        self.read_at(self.pointer, 2, buf)

    def write_at(self, register, width, data):
        start = register & _LAST
        n = len(data)
        planned_cut = self.planned_cut
        if planned_cut.writes_left:
            n = planned_cut.bytes_stored(n)
            data = data[:n]
        end = start + n
        if end <= SIZE:
            self.memory[start:end] = data
        else:
            for i in range(n):
                self.memory[(start + i) & _LAST] = data[i]
        self.pointer = end & _LAST
        if planned_cut.cut_now:
            planned_cut.cut()

    def read_at(self, register, width, buf):
        start = register & _LAST
        n = len(buf)
        end = start + n
        if end <= SIZE:
            buf[:] = self.memory[start:end]
        else:
            for i in range(n):
                buf[i] = self.memory[(start + i) & _LAST]
        self.pointer = end & _LAST
