"""A strict parser of one flat JSON object of texts and integers: the syntax of every signed document.

A general JSON parser is lenient: the last of two equal keys wins, 1e3 and 0.5 become floats, trailing text is dropped.
A document that decides a dose must have one reading only, so each of these is refused with its own code. Texts are
printable ASCII without escapes. Integers have at most ten digits, no sign but a minus, no leading zero.

The refusal codes begin with the caller's prefix (`rx`, `order`, ...):
  _too_long _not_ascii _not_json _string_form _key_doubled _number_form _value_range _value_type _trailing
"""

from pump.base.refusal import Refused

MAX_LENGTH = 2048  # bytes; the longest object needs about 1700
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


def parse(document, prefix, booleans=False):
    """The dict of the flat JSON object `document` (bytes). `booleans`: true and false are allowed as values too.

    Refused: `prefix` and one of the codes above.
    """
    _check_bytes(document, prefix)
    values = {}
    i = _expect(document, _skip_blanks(document, 0), _OPEN, prefix)
    i = _skip_blanks(document, i)
    if document[i : i + 1] == b"}":
        return _end(document, i + 1, values, prefix)
    while True:
        key, i = _text(document, i, prefix)
        if key in values:
            raise Refused(prefix + "_key_doubled", {"key": key, "allowed": "each key once", "at": i})
        i = _expect(document, _skip_blanks(document, i), _COLON, prefix)
        values[key], i = _value(document, _skip_blanks(document, i), key, prefix, booleans)
        i = _skip_blanks(document, i)
        if document[i : i + 1] == b"}":
            return _end(document, i + 1, values, prefix)
        i = _skip_blanks(document, _expect(document, i, _COMMA, prefix))


def _check_bytes(document, prefix):
    if len(document) > MAX_LENGTH:
        detail = {"key": "document", "held": len(document), "allowed": f"at most {MAX_LENGTH} bytes"}
        raise Refused(prefix + "_too_long", detail)
    for byte in document:
        if byte > 126 or (byte < 32 and byte not in _SPACES):
            detail = {"key": "document", "held": f"byte 0x{byte:02x}", "allowed": "printable ASCII"}
            raise Refused(prefix + "_not_ascii", detail)


def _end(document, i, values, prefix):
    """`values`, if nothing but blanks follows the object that ends at `i`."""
    i = _skip_blanks(document, i)
    if i != len(document):
        raise _refused(document, i, "document", "nothing after the object", prefix + "_trailing")
    return values


def _skip_blanks(document, i):
    """Index of the first byte from `i` on that is no blank."""
    while i < len(document) and document[i] in _SPACES:
        i += 1
    return i


def _expect(document, i, byte, prefix):
    """Index after `byte`, which must stand at `i`."""
    if i >= len(document) or document[i] != byte:
        raise _not_json(document, i, f"'{chr(byte)}'", prefix)
    return i + 1


def _not_json(document, i, allowed, prefix):
    return _refused(document, i, "document", allowed, prefix + "_not_json")


def _refused(document, i, key, allowed, code):
    held = document[i : i + 12].decode()  # the text at the error, enough to find it
    return Refused(code, {"key": key, "held": held, "allowed": allowed, "at": i})


def _text(document, i, prefix):
    """(text, index after it) of the quoted text at `i`."""
    i = _expect(document, i, _QUOTE, prefix)
    end = document.find(b'"', i)
    if end < 0:
        raise _not_json(document, i, "a closing quote", prefix)
    text = document[i:end].decode()
    # JSON forbids control characters inside a text; with a backslash one key could be written in two ways.
    for character in "\\\t\r\n":
        if character in text:
            raise _refused(document, i, "text", "printable ASCII without escapes", prefix + "_string_form")
    return text, end + 1


def _value(document, i, key, prefix, booleans):
    """(value, index after it) of the value at `i`."""
    first = document[i : i + 1]
    if first == b'"':
        return _text(document, i, prefix)
    if first and first in b"+-.0123456789":
        return _integer(document, i, key, prefix)
    if booleans:
        for word, value in _WORDS:
            if document[i : i + len(word)] == word:
                return value, i + len(word)
    if first and first in b"{[tfn":
        raise _refused(document, i, key, "a text or an integer", prefix + "_value_type")
    raise _not_json(document, i, "a text or an integer", prefix)


def _integer(document, i, key, prefix):
    """(int, index after it) of the integer at `i`."""
    end = i + 1 if document[i] == _MINUS else i
    first_digit = end
    while end < len(document) and document[end] in _DIGITS:
        end += 1
    digits = end - first_digit
    leading_zero = document[first_digit : first_digit + 1] == b"0" and (digits > 1 or first_digit > i)
    if digits == 0 or leading_zero or document[end : end + 1] in (b".", b"e", b"E"):
        allowed = "an integer without point, exponent, plus sign or leading zero"
        raise _refused(document, i, key, allowed, prefix + "_number_form")
    if digits > MAX_DIGITS:
        raise _refused(document, i, key, f"at most {MAX_DIGITS} digits", prefix + "_value_range")
    return int(document[i:end].decode()), end
