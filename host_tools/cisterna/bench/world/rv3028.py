"""RV-3028-C7 real-time clock with backup battery: the 32-bit UNIX time counter (Micro Crystal application manual)."""

from .i2c import RegisterChip

_STATUS = 0x0E
_PORF = 0x01  # power-on reset flag: the time is invalid
_UNIX_TIME = 0x1B  # .. 0x1E, low byte first
_ID = 0x28
_SECOND_US = 1_000_000


class Rv3028(RegisterChip):
    """Runs on its battery while the pump is off. The calendar registers 0x00 to 0x06 are plain memory."""

    def __init__(self, timeline, unix_s):
        RegisterChip.__init__(self)
        self.timeline = timeline
        self.set_unix_s(unix_s)
        self.memory = bytearray(256)
        self.memory[_ID] = 0x33

    def set_unix_s(self, unix_s):
        self.set_at_us = self.timeline.now_us
        self.set_to_s = unix_s

    def unix_s(self):
        """Seconds since 1970, modulo 2^32."""
        return (self.set_to_s + (self.timeline.now_us - self.set_at_us) // _SECOND_US) & 0xFFFFFFFF

    def lose_battery(self):
        """The battery went flat while the pump was off: the counter is 0 and PORF is set."""
        self.set_unix_s(0)
        self.memory[_STATUS] |= _PORF

    def read_at(self, register, width, buf):
        memory = self.memory
        memory[_UNIX_TIME : _UNIX_TIME + 4] = self.unix_s().to_bytes(4, "little")
        for i in range(len(buf)):
            buf[i] = memory[(register + i) & 0xFF]
        self.pointer = (register + len(buf)) & 0xFF

    def write_at(self, register, width, data):
        memory = self.memory
        memory[_UNIX_TIME : _UNIX_TIME + 4] = self.unix_s().to_bytes(4, "little")
        for i in range(len(data)):
            at = (register + i) & 0xFF
            if at == _ID:
                continue
            memory[at] = data[i]
        if register <= _UNIX_TIME + 3 and register + len(data) > _UNIX_TIME:
            self.set_unix_s(int.from_bytes(memory[_UNIX_TIME : _UNIX_TIME + 4], "little"))
        self.pointer = (register + len(data)) & 0xFF
