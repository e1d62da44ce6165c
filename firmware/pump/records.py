"""Event records: 64 bytes each, numbered, CRC-ed and chained by hash.

Layout (little endian): sequence u32, boot u16, type u8, flags u8 (bit 0: wall clock was set), monotonic seconds u32,
milliseconds u16, spare u16, wall clock seconds u32, prescription hash u32, seven payload words i32, first 8 bytes of
the SHA-256 of the record before this one, CRC-32 of all that stands before it.

The host reads the same tables (this file is plain Python), and does its own checking [LOG-07].
"""

import struct
from binascii import crc32
from hashlib import sha256

from pump.units import const
from pump.work import finish

RECORD_BYTES = const(64)
FORMAT = "<IHBBIHHII7i8sI"
PAYLOAD_WORDS = const(7)
WALL_CLOCK_SET = const(1)
_BLANK = b"\xff" * RECORD_BYTES
_A_PIECE = const(64)  # places that are looked at in one go: 0.1 ms each on the RP2040

# type -> (name, names of its payload words)
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
BOLUS_CUT = const(24)  # found at power-up: a bolus that a power cut ended
LOG_ON = const(25)
LOG_ON_REFUSED = const(26)
LOG_OFF = const(27)
COMMAND = const(28)  # of a person who has logged on
PROVISIONED = const(29)
DOCUMENT = const(30)  # people or library
BOOT_LOADER = const(31)  # the pump makes way for another image
RX_SIGNED = const(32)  # who signed what was loaded

TYPES = {
    BOOT: ("boot", ("reset_cause", "was_infusing", "time_proven", "off_s", "journal_ok", "boot_jump_usteps")),
    STATE: ("state", ("from_state", "to_state", "cause")),
    RX_LOAD: ("rx_load", ("sequence", "basal_ug_per_day", "bolus_ug", "lockout_s", "limit_24h_ug")),
    RX_REFUSED: ("rx_refused", ("sequence", "code")),
    RX_CONFIRM: ("rx_confirm", ("sequence", "drug", "concentration_ug_per_ml", "basal_ug_per_day", "bolus_ug",
                                "lockout_s", "limit_24h_ug")),
    RX_END: ("rx_end", ("sequence",)),
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
    RX_SIGNED: ("rx_signed", ("sequence", "prescriber", "second", "override", "loaded_by")),
}  # fmt: skip


def word_of(code):
    """A code of a refusal as a payload word: 31 bits of its CRC-32."""
    return crc32(code.encode()) >> 1


NO_TIME = const(-1)  # next_s of a decision that has no next time
KINDS = (None, "pca", "clinician")


