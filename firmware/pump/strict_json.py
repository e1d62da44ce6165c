"""An exact parser of one flat JSON object of texts and integers: the syntax of everything that is signed.

A general JSON parser forgives: the last of two equal keys wins, 1e3 and 0.5 become floats, trailing text is
dropped. What decides a dose must have one reading only, so each of these is refused, each with its own
code. Texts are printable ASCII without escapes; integers have no sign but a minus, no leading zero, at most
ten digits.

The codes begin with the caller's word (`rx`, `order`, ...):
  _too_long _not_ascii _not_json _string_form _key_doubled _number_form _value_range _value_type _trailing
"""

from pump.refusal import Refused

MAX_LENGTH = 2048  # bytes; the longest document there is needs about 1700
MAX_DIGITS = 10

_QUOTE = 0x22
_COLON = 0x3A
_COMMA = 0x2C
_OPEN = 0x7B
_CLOSE = 0x7D
_MINUS = 0x2D
_SPACES = b" \t\r\n"
_DIGITS = b"0123456789"
_WORDS = ((b"true", True), (b"false", False))


def parse(document, what, booleans=False):
    """The dict of a flat JSON object given as bytes. `booleans` also lets true and false in.

    Raises Refused with a code that begins with `what`.
    """
    _check_bytes(document, what)
    values = {}
    i = _expect(document, _skip(document, 0), _OPEN, what)
    i = _skip(document, i)
    if document[i : i + 1] == b"}":
        return _end(document, i + 1, values, what)
    while True:
        key, i = _text(document, i, what)
        if key in values:
            raise Refused(what + "_key_doubled", {"key": key, "allowed": "each key once", "at": i})
        i = _expect(document, _skip(document, i), _COLON, what)
        values[key], i = _value(document, _skip(document, i), key, what, booleans)
        i = _skip(document, i)
        if document[i : i + 1] == b"}":
            return _end(document, i + 1, values, what)
        i = _skip(document, _expect(document, i, _COMMA, what))


def _check_bytes(document, what):
    if len(document) > MAX_LENGTH:
        detail = {"key": "document", "held": len(document), "allowed": f"at most {MAX_LENGTH} bytes"}
        raise Refused(what + "_too_long", detail)
    for byte in document:
        if byte > 126 or (byte < 32 and byte not in _SPACES):
            detail = {"key": "document", "held": f"byte 0x{byte:02x}", "allowed": "printable ASCII"}
            raise Refused(what + "_not_ascii", detail)


def _end(document, i, values, what):
    i = _skip(document, i)
    if i != len(document):
        raise _refused(document, i, "document", "nothing after the object", what + "_trailing")
    return values


def _skip(document, i):
    while i < len(document) and document[i] in _SPACES:
        i += 1
    return i


def _expect(document, i, byte, what):
    if i >= len(document) or document[i] != byte:
        raise _not_json(document, i, f"'{chr(byte)}'", what)
    return i + 1


def _not_json(document, i, allowed, what):
    return _refused(document, i, "document", allowed, what + "_not_json")


def _refused(document, i, key, allowed, code):
    held = document[i : i + 12].decode()  # what stands there, enough to find it
    return Refused(code, {"key": key, "held": held, "allowed": allowed, "at": i})


def _text(document, i, what):
    i = _expect(document, i, _QUOTE, what)
    end = document.find(b'"', i)
    if end < 0:
        raise _not_json(document, i, "a text that ends", what)
    text = document[i:end].decode()
    # A control character inside a text would also be no JSON; a backslash could spell one key in two ways.
    for mark in "\\\t\r\n":
        if mark in text:
            raise _refused(document, i, "text", "printable ASCII without escapes", what + "_string_form")
    return text, end + 1


def _value(document, i, key, what, booleans):
    first = document[i : i + 1]
    if first == b'"':
        return _text(document, i, what)
    if first and first in b"+-.0123456789":
        return _integer(document, i, key, what)
    if booleans:
        for word, value in _WORDS:
            if document[i : i + len(word)] == word:
                return value, i + len(word)
    if first and first in b"{[tfn":
        raise _refused(document, i, key, "a text or an integer", what + "_value_type")
    raise _not_json(document, i, "a text or an integer", what)


def _integer(document, i, key, what):
    end = i + 1 if document[i] == _MINUS else i
    first_digit = end
    while end < len(document) and document[end] in _DIGITS:
        end += 1
    digits = end - first_digit
    leading_zero = document[first_digit : first_digit + 1] == b"0" and (digits > 1 or first_digit > i)
    if digits == 0 or leading_zero or document[end : end + 1] in (b".", b"e", b"E"):
        allowed = "an integer without point, exponent, plus sign or leading zero"
        raise _refused(document, i, key, allowed, what + "_number_form")
    if digits > MAX_DIGITS:
        raise _refused(document, i, key, f"at most {MAX_DIGITS} digits", what + "_value_range")
    return int(document[i:end].decode()), end
