"""Event records in flash: 64 bytes each, numbered, with a CRC-32, chained by hash.

Layout (little endian): u32 sequence, u16 boot, u8 type, u8 flags (bit 0: wall clock was set), u32 monotonic s, u16
monotonic ms, u16 spare, u32 wall clock in Unix s, u32 prescription hash, seven payload words i32, first 8 bytes of the
SHA-256 of the record before this one, u32 CRC-32 of all before it.

The host imports these tables (this file runs on CPython) and does its own checks [LOG-07].
"""

import struct
from binascii import crc32
from hashlib import sha256

from pump.base.pieces import finish
from pump.base.units import const
from pump.storage import block_device

RECORD_BYTES = const(64)
FORMAT = "<IHBBIHHII7i8sI"
PAYLOAD_WORDS = const(7)
WALL_CLOCK_SET = const(1)  # bit of the flags
_CRC_OFFSET = const(60)
_BLANK = b"\xff" * RECORD_BYTES
_SLOTS_PER_PIECE = const(64)  # slots read between two yields: 0.1 ms each on the RP2040

# Types of a record
BOOT = const(1)
STATE = const(2)
RX_LOAD = const(3)
RX_REFUSED = const(4)
RX_CONFIRM = const(5)
RX_END = const(6)
PRIME = const(7)
PRESS = const(8)
PCA_DECISION = const(9)
BOLUS_START = const(10)
BOLUS_END = const(11)
CLINICIAN_DECISION = const(12)
ALARM_ON = const(13)
ALARM_ACK = const(14)
ALARM_OFF = const(15)
BACK_OFF = const(16)
REFILL = const(17)
TIME_SET = const(18)
BASAL_SEGMENT = const(19)
KEY = const(20)
SELF_TEST = const(21)
BOLUS_SUSPENDED = const(22)
FAULT = const(23)
BOLUS_CUT = const(24)  # a bolus ended by a power cut, found at power-up
LOG_ON = const(25)
LOG_ON_REFUSED = const(26)
LOG_OFF = const(27)
COMMAND = const(28)  # called over the link by a person; word `method`: index in link.methods.NAMES
PROVISIONED = const(29)
DOCUMENT = const(30)  # people or library
BOOT_LOADER = const(31)  # restart into the boot loader for another image
RX_SIGNED = const(32)  # the signers of the prescription loaded
HOLD = const(33)  # the interlock of a respiratory monitor
TIME_COUNTED = const(34)  # time without power counts after all; the monotonic time has leapt by it
FRONT = const(35)  # another fluid is in the line: what is at the tip from now on

# type -> (name, names of its payload words). A unit ends a name; `next_s`, `next_ms`: earliest next bolus, monotonic.
TYPES = {
    BOOT: ("boot", ("reset_cause", "was_infusing", "time_proven", "off_s", "journal_ok", "boot_jump_usteps")),
    STATE: ("state", ("from_state", "to_state", "cause")),
    RX_LOAD: ("rx_load", ("sequence", "basal_ug_per_day", "bolus_ug", "lockout_s", "limit_24h_ug")),
    RX_REFUSED: ("rx_refused", ("sequence", "code")),
    RX_CONFIRM: ("rx_confirm", ("sequence", "drug", "concentration_ug_per_ml", "basal_ug_per_day", "bolus_ug",
                                "lockout_s", "limit_24h_ug")),
    RX_END: ("rx_end", ("sequence", "signer")),
    PRIME: ("prime", ("usteps", "nl", "finished")),
    PRESS: ("press", ("contact_s", "contact_ms", "held_ms", "demand")),
    PCA_DECISION: ("pca_decision", ("contact_s", "contact_ms", "reason", "next_s", "next_ms", "nl")),
    BOLUS_START: ("bolus_start", ("kind", "request_s", "request_ms", "usteps", "nl", "mass_ng", "duration_ms")),
    BOLUS_END: ("bolus_end", ("kind", "interrupted", "usteps", "nl", "mass_ng", "next_s", "next_ms")),
    CLINICIAN_DECISION: ("clinician_decision", ("request_s", "request_ms", "reason", "next_s", "next_ms", "nl")),
    ALARM_ON: ("alarm_on", ("alarm", "priority", "action", "restored")),
    ALARM_ACK: ("alarm_ack", ("alarm",)),
    ALARM_OFF: ("alarm_off", ("alarm",)),
    BACK_OFF: ("back_off", ("usteps", "nl", "credited_nl", "from_pa", "to_pa", "target_pa")),
    REFILL: ("refill", ("fill_nl", "returned_nl", "expected_nl", "concentration_ug_per_ml")),
    TIME_SET: ("time_set", ("offset_s", "old_offset_s")),
    BASAL_SEGMENT: ("basal_segment", ("ug_per_day", "seconds", "usteps", "nl")),
    KEY: ("key", ("key", "held_ms")),
    SELF_TEST: ("self_test", ("passed", "failed_driver")),
    BOLUS_SUSPENDED: ("bolus_suspended", ("kind", "suspended", "usteps_left")),
    FAULT: ("fault", ("source", "code")),
    BOLUS_CUT: ("bolus_cut", ("kind", "usteps", "nl", "end_s", "end_ms", "next_s", "next_ms")),
    LOG_ON: ("log_on", ("person", "role")),
    LOG_ON_REFUSED: ("log_on_refused", ("code", "failures", "closed_s")),
    LOG_OFF: ("log_off", ("person", "role", "why")),
    COMMAND: ("command", ("method", "person", "role")),
    PROVISIONED: ("provisioned", ("bench",)),
    DOCUMENT: ("document", ("kind", "number")),
    BOOT_LOADER: ("boot_loader", ("person", "build")),
    TIME_COUNTED: ("time_counted", ("off_s",)),
    RX_SIGNED: ("rx_signed", ("sequence", "prescriber", "second", "override", "loaded_by")),
    FRONT: ("front", ("left_nl", "ug_per_ml", "basal_ug_per_day")),
    HOLD: ("hold", ("held",)),
}  # fmt: skip


