"""A second person's signed word that one prescription may begin above the first-dose ceiling (H06)."""

from pump import form, people, signature
from pump.refusal import Refused

WHAT = "override"
TYPE = "override"
FIRST_DOSE_CEILING = "first_dose_ceiling"

FIELDS = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("serial", form.TEXT),
    ("rx_sha256", form.TEXT),
    ("what", form.TEXT),
)


class Override:
    """What one override says, `values`; or `refusal`, the Refused that its form or signature drew.

    It is judged only if the prescription needs it, so a bad one that is not needed does no harm.
    """

    def __init__(self):
        self.values = None
        self.refusal = None


def proving(document, by, signature_hex, trust, prescriber=None):
    """Work in pieces: the Override in `document` (text), signed by a second person `by`. Raises nothing.

    `prescriber`: the key of who signed the prescription; whatever other roles he has, he lifts no ceiling of his own.
    """
    override = Override()
    try:
        document = form.as_bytes(document)
        values = form.read(document, WHAT, TYPE, FIELDS)
        key = trust.key(by, people.SECOND, WHAT)
        if key == prescriber:
            raise Refused("override_same_person", {"key": "by", "held": by, "allowed": "another than the prescriber"})
        yield from signature.checking(document, signature_hex, key, WHAT)
        override.values = values
    except Refused as refused:
        override.refusal = refused
    return override


def check(override, rx, serial):
    """Returns if `override` lifts the first-dose ceiling of exactly this `rx` on the pump `serial`.

    Refused: what `proving` met, or override_serial, override_rx, override_what.
    """
    if override.refusal:
        raise override.refusal
    _same(override.values, "serial", serial, "override_serial")
    _same(override.values, "rx_sha256", rx.sha256, "override_rx")
    _same(override.values, "what", FIRST_DOSE_CEILING, "override_what")


def _same(values, key, allowed, code):
    if values[key] != allowed:
        raise Refused(code, {"key": key, "held": values[key], "allowed": allowed})