class RecordLog:
    """Append-only ring of records on a NOR flash block device (4096 B sectors, bits only fall until erased).

    The oldest 64 records make room at a time. An erase takes 45 to 400 ms with interrupts off, so that no key could
    stop a motor meanwhile: the caller does it ahead, with `make_room`, while nothing moves. Only who never does, and
    writes a whole sector full, has it done by `append`. A record that a power cut tore fails its CRC and is passed
    over: the next one takes the place behind it with the same number.
    """

    def __init__(self, flash):
        self._flash = flash
        self._sectors = flash.ioctl(4, 0)
        self._in_sector = flash.ioctl(5, 0) // RECORD_BYTES
        self._buf = bytearray(RECORD_BYTES)
        self._slot = 0  # where the next record goes
        self.next_sequence = 0
        self.previous = bytes(8)
        self._find_end()
        ahead = self._ahead()
        self._erased = ahead if self._is_blank(ahead) else None  # the sector that is known to be blank

    def append(self, boot, kind, s, ms, utc_s, rx_hash, payload, flags=0):
        """Writes one record and returns its sequence number. Raises OSError when the flash refuses."""
        words = list(payload) + [0] * (PAYLOAD_WORDS - len(payload))
        buf = self._buf
        struct.pack_into(
            FORMAT, buf, 0, self.next_sequence, boot, kind, flags, s, ms, 0, utc_s, rx_hash, *words, self.previous, 0
        )
        struct.pack_into("<I", buf, 60, crc32(memoryview(buf)[:60]))
        block, place = divmod(self._slot, self._in_sector)
        if place == 0:
            if self._erased != block:
                self._flash.ioctl(6, block)
            self._erased = None
        self._flash.writeblocks(block, buf, place * RECORD_BYTES)
        self._slot = (self._slot + 1) % (self._sectors * self._in_sector)
        self.previous = sha256(buf).digest()[:8]
        self.next_sequence += 1
        return self.next_sequence - 1

    def room_wanted(self):
        """Whether the sector that will be entered next has still to be erased."""
        return self._erased != self._ahead()

    def make_room(self):
        """Erases it. Interrupts are off for 45 to 400 ms: nothing may move. Raises OSError when the flash refuses."""
        ahead = self._ahead()
        self._flash.ioctl(6, ahead)
        self._erased = ahead

    def _ahead(self):
        """The sector that will be entered next."""
        return (self._slot + self._in_sector - 1) // self._in_sector % self._sectors

    def _is_blank(self, block):
        for place in range(self._in_sector):
            self._flash.readblocks(block, self._buf, place * RECORD_BYTES)
            if self._buf != _BLANK:
                return False
        return True

    def read(self, first, most):
        """Up to `most` whole records from sequence `first` on: (sequence of the first one, their bytes).

        Older records than the ring holds are gone; reading then begins with the oldest there is. It ends before a
        record that has rotted; who asks for that one is given what is behind it. No bytes: there is nothing behind.
        """
        return finish(self.reading(first, most))

    def reading(self, first, most):
        """`read` as work in pieces: where much has rotted, all of the log is looked through, for seconds."""
        first = max(0, first)
        if first >= self.next_sequence:
            return first, b""
        slot = yield from self._placing(first)
        return (yield from self._running(slot, first, most))

    def _placing(self, first):
        """A slot with record `first` or one before it, or where the oldest begin.

        Torn places shift records towards higher slots, so it goes back until one is not newer than asked for. A blank
        place has none before it.
        """
        slots = self._sectors * self._in_sector
        end = self._slot
        left = slots - min(self.next_sequence - first, slots)  # slots back to where the oldest begin
        looked = 0
        while left > 0:
            found = self._sequence_at((end + left) % slots)
            if self._buf == _BLANK or found is not None and found <= first:
                break
            left = max(0, left - (1 if found is None else found - first))
            looked += 1
            if looked % _A_PIECE == 0:
                yield
        return (end + left) % slots

    def _running(self, slot, first, most):
        """The first record that is not before `first`, looked for from `slot` on, and those that follow it."""
        slots = self._sectors * self._in_sector
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
            if looked % _A_PIECE == 0:
                yield
        return first, b"".join(run)

    def _sequence_at(self, slot):
        """Sequence of the whole record in a slot (its bytes are then in the buffer), or None."""
        block, place = divmod(slot, self._in_sector)
        self._flash.readblocks(block, self._buf, place * RECORD_BYTES)
        if struct.unpack_from("<I", self._buf, 60)[0] != crc32(memoryview(self._buf)[:60]):
            return None
        return struct.unpack_from("<I", self._buf, 0)[0]

    def _find_end(self):
        """Finds the newest record: the sector with the newest first record, then the last whole one in it."""
        newest, newest_block = -1, None
        for block in range(self._sectors):
            for place in range(2):  # the first place may be torn
                sequence = self._sequence_at(block * self._in_sector + place)
                if sequence is not None:
                    if sequence > newest:
                        newest, newest_block = sequence, block
                    break
        if newest_block is None:
            return
        end = newest_block * self._in_sector
        for place in range(self._in_sector):
            sequence = self._sequence_at(newest_block * self._in_sector + place)
            if sequence is not None:
                end = newest_block * self._in_sector + place + 1
                self.next_sequence = sequence + 1
                self.previous = sha256(self._buf).digest()[:8]
            elif self._buf != _BLANK:
                end = newest_block * self._in_sector + place + 1  # torn: its bits have fallen
        self._slot = end % (self._sectors * self._in_sector)
