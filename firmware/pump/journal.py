"""The write-ahead journal in FRAM: two kinds of block, each in two slots written in turn.

`Pulse` (64 B) is written before every grant: the clock and the microstep counters with the grant already booked.
`State` (up to 640 B) is written when anything else changes: lockouts, ring heads, sequence, folded totals, the bolus
that runs. FRAM keeps each byte as it is written, in order, so a block that a power cut tore is told by its ends, and
the other slot still holds the last whole one.

A CRC-32 makes an int past 2^30, which RP2040 must allocate; the pulse, written in the delivery tick, is therefore
guarded by its sequence number at both ends, an exclusive-or and a masked sum of its words. The state has a CRC-32.
"""

import struct
from binascii import crc32

from pump.units import const

# FRAM map (32 KiB, MB85RC256V)
PULSE_BASE = const(0x0000)  # 2 x 64 B
STATE_BASE = const(0x0080)  # 2 x 640 B
RX_BASE = const(0x0600)  # 2 x 2048 B: the text of the last prescriptions
RATE_BASE = const(0x1600)  # 64 x 16 B
BOLUS_BASE = const(0x1A00)  # 1440 x 16 B, ends at 0x7400
PROVISION_BASE = const(0x7800)  # 2 KiB, written once, at the factory

_CHECKED_WORDS = const(13)  # the sequence number and the fields; after them the checks, and the number once more
_PULSE_FORMAT = "<16I"
_PULSE_BYTES = const(64)
_MASK_24 = const(0xFFFFFF)

# Words of a pulse, after the sequence number (word 0) and before the checks (13 and 14) and that number again (15).
MONO_S = const(1)
MONO_MS = const(2)
RTC_S = const(3)  # time of the RTC when it was last read, less RTC_EPOCH_S (keeps it below 2^30) ...
RTC_MONO_S = const(4)  # ... and the monotonic second of that moment
COUNTERS = const(5)  # six words: the ledger's counters
PHASE = const(11)  # state of the pump (`core.STATES`) in 4 bits, above it the ms that the grant in flight still needs
ENCODER = const(12)  # raw angle of the screw before the grant, + 0x1000 * steps granted
FIELDS = const(12)

RTC_EPOCH_S = const(1_577_836_800)  # 2020-01-01


class PulseJournal:
    """The pulse block. `write` stores its words, `restore` brings them back; the caller sets those of the RTC."""

    def __init__(self, nv):
        self._nv = nv
        self._buf = bytearray(_PULSE_BYTES)
        self.words = [0] * _CHECKED_WORDS
        self._sequence = 0

    def write(self, s, ms, usteps, phase, encoder):
        """Stores clock, counters and state in the older slot. Runs in the delivery tick: allocates nothing."""
        w = self.words
        self._sequence = (self._sequence + 1) & 0xFFFFFFF
        w[0], w[MONO_S], w[MONO_MS] = self._sequence, s, ms
        w[COUNTERS], w[COUNTERS + 1], w[COUNTERS + 2] = usteps[0], usteps[1], usteps[2]
        w[COUNTERS + 3], w[COUNTERS + 4], w[COUNTERS + 5] = usteps[3], usteps[4], usteps[5]
        w[PHASE], w[ENCODER] = phase, encoder
        mixed = total = k = 0
        for word in w:
            mixed ^= word
            total += (word & _MASK_24) ^ k
            k += 1
        struct.pack_into(
            _PULSE_FORMAT, self._buf, 0,
            w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7],
            w[8], w[9], w[10], w[11], w[12], mixed, total, w[0],
        )  # fmt: skip
        self._nv.write(PULSE_BASE + (self._sequence & 1) * _PULSE_BYTES, self._buf)

    def restore(self):
        """Loads the newest whole block into `words`. False when neither slot holds one."""
        found = False
        for slot in range(2):
            self._nv.read_into(PULSE_BASE + slot * _PULSE_BYTES, self._buf)
            words = struct.unpack(_PULSE_FORMAT, self._buf)
            if self._whole(words, slot) and (not found or words[0] > self._sequence):
                found = True
                self._sequence = words[0]
                for k in range(_CHECKED_WORDS):
                    self.words[k] = words[k]
        return found

    @staticmethod
    def _whole(words, slot):
        mixed = total = 0
        for k in range(_CHECKED_WORDS):
            mixed ^= words[k]
            total += (words[k] & _MASK_24) ^ k
        ends = words[0] == words[15] and words[0] > 0 and words[0] & 1 == slot
        return ends and mixed == words[13] and total == words[14]


class BlockJournal:
    """A block of named integers under a CRC-32, in two slots: `values` in, `values` out.

    `names` fixes the order; every value is an unsigned 64-bit integer. New names may only be added at the end: the
    block says how many it has, those that an older image did not know come back as 0, and those that this one does not
    know are passed over.
    """

    def __init__(self, nv, base, slot_bytes, names):
        self._nv, self._base, self._names = nv, base, names
        self._slot_bytes = slot_bytes
        self._buf = bytearray(8 * (len(names) + 2) + 4)
        if len(self._buf) > slot_bytes:
            raise ValueError("the block does not fit its slot of %d bytes" % slot_bytes)
        self._sequence = 0

    def write(self, values):
        """Stores `values` (a dict with every name) in the older slot."""
        self._sequence += 1
        buf = self._buf
        struct.pack_into("<QQ", buf, 0, self._sequence, len(self._names))
        for k, name in enumerate(self._names):
            struct.pack_into("<Q", buf, 8 * (k + 2), values[name])
        struct.pack_into("<I", buf, len(buf) - 4, crc32(memoryview(buf)[: len(buf) - 4]))
        self._nv.write(self._base + (self._sequence & 1) * self._slot_bytes, buf)

    def restore(self):
        """The newest whole block as a dict, or None when neither slot holds one."""
        found = None
        buf = bytearray(self._slot_bytes)
        for slot in range(2):
            self._nv.read_into(self._base + slot * self._slot_bytes, buf)
            sequence, count = struct.unpack_from("<QQ", buf, 0)
            end = 8 * (count + 2)
            if end + 4 > len(buf) or struct.unpack_from("<I", buf, end)[0] != crc32(memoryview(buf)[:end]):
                continue
            if sequence & 1 == slot and sequence > self._sequence:
                self._sequence = sequence
                found = {
                    name: struct.unpack_from("<Q", buf, 8 * (k + 2))[0] if k < count else 0
                    for k, name in enumerate(self._names)
                }
        return found
