"""A document of lines: a head, then one line per entry; each line is a flat JSON object and a line feed."""

import json

from pump.base.refusal import Refused
from pump.documents import fields


def lines(document, prefix, most):
    """The lines of `document` (bytes or str), head first, as bytes without line feed; their content is not checked.

    Refused: `prefix`_lines, unless there are 1 to `most` lines after the head and each ends with a line feed.
    """
    split_lines = fields.as_bytes(document).split(b"\n")
    if split_lines.pop():
        detail = {"key": "the last line", "allowed": "a line feed (0x0a) at its end"}
        raise Refused(prefix + "_lines", detail)
    if not 2 <= len(split_lines) <= most + 1:
        detail = {"key": "lines", "held": len(split_lines), "allowed": f"a head and 1 to {most} lines"}
        raise Refused(prefix + "_lines", detail)
    return split_lines


def parse_accepted(document):
    """The lines of `document` (bytes) as dicts, head first. Only for a document that was accepted before: no checks."""
    return [json.loads(line) for line in document.split(b"\n")[:-1]]
