"""A request of the link: what stands in a line, and the limits within which it is read at all [SEC-10].

A JSON parser takes what it is given: a number of 5800 digits costs a second, brackets in brackets the memory. So first
the line is looked over by what costs nothing, and refused if it holds what no request of this protocol has.
"""

import json
from binascii import crc32

from pump.line import INVALID_REQUEST, PARSE_ERROR, BadLine
from pump.units import const

MAX_TEXTS = const(64)  # keys and values; a prescription with its override has 40
MAX_BARE = const(256)  # characters outside the texts: brackets, numbers, commas, blanks
MAX_BRACKETS = const(8)  # that open; so nothing is nested deeper
MAX_ID = const(0x3FFFFFFF)  # a small int on the RP2040
MAX_ID_LENGTH = const(32)

_LIMITS = "a request has at most %d texts, none with \\u, and outside them at most %d characters and %d brackets" % (
    MAX_TEXTS, MAX_BARE, MAX_BRACKETS,
)  # fmt: skip
_ID = "an id is an integer from 1 to 1073741823, or a text of 1 to 32 printable ASCII characters"


class Request:
    """Of the body of a line (bytes).

    id      int, str, or None
    method  str
    params  dict, {} if there are none
    auth    str, or None

    BadLine: request_limits, line_json, request_form, params.
    """

    def __init__(self, body):
        _check_limits(body)
        try:
            read = json.loads(body)
        except ValueError:
            raise BadLine(PARSE_ERROR, "line_json", "the line is no JSON")
        if not isinstance(read, dict) or not isinstance(read.get("method"), str):
            raise _no_request("a request is an object with a method")
        self.id = _checked_id(read.get("id"))
        self.method = read["method"]
        self.params = read.get("params") or {}
        self.auth = read.get("auth")
        self._body = body

    def digest(self):
        """CRC-32 of all but the auth, by which the same request is known again.

        So the auth is the last member, and a request that is sent again has the same bytes. BadLine: request_form.
        """
        body, end = self._body, len(self._body) - 1
        if self.auth is not None:
            end = body.rfind(b'"auth"')
            rest = body[end + 6 :].replace(b" ", b"")
            if not isinstance(self.auth, str) or rest != b':"' + self.auth.encode() + b'"}':
                raise _no_request("auth is a text, and the last member of a request")
        while end > 0 and body[end - 1] in b" ,":
            end -= 1
        return crc32(memoryview(body)[:end])


def _check_limits(body):
    """Raises BadLine if there is more in it than there may be. A few ms for the longest line, whatever it holds."""
    # Without its escapes, each quote begins or ends a text. MicroPython would take one into \u as a digit.
    bare = body.replace(b"\\\\", b"")
    if b"\\u" not in bare:
        bare = bare.replace(b'\\"', b"")
        if bare.count(b'"') <= 2 * MAX_TEXTS:
            bare = b"".join(bare.split(b'"')[::2])
            if len(bare) <= MAX_BARE and bare.count(b"[") + bare.count(b"{") <= MAX_BRACKETS:
                return
    raise BadLine(INVALID_REQUEST, "request_limits", _LIMITS)


def _checked_id(value):
    if isinstance(value, str):
        is_good = 1 <= len(value) <= MAX_ID_LENGTH and all(" " <= letter <= "~" for letter in value)
    elif isinstance(value, int) and not isinstance(value, bool):
        is_good = 1 <= value <= MAX_ID
    else:
        is_good = value is None
    if not is_good:
        raise _no_request(_ID)
    return value


def _no_request(text):
    return BadLine(INVALID_REQUEST, "request_form", text)
