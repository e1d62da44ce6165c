"""The signed override: a second person allows one prescription to start above the first-dose ceiling (H06)."""

from pump.base.refusal import Refused
from pump.documents import fields, people, signature

TYPE = "override"
PREFIX = TYPE  # of the refusal codes
FIRST_DOSE_CEILING = "first_dose_ceiling"  # the only value of `what`

FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("serial", fields.TEXT),
    ("rx_sha256", fields.TEXT),
    ("what", fields.TEXT),
)


class Override:
    """values: dict of a valid override, or None. refusal: the Refused of its form or signature, or None.

    The refusal is raised only if the prescription needs the override.
    """

    def __init__(self):
        self.values = None
        self.refusal = None


def check_override_in_pieces(document, by, signature_hex, trust, prescriber=None):
    """Work in pieces: the Override in `document` (str or bytes), signed by the second person `by`. Raises nothing.

    `prescriber`: key (int) that signed the prescription as prescriber; the same key cannot sign the override too.
    """
    override = Override()
    try:
        document = fields.as_bytes(document)
        values = fields.read(document, PREFIX, TYPE, FIELDS)
        key = trust.key(by, people.SECOND, PREFIX)
        if key == prescriber:
            allowed = "a person other than the prescriber"
            raise Refused("override_same_person", {"key": "by", "held": by, "allowed": allowed})
        yield from signature.check_in_pieces(document, signature_hex, key, PREFIX)
        override.values = values
    except Refused as refused:
        override.refusal = refused
    return override


def check(override, rx, serial):
    """Returns if `override` lifts the first-dose ceiling for exactly this `rx` on the pump `serial`.

    Refused: the refusal found by `check_override_in_pieces`, override_serial, override_rx, override_what.
    """
    if override.refusal:
        raise override.refusal
    _require_equal(override.values, "serial", serial, "override_serial")
    _require_equal(override.values, "rx_sha256", rx.sha256, "override_rx")
    _require_equal(override.values, "what", FIRST_DOSE_CEILING, "override_what")


def _require_equal(values, key, allowed, code):
    if values[key] != allowed:
        raise Refused(code, {"key": key, "held": values[key], "allowed": allowed})
