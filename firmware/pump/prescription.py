"""The signed prescription: its document, and the plain integers that the therapy runs on.

A prescription is one unit: `admit` gives the whole of it or raises Refused, and nothing in between exists
(RX-03). Mass is what is prescribed; the flow in the document only proves that its writer and this pump
divide alike (H03).
"""

from pump import form, signature, units
from pump.override import Override
from pump.rx_rules import check

WHAT = "rx"
TYPE = "prescription"

# Every key of the document, in the order in which it is written, with its kind.
FIELDS = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("serial", form.TEXT),
    ("patient", form.TEXT),
    ("sequence", form.POSITIVE),
    ("drug", form.TEXT),
    ("concentration_ug_per_ml", form.POSITIVE),
    ("route", form.TEXT),
    ("site", form.TEXT),
    ("basal_ug_per_day", form.COUNT),  # 0: demand only
    ("flow_nl_per_h", form.COUNT),
    ("bolus_ug", form.COUNT),  # 0: no patient bolus
    ("bolus_duration_s", form.COUNT),
    ("lockout_s", form.COUNT),
    ("max_boluses_per_h", form.COUNT_OR_NONE),
    ("max_boluses_per_24h", form.COUNT_OR_NONE),
    ("limit_1h_ug", form.COUNT_OR_NONE),
    ("limit_4h_ug", form.COUNT_OR_NONE),
    ("limit_24h_ug", form.COUNT_OR_NONE),
    ("syringe", form.TEXT),
    ("fill_ul", form.COUNT),
    ("deadspace_ul", form.COUNT),
    ("compliance_nl_per_kpa", form.COUNT),
    ("equiv_prev_ug_per_day", form.COUNT_OR_NONE),  # the previous drug's daily dose, as mass of this drug
)


class Prescription:
    """What one document says. Set once by `parse`, then only read.

    An attribute for each key of FIELDS but type and version, integers and texts as in the document, with two
    exceptions: a limit, count or equivalence of "none" is 0 here (a 0 in the document is refused, by way of
    `zeros`), and `flow_nl_per_h` is what the basal gives, rounded down, not what the document states (that is
    `flow_stated_nl_per_h`).

    is_overridden  whether `admit` needed a second person's override
    document  the signed bytes                 sha256   of them, 64 hex digits
    hash8     the first 8 digits, for people   rx_hash  the same as an integer of 32 bits, for records
    """

    def __init__(self, values, document):
        self.document = document
        self.is_overridden = False
        self.sha256 = signature.sha256_hex(document)
        self.hash8 = self.sha256[:8]
        self.rx_hash = int(self.hash8, 16)
        self.zeros = tuple(key for key, kind in FIELDS if kind == form.COUNT_OR_NONE and values[key] == 0)
        for key, kind in FIELDS[2:]:
            absent = kind == form.COUNT_OR_NONE and values[key] == form.NONE
            setattr(self, key, 0 if absent else values[key])
        self.flow_stated_nl_per_h = self.flow_nl_per_h
        self.flow_nl_per_h = units.flow_nl_per_h(self.basal_ug_per_day, self.concentration_ug_per_ml)

    def values(self):
        """What is read back to the host and shown for confirmation: the keys of FIELDS, "none" spelt out."""
        shown = {"type": TYPE, "version": form.VERSION}
        for key, kind in FIELDS[2:]:
            value = getattr(self, key)
            shown[key] = form.NONE if kind == form.COUNT_OR_NONE and value == 0 else value
        return shown


def parse(document):
    """The Prescription in `document` (text or bytes) if its form is exact; what it says is not judged."""
    document = form.as_bytes(document)
    return Prescription(form.read(document, WHAT, TYPE, FIELDS), document)


def admit(document, signatures, override, provisioning, library, last_sequence, current):
    """The Prescription in `document` if this pump accepts it; else Refused, and nothing has changed.

    signatures     {"prescriber": hex, "second": hex if a second person signed the whole}
    override       {"document": ..., "signature": hex} of the second person, or None
    provisioning   Provisioning, or None if there is none
    last_sequence  of the last accepted prescription or order
    current        the last accepted Prescription, also if its therapy was cancelled, or None

    Order: form, signature, serial, sequence, meaning. The signature check takes about 0.3 s on the RP2040.
    """
    rx = parse(document)
    if provisioning is not None:
        signature.check(rx.document, signatures.get("prescriber"), provisioning.prescriber, WHAT)
        if signatures.get("second") is not None:
            signature.check(rx.document, signatures["second"], provisioning.second, WHAT)
    given = Override(override) if override else None
    rx.is_overridden = check(rx, provisioning, library, last_sequence, current, given)
    return rx


def is_as_signed(rx):
    """Whether the values in memory are still those of the document, and that still has its hash (RX-08)."""
    if signature.sha256_hex(rx.document) != rx.sha256:
        return False
    fresh = parse(rx.document)
    return fresh.values() == rx.values() and (fresh.rx_hash, fresh.hash8) == (rx.rx_hash, rx.hash8)
