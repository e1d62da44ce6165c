"""A second person's signed word that one prescription may begin above the first-dose ceiling (H06)."""

from pump import form, signature
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
    """Document and signature as they came, unjudged: {"document": text or bytes, "signature": hex}."""

    def __init__(self, parts):
        self.document = form.as_bytes(parts["document"])
        self.signature = parts["signature"]


def check(override, rx, provisioning):
    """Returns if `override` lifts the first-dose ceiling of exactly this `rx` on exactly this pump.

    Refused: codes of form.read, override_signature, override_serial, override_rx, override_what.
    """
    values = form.read(override.document, WHAT, TYPE, FIELDS)
    signature.check(override.document, override.signature, provisioning.second, WHAT)
    _same(values, "serial", provisioning.serial, "override_serial")
    _same(values, "rx_sha256", rx.sha256, "override_rx")
    _same(values, "what", FIRST_DOSE_CEILING, "override_what")


def _same(values, key, allowed, code):
    if values[key] != allowed:
        raise Refused(code, {"key": key, "held": values[key], "allowed": allowed})
