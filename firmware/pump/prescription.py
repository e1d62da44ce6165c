"""The signed prescription: its document, and the plain integers that the therapy runs on.

A prescription is one unit: `admit` gives the whole of it or raises Refused, and nothing in between exists
(RX-03). Mass is what is prescribed; the flow in the document only proves that its writer and this pump
divide alike (H03).
"""

from pump import form, people, signature, units
from pump.override import proving
from pump.refusal import Refused
from pump.rx_rules import check, warnings
from pump.work import finish

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
    soft_limits    codes of those that it passes, as `admit` found them [LIB-03]
    document  the signed bytes                 sha256   of them, 64 hex digits
    hash8     the first 8 digits, for people   rx_hash  the same as an integer of 32 bits, for records
    """

    def __init__(self, values, document):
        self.document = document
        self.is_overridden = False
        self.soft_limits = ()
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


def admit(document, signatures, override, trust, last_sequence, current):
    """The Prescription in `document` if this pump accepts it; else Refused, and nothing has changed.

    signatures     {"prescriber": {"by": name, "signature": hex}, "second": the same of another person}
    override       {"document": ..., "by": name, "signature": hex} of a second person, or None
    trust          Trust
    last_sequence  of the last accepted prescription or order
    current        the last accepted Prescription, also if its therapy was cancelled, or None

    Order: form, signatures, serial, sequence, meaning. Each signature takes about 0.3 s on the RP2040.
    """
    return finish(admitting(document, signatures, override, trust, lambda: (last_sequence, current)))


def admitting(document, signatures, override, trust, standing):
    """`admit` as work in pieces. `standing()` gives (last_sequence, current) when the signatures have been proven."""
    rx = parse(document)
    trust.need_provisioning(WHAT)
    keys = []
    for role in (people.PRESCRIBER, people.SECOND):
        signed = signatures.get(role)
        if signed is None:
            raise Refused("rx_unsigned", {"key": role, "held": "none", "do": "have a %s sign it" % role})
        key = trust.key(signed["by"], role, WHAT)
        if key in keys:  # one person with both hands is no second person [H06]
            raise Refused("rx_same_person", {"key": role, "held": signed["by"], "allowed": "another person"})
        keys.append(key)
        yield from signature.checking(rx.document, signed["signature"], key, WHAT)
    given = None
    if override:
        given = yield from proving(override["document"], override["by"], override["signature"], trust, keys[0])
    last_sequence, current = standing()
    library = trust.library_in_force()
    rx.is_overridden = check(rx, trust.provisioning, library, last_sequence, current, given)
    rx.soft_limits = warnings(rx, library)
    return rx


def is_as_signed(rx):
    """Whether the values in memory are still those of the document, and that still has its hash (RX-08)."""
    if signature.sha256_hex(rx.document) != rx.sha256:
        return False
    fresh = parse(rx.document)
    return fresh.values() == rx.values() and (fresh.rx_hash, fresh.hash8) == (rx.rx_hash, rx.hash8)
