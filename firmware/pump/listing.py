"""A document that lists things: a head, then one line for each, every line a flat JSON object with its end of line."""

import json

from pump import form
from pump.refusal import Refused


def lines(document, what, most):
    """The lines of `document` (bytes or text), the head first, their ends left out; none has been looked at yet.

    Refused: `what`_lines, if the last one has no end or there are not 1 to `most` behind the head.
    """
    found = form.as_bytes(document).split(b"\n")
    if found.pop():
        detail = {"key": "the last line", "allowed": "each line ends with an end of line (0x0a)"}
        raise Refused(what + "_lines", detail)
    if not 2 <= len(found) <= most + 1:
        detail = {"key": "lines", "held": len(found), "allowed": f"a head and 1 to {most} lines"}
        raise Refused(what + "_lines", detail)
    return found


def proven(document):
    """The dicts of the lines of `document` (bytes), of which it is known that it was accepted before. Quick."""
    return [json.loads(line) for line in document.split(b"\n")[:-1]]
