"""AS5600 magnetic angle sensor on the lead screw (ams data sheet v1-06, "register map")."""

from math import pi, sin

from .i2c import RegisterChip
from .rng import ENCODER, Rng

_STATUS = 0x0B
_RAW_ANGLE = 0x0C
_ANGLE = 0x0E
_AGC = 0x1A
_MAGNITUDE = 0x1B

_MAGNET_TOO_STRONG = 0x08  # MH
_MAGNET_TOO_WEAK = 0x10  # ML
_MAGNET_DETECTED = 0x20  # MD

_COUNTS_PER_REV = 4096
_COUNTS_PER_USTEP = _COUNTS_PER_REV / 3200
_RAD_PER_USTEP = 2 * pi / 3200
_COUNTS_PER_DEG = _COUNTS_PER_REV / 360


class As5600(RegisterChip):
    """12 bits a revolution, an error of `inl_deg` with a period of one revolution, and a jitter of +-1 count.

    fault: "ok", "stuck" (the last count), "open" (does not acknowledge), "noise" (value: rms degrees),
    "offset" (value: degrees).
    """

    def __init__(self, plant, seed, inl_deg):
        RegisterChip.__init__(self)
        self.plant = plant
        self.rng = Rng(seed, ENCODER)
        self.mount_offset = self.rng.below(_COUNTS_PER_REV)  # the magnet is glued on at any angle
        self.inl_counts = inl_deg * _COUNTS_PER_DEG
        self.inl_phase = self.rng.uniform() * pi
        self.fault = "ok"
        self.fault_counts = 0.0
        self.last = 0
        self.memory = bytearray(256)
        self.memory[_STATUS] = _MAGNET_DETECTED
        self.memory[_AGC] = 128
        self.memory[_MAGNITUDE] = 0x08  # 0x0800: mid-range
        self.count()

    def count(self):
        """The angle now, 0 to 4095 counts."""
        if self.fault == "stuck":
            return self.last
        plant = self.plant
        plant.advance()
        rotor = plant.drive.rotor
        angle = (
            self.mount_offset
            + rotor * _COUNTS_PER_USTEP
            + self.inl_counts * sin(rotor * _RAD_PER_USTEP + self.inl_phase)
            + self.rng.below(3)
            - 0.5  # below(3) - 1 is the jitter, + 0.5 rounds to the nearest
        )
        if self.fault == "noise":
            angle += self.fault_counts * self.rng.gauss()
        elif self.fault == "offset":
            angle += self.fault_counts
        self.last = int(angle // 1) & 4095
        return self.last

    def set_fault(self, fault, value):
        """`value`: degrees; None: 20."""
        self.unplugged = fault == "open"
        self.fault = fault
        self.fault_counts = (20.0 if value is None else value) * _COUNTS_PER_DEG

    def set_magnet(self, bits):
        """Status bits MD 0x20, ML 0x10, MH 0x08."""
        self.memory[_STATUS] = bits & (_MAGNET_DETECTED | _MAGNET_TOO_WEAK | _MAGNET_TOO_STRONG)

    def read_at(self, register, width, buf):
        if register in (_RAW_ANGLE, _ANGLE):
            # The pointer does not leave these two register pairs: from the low byte it returns to the high byte.
            angle = self.count()
            for i in range(len(buf)):
                buf[i] = angle & 0xFF if i & 1 else angle >> 8
            self.pointer = register
            return
        memory = self.memory
        for i in range(len(buf)):
            at = (register + i) & 0xFF
            if at in (_RAW_ANGLE, _ANGLE):
                memory[at] = self.count() >> 8
                memory[at + 1] = self.last & 0xFF
            buf[i] = memory[at]
        self.pointer = (register + len(buf)) & 0xFF

    def write_at(self, register, width, data):
        for i in range(len(data)):
            if register + i <= 0x08:  # configuration; the rest is read-only
                self.memory[register + i] = data[i]
        self.pointer = (register + len(data)) & 0xFF
