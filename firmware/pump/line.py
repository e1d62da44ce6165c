"""A line of the link, as bytes: `<number> <body> <crc>`, the CRC-32 in eight hex digits over all before it.

    7 {"jsonrpc":"2.0","id":4,"method":"state"} e5d2c9fe

Lines of a connection are numbered upwards from 1, which begins a new connection. So one that was recorded and sent
again, or that has overtaken another, is told from a new one.
"""

from binascii import crc32

from pump.units import const

MAX_NUMBER = const(999_999_999)  # below 2^30: a small int on the RP2040
_DIGITS = const(9)
_CRC_DIGITS = const(8)
_REMEMBERED = const(8)  # lines that can still be named as replayed

PARSE_ERROR = const(-32700)
INVALID_REQUEST = const(-32600)


class BadLine(Exception):
    """A line, or what stands in it, that is no request: (JSON-RPC code, own word, text)."""


def seal(number, body):
    """The line, its end included."""
    line = b"%d " % number + body
    return line + b" %08x\n" % crc32(line)


def unseal(line):
    """(number, body, CRC-32) of a line (bytes). BadLine: line_truncated, line_damaged, line_number."""
    line = line.rstrip(b"\r\n")
    mark, digits = line[-_CRC_DIGITS - 1 : -_CRC_DIGITS], line[-_CRC_DIGITS:]
    if mark != b" " or not _are_in(digits, b"0123456789abcdef"):
        raise BadLine(PARSE_ERROR, "line_truncated", "the line does not end in its CRC-32")
    end = len(line) - _CRC_DIGITS - 1
    crc = crc32(memoryview(line)[:end])  # no copy: a line may be a twentieth of the memory
    if digits != b"%08x" % crc:
        raise BadLine(PARSE_ERROR, "line_damaged", "the line does not have the CRC-32 that it says")
    space = line.find(b" ", 0, end)
    number = line[: max(0, space)]
    if not 1 <= len(number) <= _DIGITS or not _are_in(number, b"0123456789") or number[:1] == b"0":
        raise BadLine(INVALID_REQUEST, "line_number", "a line begins with its number, 1 to %d" % MAX_NUMBER)
    return int(number), line[space + 1 : end], crc


def _are_in(text, allowed):
    for byte in text:
        if byte not in allowed:
            return False
    return True


class Order:
    """The order of the lines of one connection."""

    def __init__(self):
        self._last = 0
        self._recent = [None] * _REMEMBERED
        self._turn = 0

    def take(self, number, crc):
        """Notes a line. True when it begins a new connection. BadLine: line_replayed, line_out_of_order."""
        begins = number == 1
        if begins:
            self._recent = [None] * _REMEMBERED
        elif number <= self._last:
            if (number, crc) in self._recent:
                raise BadLine(INVALID_REQUEST, "line_replayed", "this line has been here before")
            text = "after line %d comes a higher one, or 1 for a new connection" % self._last
            raise BadLine(INVALID_REQUEST, "line_out_of_order", text)
        self._last = number
        self._recent[self._turn] = (number, crc)
        self._turn = (self._turn + 1) % _REMEMBERED
        return begins
