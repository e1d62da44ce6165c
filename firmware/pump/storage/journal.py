"""The write-ahead journals in FRAM: two kinds of block, each in two slots that are written in turn.

`PulseJournal` (64 B) is written before every grant: clock and microstep counters, with the grant already booked.
`BlockJournal` (the state, up to 640 B) is written when anything else changes: lockouts, ring heads, sequence, folded
totals, the bolus in progress. FRAM keeps each byte as it is written, in order. So a block torn by a power cut differs
at its two ends, and the other slot still holds the last whole block.

A CRC-32 is an int past 2^30, which allocates on the RP2040. The pulse is written in the delivery tick and is therefore
guarded by its sequence number at both ends, an exclusive-or and a masked sum of its words. The state has a CRC-32.
"""

import struct
from binascii import crc32

from pump.base.units import const

# FRAM map (32 KiB, MB85RC256V)
PULSE_BASE = const(0x0000)  # 2 x 64 B: PulseJournal
STATE_BASE = const(0x0080)  # 2 x 640 B: BlockJournal of saved_state.NAMES
RX_BASE = const(0x0600)  # 2 x RX_SLOT_BYTES: text of the last two prescriptions
RX_SLOT_BYTES = const(0x800)
RATE_BASE = const(0x1600)  # 64 x 16 B: basal rates replaced in the last 24 h
BOLUS_BASE = const(0x1A00)  # 1440 x 16 B: boluses ended in the last 24 h; ends at 0x7400
# 0x7800: 2 KiB, the provisioning, written once (documents.provisioning.FRAM_ADDRESS)

_CHECKED_WORDS = const(13)  # words 0 to 12: the sequence number and the fields
_PULSE_FORMAT = "<16I"
_PULSE_BYTES = const(64)
_MASK_24 = const(0xFFFFFF)

# Words of a pulse, each u32. Word 0 is the sequence number (28 bits), 13 the exclusive-or, 14 the masked sum, 15 the
# sequence number again.
MONO_S = const(1)  # monotonic time, s
MONO_MS = const(2)  # monotonic time, ms, 0 to 999
RTC_S = const(3)  # RTC when it was last read, Unix s less RTC_EPOCH_S, its lower 30 bits; 0: none ...
RTC_MONO_S = const(4)  # ... and the monotonic s of that reading
COUNTERS = const(5)  # words 5 to 10: the ledger's counters, microsteps
PHASE = const(11)  # bits 0 to 3: state of the pump; bits 4 and up: ms that the grant in flight still needs
ENCODER = const(12)  # bits 0 to 11: raw angle of the screw before the grant; bits 12 and up: microsteps granted
FIELDS = const(12)  # number of the fields

RTC_EPOCH_S = const(1_577_836_800)  # 2020-01-01


class PulseJournal:
    """The pulse block. `write` stores `words`, `restore` reads them. The caller sets words RTC_S and RTC_MONO_S itself.

    nv  driver with `write(address, buffer)` and `read_into(address, buffer)`
    """

    def __init__(self, nv):
        self._nv = nv
        self._buf = bytearray(_PULSE_BYTES)
        self.words = [0] * _CHECKED_WORDS
        self._sequence = 0

    def write(self, s, ms, usteps, phase, encoder):
        """Writes `words` with these values to the older slot. Runs in the delivery tick: allocates nothing.

        s, ms    monotonic time
        usteps   the six counters of the ledger, microsteps
        phase    word PHASE
        encoder  word ENCODER
        """
        w = self.words
        self._sequence = (self._sequence + 1) & 0xFFFFFFF
        w[0], w[MONO_S], w[MONO_MS] = self._sequence, s, ms
        w[COUNTERS], w[COUNTERS + 1], w[COUNTERS + 2] = usteps[0], usteps[1], usteps[2]
        w[COUNTERS + 3], w[COUNTERS + 4], w[COUNTERS + 5] = usteps[3], usteps[4], usteps[5]
        w[PHASE], w[ENCODER] = phase, encoder
        xor = total = k = 0
        for word in w:
            xor ^= word
            total += (word & _MASK_24) ^ k
            k += 1
        struct.pack_into(
            _PULSE_FORMAT, self._buf, 0,
            w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7],
            w[8], w[9], w[10], w[11], w[12], xor, total, w[0],
        )  # fmt: skip
        self._nv.write(PULSE_BASE + (self._sequence & 1) * _PULSE_BYTES, self._buf)

    def restore(self):
        """Loads the newest whole block into `words`. False if neither slot holds one."""
        found = False
        for slot in range(2):
            self._nv.read_into(PULSE_BASE + slot * _PULSE_BYTES, self._buf)
            words = struct.unpack(_PULSE_FORMAT, self._buf)
            if self._is_whole(words, slot) and (not found or words[0] > self._sequence):
                found = True
                self._sequence = words[0]
                for k in range(_CHECKED_WORDS):
                    self.words[k] = words[k]
        return found

    @staticmethod
    def _is_whole(words, slot):
        xor = total = 0
        for k in range(_CHECKED_WORDS):
            xor ^= words[k]
            total += (words[k] & _MASK_24) ^ k
        ends = words[0] == words[15] and words[0] > 0 and words[0] & 1 == slot
        return ends and xor == words[13] and total == words[14]


class BlockJournal:
    """A block of named integers with a CRC-32, in two slots of `slot_bytes` from the FRAM address `base` on.

    Layout (little endian): u64 sequence number, u64 count of the values, the values as u64 in the order of `names`,
    u32 CRC-32 of all before it. New names may only be added at the end: a value that an older image did not write is
    read as 0, a value that only a newer image knows is skipped.

    Raises ValueError if the block does not fit its slot.
    """

    def __init__(self, nv, base, slot_bytes, names):
        self._nv, self._base, self._names = nv, base, names
        self._slot_bytes = slot_bytes
        self._buf = bytearray(8 * (len(names) + 2) + 4)
        if len(self._buf) > slot_bytes:
            raise ValueError("the block does not fit its slot of %d bytes" % slot_bytes)
        self._sequence = 0

    def write(self, values):
        """Writes `values`, a dict with every name, to the older slot."""
        self._sequence += 1
        buf = self._buf
        struct.pack_into("<QQ", buf, 0, self._sequence, len(self._names))
        for k, name in enumerate(self._names):
            struct.pack_into("<Q", buf, 8 * (k + 2), values[name])
        struct.pack_into("<I", buf, len(buf) - 4, crc32(memoryview(buf)[: len(buf) - 4]))
        self._nv.write(self._base + (self._sequence & 1) * self._slot_bytes, buf)

    def restore(self):
        """The newest whole block as a dict, or None if neither slot holds one."""
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
