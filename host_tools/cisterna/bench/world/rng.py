"""The world's random numbers: 32-bit integers, the same on every machine and every Python."""

_MASK = 0xFFFFFFFF
_SUM_MEAN = 131070.0  # of four 16-bit numbers
_SUM_SD = 37837.2275  # sqrt(4 * (65536^2 - 1) / 12)

# Streams: each part of the world has its own, so that the draws of one part do not shift those of another.
PRESSURE_NOISE = 1
MOVEMENT = 2
PITCH = 3
ENCODER = 4


class Rng:
    """xorshift32. `seed` is the scenario's, `stream` one of the names above."""

    def __init__(self, seed, stream):
        x = (seed * 2654435761 + stream * 0x9E3779B9 + 0x7F4A7C15) & _MASK
        for _ in range(2):  # finaliser of MurmurHash3: decorrelates neighbouring seeds
            x ^= x >> 16
            x = (x * 0x85EBCA6B) & _MASK
            x ^= x >> 13
            x = (x * 0xC2B2AE35) & _MASK
            x ^= x >> 16
        self.state = x or 0x6D2B79F5  # xorshift never leaves state 0

    def u32(self):
        """An integer, 1 to 2^32 - 1."""
        x = self.state
        x ^= (x << 13) & _MASK
        x ^= x >> 17
        x ^= (x << 5) & _MASK
        self.state = x
        return x

    def below(self, n):
        """An integer, 0 to n - 1 (n up to 2^30; the bias is below n / 2^32)."""
        return self.u32() * n >> 32

    def uniform(self):
        """A float in [-1, 1)."""
        return self.u32() / 2147483648.0 - 1.0

    def gauss(self):
        """A float of mean 0 and standard deviation 1, within +-3.46: a sum of four 16-bit numbers."""
        a = self.u32()
        b = self.u32()
        return ((a & 0xFFFF) + (a >> 16) + (b & 0xFFFF) + (b >> 16) - _SUM_MEAN) / _SUM_SD
