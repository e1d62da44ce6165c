"""The form of a signed document: its type and version, exactly the given keys, each value of its kind."""

from pump.base.refusal import Refused
from pump.documents import strict_json

VERSION = 1
MAX_INTEGER = 1_000_000_000  # below 2^30: a small int on the RP2040
MAX_TEXT = 64  # characters
MAX_NUMBER_STEP = 1_000  # of a sequence or document number to the next: a leap to MAX_INTEGER would leave no successor
NONE = "none"  # "no limit" must be written out; a blank or a 0 does not mean it

# Kinds of a value, worded for a refusal's `allowed`
TEXT = f"a text of 1 to {MAX_TEXT} characters"
POSITIVE = f"an integer from 1 to {MAX_INTEGER}"
COUNT = f"an integer from 0 to {MAX_INTEGER}"
COUNT_OR_NONE = f'{COUNT}, or "{NONE}"'


def as_bytes(document):
    """`document` (str from the link, or bytes) as the bytes that were signed."""
    return document.encode() if isinstance(document, str) else bytes(document)


def read(document, prefix, type_name, fields):
    """The values (dict) of `document` (bytes), a document of type `type_name` with exactly `fields`, pairs (key, kind).

    Refused: `prefix` and a code of strict_json, _type, _version, _key_unknown, _key_missing, _value_type, _value_range.
    """
    values = strict_json.parse(document, prefix)
    _check_label(values, prefix, type_name)
    known = dict(fields)
    for key in values:
        if key not in known:
            detail = {"key": key, "held": values[key], "allowed": f"only the keys of a {type_name}"}
            raise Refused(prefix + "_key_unknown", detail)
    for key, kind in fields:
        if key not in values:
            raise Refused(prefix + "_key_missing", {"key": key, "allowed": "this key is required: " + kind})
        _check_kind(key, values[key], kind, prefix)
    return values


def _check_label(values, prefix, type_name):
    """Checks type and version before the keys: another version may have other keys."""
    if values.get("type", type_name) != type_name:
        raise Refused(prefix + "_type", {"key": "type", "held": values["type"], "allowed": type_name})
    version = values.get("version", VERSION)
    if isinstance(version, int) and version != VERSION:
        raise Refused(prefix + "_version", {"key": "version", "held": version, "allowed": VERSION})


def _check_kind(key, value, kind, prefix):
    is_text = isinstance(value, str)
    if kind == COUNT_OR_NONE and value == NONE:
        return
    if is_text != (kind == TEXT):
        raise Refused(prefix + "_value_type", {"key": key, "held": value, "allowed": kind})
    low = 0 if kind in (COUNT, COUNT_OR_NONE) else 1
    size, high = (len(value), MAX_TEXT) if is_text else (value, MAX_INTEGER)
    if not low <= size <= high:
        raise Refused(prefix + "_value_range", {"key": key, "held": value, "allowed": kind})
