"""A line of the link, as bytes: `<number> <body> <crc>`, where crc is the CRC-32 of all before it, in 8 hex digits.

    7 {"jsonrpc":"2.0","id":4,"method":"state"} e5d2c9fe

The numbers of a connection rise; number 1 begins a new connection. So a line that was recorded and sent again, or that
another line has overtaken, is detected. A number far ahead of the last one is taken, but does not count: the next lines
need not be above it.
"""

from binascii import crc32

from pump.base.text import consists_of
from pump.base.units import const

MAX_NUMBER = const(999_999_999)  # below 2^30: a small int on the RP2040
_MAX_NUMBER_DIGITS = const(9)
_CRC_DIGITS = const(8)
MAX_AHEAD = const(64)  # greatest step from one number to the next that counts: lines lost in a row
_REMEMBERED = const(8)  # newest lines that are refused as `line_replayed`; older ones as `line_out_of_order`

PARSE_ERROR = const(-32700)  # codes of JSON-RPC 2.0
INVALID_REQUEST = const(-32600)

OUT_OF_ORDER = "line_out_of_order"


class BadLine(Exception):
    """A line that is no valid request. args: (code of JSON-RPC, the pump's own word, text)."""


def seal(number, body):
    """The line with `number`, `body` (bytes), CRC-32 and line feed."""
    head = b"%d " % number
    return b"".join((head, body, b" %08x\n" % crc32(body, crc32(head))))  # one copy of a body that may have 6 kB


def unseal(line):
    """(number, body, CRC-32) of a line (bytes). BadLine: line_truncated, line_damaged, line_number."""
    line = line.rstrip(b"\r\n")
    separator, digits = line[-_CRC_DIGITS - 1 : -_CRC_DIGITS], line[-_CRC_DIGITS:]
    if separator != b" " or not consists_of(digits, b"0123456789abcdef"):
        raise BadLine(PARSE_ERROR, "line_truncated", "the line does not end in its CRC-32")
    end = len(line) - _CRC_DIGITS - 1
    crc = crc32(memoryview(line)[:end])  # no copy: a line may be a twentieth of the memory
    if digits != b"%08x" % crc:
        raise BadLine(PARSE_ERROR, "line_damaged", "the CRC-32 of the line does not match")
    space = line.find(b" ", 0, end)
    number = line[: max(0, space)]
    if not 1 <= len(number) <= _MAX_NUMBER_DIGITS or not consists_of(number, b"0123456789") or number[:1] == b"0":
        raise BadLine(INVALID_REQUEST, "line_number", "a line begins with its number, 1 to %d" % MAX_NUMBER)
    return int(number), line[space + 1 : end], crc


class LineOrder:
    """Checks that the numbers of the lines of one connection rise."""

    def __init__(self):
        self._last = 0
        self._recent = [None] * _REMEMBERED  # ring of (number, CRC-32)
        self._next = 0  # index in `_recent`

    def take(self, number, crc):
        """Notes a line. True if it begins a new connection. BadLine: line_replayed, line_out_of_order.

        A number more than MAX_AHEAD above the last one is taken, but does not become the last one.
        """
        begins = number == 1
        if begins:
            self._recent = [None] * _REMEMBERED
        elif (number, crc) in self._recent:
            raise BadLine(INVALID_REQUEST, "line_replayed", "this line was received before")
        elif number <= self._last:
            text = "the number must be above %d, or 1 for a new connection" % self._last
            raise BadLine(INVALID_REQUEST, OUT_OF_ORDER, text)
        if begins or number - self._last <= MAX_AHEAD:
            self._last = number
        self._recent[self._next] = (number, crc)  # pyright: ignore[reportCallIssue]
        self._next = (self._next + 1) % _REMEMBERED
        return begins
