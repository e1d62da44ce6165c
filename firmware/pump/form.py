"""The form of a signed document: exactly these keys, each of its kind, of one type and version."""

from pump import strict_json
from pump.refusal import Refused

VERSION = 1
MAX_INTEGER = 1_000_000_000  # below 2^30: a small int on the RP2040
MAX_TEXT = 64
NONE = "none"  # "no limit", said explicitly; a blank or a 0 is never read as one

# Kinds of a value
TEXT = "a text of 1 to 64 characters"
POSITIVE = "an integer from 1 to 1000000000"
COUNT = "an integer from 0 to 1000000000"
COUNT_OR_NONE = 'an integer from 0 to 1000000000, or "none"'


def as_bytes(document):
    """A document as bytes: the link hands it over as text, the signature is over its bytes."""
    return document.encode() if isinstance(document, str) else bytes(document)


def read(document, what, type_name, fields):
    """The values of `document` (bytes) if it is a `type_name` document of exactly `fields` (key and kind).

    Refused: codes of strict_json, or _type, _version, _key_unknown, _key_missing, _value_type, _value_range.
    """
    values = strict_json.parse(document, what)
    _check_label(values, what, type_name)
    known = dict(fields)
    for key in values:
        if key not in known:
            detail = {"key": key, "held": values[key], "allowed": f"only the keys of a {type_name}"}
            raise Refused(what + "_key_unknown", detail)
    for key, kind in fields:
        if key not in values:
            raise Refused(what + "_key_missing", {"key": key, "allowed": "every key must be there, " + kind})
        _check_kind(key, values[key], kind, what)
    return values


def _check_label(values, what, type_name):
    """Type and version come first: a document of another version may rightly have other keys."""
    if values.get("type", type_name) != type_name:
        raise Refused(what + "_type", {"key": "type", "held": values["type"], "allowed": type_name})
    version = values.get("version", VERSION)
    if isinstance(version, int) and version != VERSION:
        raise Refused(what + "_version", {"key": "version", "held": version, "allowed": VERSION})


def _check_kind(key, value, kind, what):
    is_text = isinstance(value, str)
    if kind == COUNT_OR_NONE and value == NONE:
        return
    if is_text != (kind == TEXT):
        raise Refused(what + "_value_type", {"key": key, "held": value, "allowed": kind})
    low = 0 if kind in (COUNT, COUNT_OR_NONE) else 1
    size, high = (len(value), MAX_TEXT) if is_text else (value, MAX_INTEGER)
    if not low <= size <= high:
        raise Refused(what + "_value_range", {"key": key, "held": value, "allowed": kind})
