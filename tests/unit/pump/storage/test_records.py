"""The record log on NOR flash."""

import struct
from binascii import crc32
from hashlib import sha256

from pump.storage.records import BOOT, PRESS, RECORD_BYTES, RecordLog

SECTOR = 4096


class Flash:
    """NOR: programming only clears bits, an erase sets a sector; `budget` bytes until the power fails."""

    def __init__(self, sectors=4):
        self.bytes = bytearray(b"\xff" * (sectors * SECTOR))
        self.budget = None
        self.erases = 0

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.bytes) // SECTOR
        if op == 5:
            return SECTOR
        self.erases += 1
        self.bytes[arg * SECTOR : (arg + 1) * SECTOR] = b"\xff" * SECTOR
        return 0

    def readblocks(self, block, buf, offset=0):
        at = block * SECTOR + offset
        buf[:] = self.bytes[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        at = block * SECTOR + offset
        for k in range(len(buf)):
            if self.budget is not None:
                if self.budget == 0:
                    return
                self.budget -= 1
            self.bytes[at + k] &= buf[k]


def fill(log, count):
    for _ in range(count):
        log.append(1, PRESS, 100, 5, 0, 0xDEADBEEF, (1, -2, 3))


def sequences(data):
    return [struct.unpack_from("<I", data, at)[0] for at in range(0, len(data), RECORD_BYTES)]


def test_records_are_chained_and_read_back():
    """LOG-07: number, CRC and the hash of the record before."""
    log = RecordLog(Flash())
    fill(log, 10)
    first, data = log.read(0, 32)
    assert first == 0 and sequences(data) == list(range(10))
    previous = bytes(8)
    for at in range(0, len(data), RECORD_BYTES):
        record = data[at : at + RECORD_BYTES]
        assert crc32(record[:60]) == struct.unpack_from("<I", record, 60)[0]
        assert record[52:60] == previous
        previous = sha256(record).digest()[:8]


def test_the_ring_goes_round():
    """LOG-03: the oldest make room, a sector at a time; the rest is read in order."""
    log = RecordLog(Flash())
    fill(log, 1000)
    first, data = log.read(0, 1000)
    assert sequences(data) == list(range(first, 1000))
    assert 192 <= 1000 - first <= 256
    assert log.read(1000, 5) == (1000, b"")
    assert sequences(log.read(990, 4)[1]) == [990, 991, 992, 993]


def test_a_restart_goes_on_with_number_and_chain():
    """LOG-07."""
    flash = Flash()
    fill(RecordLog(flash), 130)
    again = RecordLog(flash)
    assert again.next_sequence == 130
    again.append(2, BOOT, 0, 0, 0, 0, ())
    data = again.read(129, 2)[1]
    assert data[64 + 52 : 64 + 60] == sha256(data[:64]).digest()[:8]


def test_a_torn_record_is_skipped():
    """PWR-08, LOG-06: a cut at any byte loses at most the record that was being written."""
    for budget in range(64):
        flash = Flash()
        log = RecordLog(flash)
        fill(log, 63)
        flash.budget = budget
        fill(log, 1)
        flash.budget = None
        again = RecordLog(flash)
        assert again.next_sequence in (63, 64), budget
        expected = again.next_sequence
        fill(again, 5)
        assert sequences(again.read(60, 20)[1]) == list(range(60, expected + 5)), budget


def test_room_is_made_ahead_so_that_a_record_never_waits_for_an_erase():
    """ALS-13: who makes room when it is wanted never has a record erase flash, not on a used flash either."""
    flash = Flash()
    log = RecordLog(flash)
    for _ in range(2):
        for _ in range(700):
            if log.room_wanted():
                log.make_room()
            before = flash.erases
            fill(log, 1)
            assert flash.erases == before
        log = RecordLog(flash)
        assert log.next_sequence % 700 == 0
    first, data = log.read(0, 1000)
    assert sequences(data) == list(range(first, 1400)) and len(sequences(data)) >= 128


def test_a_blank_sector_is_known_after_a_restart():
    flash = Flash()
    log = RecordLog(flash)
    assert not log.room_wanted()  # a new flash is blank
    fill(log, 64)
    fill(log, 1)
    log.make_room()
    erases = flash.erases
    again = RecordLog(flash)
    assert not again.room_wanted()
    flash.bytes[2 * SECTOR + 700] = 0  # one bit of the sector ahead has fallen: an erase that power cut short
    assert RecordLog(flash).room_wanted()
    assert flash.erases == erases


class Looked(RecordLog):
    """Counts the places that are looked at: 0.1 ms each on the RP2040."""

    looks = 0

    def _sequence_at(self, slot):
        self.looks += 1
        return super()._sequence_at(slot)

    def read(self, first, most):
        """As read, and no piece of it looks at more than 65 places."""
        work = self.read_in_pieces(first, most)
        self.looks = 0
        while True:
            before = self.looks
            try:
                next(work)
            except StopIteration as end:
                return end.value
            finally:
                assert self.looks - before <= 2 * 64

    def all_of_it(self):
        """The sequences that a host reads, block after block."""
        found, first = [], 0
        while True:
            first, data = self.read(first, 48)
            if not data:
                return found
            found += sequences(data)
            first += len(data) // RECORD_BYTES


def rot(flash, number):
    flash.bytes[number * RECORD_BYTES % len(flash.bytes) + 20] ^= 1


def test_a_rotten_record_ends_a_block_and_the_next_begins_behind_it():
    """LOG-06, SEC-10: it once made the pump look through its whole log, for seconds."""
    flash = Flash(16)
    log = Looked(flash)
    fill(log, 400)
    rot(flash, 110)
    assert sequences(log.read(100, 48)[1]) == list(range(100, 110)) and log.looks <= 13
    assert sequences(log.read(110, 48)[1]) == list(range(111, 111 + 48)) and log.looks <= 52
    assert log.all_of_it() == [number for number in range(400) if number != 110]


def test_every_whole_record_is_read_whatever_has_rotted_around_it():
    """LOG-06, SEC-10: single records, sectors, all but the last; in pieces, between which the pump does its work."""
    for count, rotten in (
        (400, range(0, 400, 2)), (400, range(1, 400, 2)), (400, range(50, 60)), (400, range(200)), (400, range(399)),
        (900, range(300, 850)), (1_500, range(600, 1_300)), (1_500, range(0)), (1_500, range(500, 1_500, 3)),
    ):  # fmt: skip
        flash = Flash(16)
        log = Looked(flash)
        fill(log, count)
        for number in rotten:
            rot(flash, number)
        found = log.all_of_it()
        oldest = found[0] if count > 1_024 else 0
        assert found == [number for number in range(oldest, count) if number not in rotten], (count, rotten)
        assert oldest <= max(0, count - 1_024 + 128)
    log = Looked(flash)
    for number in range(1_024):
        rot(flash, number) if number % 3 != 2 else None
    assert len(log.all_of_it()) <= 1_024 and log.looks <= 2 * 1_024


def test_torn_places_cost_a_few_looks():
    """PWR-08, LOG-06: each power cut shifts what comes after it."""
    flash = Flash(16)
    for _ in range(60):
        log = Looked(flash)
        fill(log, 10)
        flash.budget = 30
        fill(log, 1)
        flash.budget = None
    log = Looked(flash)
    assert log.all_of_it() == list(range(log.next_sequence))
    for first in range(0, 600, 7):
        assert log.read(first, 1)[0] == first and log.looks <= 30, first


def test_reading_from_anywhere_is_short():
    """SEC-10: on a fresh log, on one that has gone round, and before and behind it."""
    for count in (0, 1, 50, 300, 1_100, 2_100):
        log = Looked(Flash(16))
        fill(log, count)
        for first in (-(10**9), 0, 1, count // 2, count - 1, count, 10**9):
            log.read(first, 48)
            assert log.looks <= 128 + 48 + 1, (count, first)


def test_a_log_that_is_written_while_it_is_read():
    """LOG-06: between two pieces a record may come, and the oldest may go."""
    flash = Flash(16)
    log = Looked(flash)
    fill(log, 1_500)
    for number in range(700, 1_400):
        rot(flash, number)
    work = log.read_in_pieces(700, 48)
    pieces = 0
    try:
        while True:
            next(work)
            pieces += 1
            fill(log, 5)
    except StopIteration as end:
        first, data = end.value
    assert pieces > 10 and first == 1_400 and sequences(data) == list(range(1_400, 1_448))
