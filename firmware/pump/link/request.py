"""A request of the link: the members of a JSON-RPC request, and limits checked before the JSON is parsed [SEC-10].

The JSON parser itself has no limits: a number of 5800 digits takes a second, nested brackets take the memory. So cheap
counts over the body come first, and a body beyond what the requests of this protocol need is refused unparsed.
"""

import json
from binascii import crc32

from pump.base.units import const
from pump.link.framing import INVALID_REQUEST, PARSE_ERROR, BadLine

MAX_TEXTS = const(64)  # strings, keys and values; a prescription with its override has 40
MAX_BARE = const(256)  # characters outside the strings: brackets, numbers, commas, blanks
MAX_BRACKETS = const(8)  # opening brackets, so also the greatest depth
MAX_ID = const(0x3FFFFFFF)  # a small int on the RP2040
MAX_ID_LENGTH = const(32)  # characters of an id that is a text

_VERSION = "2.0"  # of JSON-RPC

_LIMITS = "a request has at most %d texts, none with \\u; outside them at most %d characters, %d opening brackets" % (
    MAX_TEXTS, MAX_BARE, MAX_BRACKETS,
)  # fmt: skip
_ID = "an id is an integer from 1 to 1073741823, or a text of 1 to 32 printable ASCII characters"


class Request:
    """The request in the body of a line (bytes).

    id      int from 1 to MAX_ID, str of 1 to MAX_ID_LENGTH printable ASCII characters, or None
    method  str
    params  normally a dict, {} if missing; not checked here
    auth    str, or None; not checked before `digest`

    BadLine: request_limits, line_json, request_form, params.
    """

    def __init__(self, body):
        _check_limits(body)
        try:
            members = json.loads(body)
        except ValueError:
            raise BadLine(PARSE_ERROR, "line_json", "the line is not JSON")
        if not isinstance(members, dict) or not isinstance(members.get("method"), str):
            raise _no_request("a request is an object with a method")
        if members.get("jsonrpc") != _VERSION:
            raise _no_request('the jsonrpc of a request is "2.0"')
        self.id = _checked_id(members.get("id"))
        self.method = members["method"]
        self.params = members.get("params") or {}
        self.auth = members.get("auth")
        self._body = body

    def digest(self):
        """CRC-32 of the body without its auth, by which a repeated request is recognised.

        So `auth` must be the last member, and a repeated request must have the same bytes. BadLine: request_form.
        """
        body, end = self._body, len(self._body) - 1
        if self.auth is not None:
            end = body.rfind(b'"auth"')
            rest = body[end + 6 :].replace(b" ", b"")
            if not isinstance(self.auth, str) or rest != b':"' + self.auth.encode() + b'"}':
                raise _no_request("auth must be a text and the last member of a request")
        while end > 0 and body[end - 1] in b" ,":
            end -= 1
        return crc32(memoryview(body)[:end])


def _check_limits(body):
    """BadLine request_limits if `body` exceeds the limits. Takes a few ms for the longest line of any content."""
    # Without escapes, each quote begins or ends a text. After \u MicroPython's parser would take a quote as a digit.
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
        is_valid = 1 <= len(value) <= MAX_ID_LENGTH and all(" " <= letter <= "~" for letter in value)
    elif isinstance(value, int) and not isinstance(value, bool):
        is_valid = 1 <= value <= MAX_ID
    else:
        is_valid = value is None
    if not is_valid:
        raise _no_request(_ID)
    return value


def _no_request(text):
    return BadLine(INVALID_REQUEST, "request_form", text)