def word_of(code):
    """A refusal code (str) as a payload word: the upper 31 bits of its CRC-32."""
    return crc32(code.encode()) >> 1


NO_TIME = const(-1)  # next_s of a decision without a next time
KINDS = (None, "pca", "clinician")  # names of the payload word `kind`
DOSE_MEMORY = const(1)  # `source` of a fault: a dose variable changed in RAM


class RecordLog:
    """Append-only ring of records on `flash`, a NOR flash block device: sectors of 4096 B, writing only clears bits.

    Each erase drops the oldest 64 records. It takes 45 to 400 ms with interrupts off, in which no key could stop the
    motor. So the caller erases ahead, with `make_room`, while nothing moves; `append` erases only if the caller never
    did and the sector is full. A record torn by a power cut fails its CRC and is skipped: the next record takes the
    slot after it, with the same number.
    """

    def __init__(self, flash):
        self._flash = flash
        self._sectors = flash.ioctl(block_device.BLOCK_COUNT, 0)
        self._per_sector = flash.ioctl(block_device.BLOCK_BYTES, 0) // RECORD_BYTES
        self._buf = bytearray(RECORD_BYTES)
        self._slot = 0  # of the next record, counted from the begin of the flash region
        self.next_sequence = 0
        self.previous = bytes(8)  # first 8 bytes of the SHA-256 of the last record
        self._find_end()
        sector = self._next_sector()
        self._erased = sector if self._is_blank(sector) else None  # the sector known to be blank

    def append(self, boot, kind, s, ms, utc_s, rx_hash, payload, flags=0):
        """Writes one record and returns its sequence number. Raises OSError if the flash fails.

        boot     number of the power-up           kind     type of the record
        s, ms    monotonic time                   utc_s    Unix seconds, 0: not known
        rx_hash  of the prescription in force     payload  up to seven integers
        """
        words = list(payload) + [0] * (PAYLOAD_WORDS - len(payload))
        buf = self._buf
        struct.pack_into(
            FORMAT, buf, 0, self.next_sequence, boot, kind, flags, s, ms, 0, utc_s, rx_hash, *words, self.previous, 0
        )
        struct.pack_into("<I", buf, _CRC_OFFSET, crc32(memoryview(buf)[:_CRC_OFFSET]))
        sector, index = divmod(self._slot, self._per_sector)
        if index == 0:
            if self._erased != sector:
                self._flash.ioctl(block_device.ERASE, sector)
            self._erased = None
        self._flash.writeblocks(sector, buf, index * RECORD_BYTES)
        self._slot = (self._slot + 1) % (self._sectors * self._per_sector)
        self.previous = sha256(buf).digest()[:8]
        self.next_sequence += 1
        return self.next_sequence - 1

    def room_wanted(self):
        """True if the next sector is not erased yet: call `make_room`."""
        return self._erased != self._next_sector()

    def make_room(self):
        """Erases the next sector. Interrupts are off for 45 to 400 ms: nothing may move. Raises OSError if it fails."""
        sector = self._next_sector()
        self._flash.ioctl(block_device.ERASE, sector)
        self._erased = sector

    def _next_sector(self):
        """The sector that the log enters next."""
        return (self._slot + self._per_sector - 1) // self._per_sector % self._sectors

    def _is_blank(self, sector):
        for index in range(self._per_sector):
            self._flash.readblocks(sector, self._buf, index * RECORD_BYTES)
            if self._buf != _BLANK:
                return False
        return True

    def read(self, first, most):
        """Up to `most` whole records from sequence `first` on: (sequence of the first record, bytes of the records).

        Begins with the oldest record in the ring if `first` is older. Ends before a damaged record; a read from that
        record on returns the records after it. No bytes: there is no record from `first` on.
        """
        return finish(self.read_in_pieces(first, most))

    def read_in_pieces(self, first, most):
        """`read` as work in pieces: with many damaged records it reads the whole log, which takes seconds."""
        first = max(0, first)
        if first >= self.next_sequence:
            return first, b""
        slot = yield from self._find_slot_in_pieces(first)
        return (yield from self._read_run_in_pieces(slot, first, most))

    def _find_slot_in_pieces(self, first):
        """Work in pieces: the slot of record `first` or of an older record, or the slot where the oldest records begin.

        Torn slots shift records to higher slots, so the search goes back until a record is not newer than `first`. No
        record lies before a blank slot.
        """
        slots = self._sectors * self._per_sector
        end = self._slot
        left = slots - min(self.next_sequence - first, slots)  # slots from `end` to the candidate
        looked = 0
        while left > 0:
            found = self._sequence_at((end + left) % slots)
            if self._buf == _BLANK or found is not None and found <= first:
                break
            left = max(0, left - (1 if found is None else found - first))
            looked += 1
            if looked % _SLOTS_PER_PIECE == 0:
                yield
        return (end + left) % slots

    def _read_run_in_pieces(self, slot, first, most):
        """Work in pieces: the first record from `first` on, searched from `slot`, and those after it, as `read`."""
        slots = self._sectors * self._per_sector
        run = []
        for looked in range(1, slots + 1):
            found = self._sequence_at(slot)
            if found is not None:
                if run and found != first + len(run):
                    break
                if found >= first:
                    first = first if run else found
                    run.append(bytes(self._buf))
            slot = (slot + 1) % slots
            if len(run) == most or slot == self._slot:
                break
            if looked % _SLOTS_PER_PIECE == 0:
                yield
        return first, b"".join(run)

    def _sequence_at(self, slot):
        """Reads `slot` into the buffer. The sequence of its record, or None if it holds no whole record."""
        sector, index = divmod(slot, self._per_sector)
        self._flash.readblocks(sector, self._buf, index * RECORD_BYTES)
        if struct.unpack_from("<I", self._buf, _CRC_OFFSET)[0] != crc32(memoryview(self._buf)[:_CRC_OFFSET]):
            return None
        return struct.unpack_from("<I", self._buf, 0)[0]

    def _find_end(self):
        """Finds the end of the log: the sector with the newest first record, then the last whole record in it."""
        newest, newest_sector = -1, None
        for sector in range(self._sectors):
            for index in range(2):  # the first slot may be torn
                sequence = self._sequence_at(sector * self._per_sector + index)
                if sequence is not None:
                    if sequence > newest:
                        newest, newest_sector = sequence, sector
                    break
        if newest_sector is None:
            return
        end = newest_sector * self._per_sector
        for index in range(self._per_sector):
            sequence = self._sequence_at(newest_sector * self._per_sector + index)
            if sequence is not None:
                end = newest_sector * self._per_sector + index + 1
                self.next_sequence = sequence + 1
                self.previous = sha256(self._buf).digest()[:8]
            elif self._buf != _BLANK:
                end = newest_sector * self._per_sector + index + 1  # torn: not blank, so it cannot be written
        self._slot = end % (self._sectors * self._per_sector)
