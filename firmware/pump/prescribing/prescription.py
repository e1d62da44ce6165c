"""The signed prescription: its document, and the plain integers that the therapy uses.

A prescription is accepted whole or not at all: `admit` returns it or raises Refused (RX-03). Mass is prescribed; the
flow in the document only shows that its writer and this pump calculate alike (H03).
"""

from pump.base import units
from pump.base.pieces import finish
from pump.base.refusal import Refused
from pump.documents import fields, people, signature
from pump.prescribing.override import check_override_in_pieces
from pump.prescribing.rx_rules import check, warnings

PREFIX = "rx"  # of the refusal codes
TYPE = "prescription"

# The keys of the document in the order of writing, each with its kind.
FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("serial", fields.TEXT),
    ("patient", fields.TEXT),
    ("sequence", fields.POSITIVE),
    ("drug", fields.TEXT),
    ("concentration_ug_per_ml", fields.POSITIVE),
    ("route", fields.TEXT),
    ("site", fields.TEXT),
    ("basal_ug_per_day", fields.COUNT),  # 0: demand only, no basal
    ("flow_nl_per_h", fields.COUNT),
    ("bolus_ug", fields.COUNT),  # 0: no patient bolus
    ("bolus_duration_s", fields.COUNT),
    ("lockout_s", fields.COUNT),
    ("max_boluses_per_h", fields.COUNT_OR_NONE),
    ("max_boluses_per_24h", fields.COUNT_OR_NONE),
    ("limit_1h_ug", fields.COUNT_OR_NONE),
    ("limit_4h_ug", fields.COUNT_OR_NONE),
    ("limit_24h_ug", fields.COUNT_OR_NONE),
    ("syringe", fields.TEXT),
    ("fill_ul", fields.COUNT),
    ("deadspace_ul", fields.COUNT),
    ("compliance_nl_per_kpa", fields.COUNT),
    ("equiv_prev_ug_per_day", fields.COUNT_OR_NONE),  # daily dose of the previous drug as mass of this drug
)


class Prescription:
    """The content of one document. Set by `parse` and `admit`, then only read.

    One attribute for each key of FIELDS but type and version, int or str as in the document, with two exceptions. A
    limit, count or equivalence of "none" is 0 here; a 0 in the document is listed in `zeros` and refused.
    `flow_nl_per_h` is calculated from the basal, rounded down; the document's value is `flow_stated_nl_per_h`.

    is_overridden  True if `admit` needed a second person's override
    soft_limits    (code, limit in ug) of each soft limit exceeded, set by `admit` [LIB-03]
    document       the signed bytes
    sha256         of the document, 64 hex digits
    hash8          the first 8 hex digits, for people
    rx_hash        the same as a 32-bit integer, for the records
    """

    def __init__(self, values, document):
        self.document = document
        self.is_overridden = False
        self.soft_limits = ()
        self.sha256 = signature.sha256_hex(document)
        self.hash8 = self.sha256[:8]
        self.rx_hash = int(self.hash8, 16)
        self.zeros = tuple(key for key, kind in FIELDS if kind == fields.COUNT_OR_NONE and values[key] == 0)
        for key, kind in FIELDS[2:]:
            absent = kind == fields.COUNT_OR_NONE and values[key] == fields.NONE
            setattr(self, key, 0 if absent else values[key])
        self.flow_stated_nl_per_h = self.flow_nl_per_h
        self.flow_nl_per_h = units.flow_nl_per_h(self.basal_ug_per_day, self.concentration_ug_per_ml)

    def values(self):
        """The values for the read-back to the host: the keys of FIELDS, with "none" written out."""
        values = {"type": TYPE, "version": fields.VERSION}
        for key, kind in FIELDS[2:]:
            value = getattr(self, key)
            values[key] = fields.NONE if kind == fields.COUNT_OR_NONE and value == 0 else value
        return values

    def check_word(self):
        """See `base.dose_guard`: every number from which a dose, a limit or a volume is computed."""
        word = self.sequence ^ self.concentration_ug_per_ml ^ self.basal_ug_per_day ^ self.flow_nl_per_h
        word ^= self.bolus_ug ^ self.bolus_duration_s ^ self.lockout_s
        word ^= self.max_boluses_per_h ^ self.max_boluses_per_24h
        word ^= self.limit_1h_ug ^ self.limit_4h_ug ^ self.limit_24h_ug
        return word ^ self.fill_ul ^ self.deadspace_ul ^ self.compliance_nl_per_kpa


def parse(document):
    """The Prescription in `document` (str or bytes). Checks its form only. Refused: codes of fields.read."""
    document = fields.as_bytes(document)
    return Prescription(fields.read(document, PREFIX, TYPE, FIELDS), document)


def admit(document, signatures, override, trust, last_sequence, current):
    """The Prescription in `document` (str or bytes), if this pump accepts it; else Refused.

    signatures     {"prescriber": {"by": name, "signature": hex}, "second": the same of another person}
    override       {"document": str, "by": name, "signature": hex} of a second person, or None
    trust          Trust
    last_sequence  of the last accepted prescription or order
    current        the last accepted Prescription, also if its therapy was ended, or None

    Order of the checks: form, signatures, serial, sequence, rx_rules. A signature takes about 0.3 s on the RP2040.
    """
    return finish(admit_in_pieces(document, signatures, override, trust, lambda: (last_sequence, current)))


def admit_in_pieces(document, signatures, override, trust, read_state):
    """`admit` as work in pieces. `read_state()` returns (last_sequence, current); called after the signature checks."""
    rx = parse(document)
    trust.need_provisioning(PREFIX)
    keys = []
    for role in (people.PRESCRIBER, people.SECOND):
        signed = signatures.get(role)
        if signed is None:
            raise Refused("rx_unsigned", {"key": role, "held": "none", "do": "have a %s sign it" % role})
        key = trust.key(signed["by"], role, PREFIX)
        if key in keys:  # one person with both roles cannot sign twice [H06]
            raise Refused("rx_same_person", {"key": role, "held": signed["by"], "allowed": "another person"})
        keys.append(key)
        yield from signature.check_in_pieces(rx.document, signed["signature"], key, PREFIX)
    checked_override = None
    if override:
        checked_override = yield from check_override_in_pieces(
            override["document"], override["by"], override["signature"], trust, keys[0]
        )
    last_sequence, current = read_state()
    library = trust.library_in_force()
    rx.is_overridden = check(rx, trust.provisioning, library, last_sequence, current, checked_override)
    rx.soft_limits = warnings(rx, library)
    return rx


def is_as_signed(rx):
    """True if the document in memory still has its hash, and the values in memory are still its values (RX-08)."""
    if signature.sha256_hex(rx.document) != rx.sha256:
        return False
    fresh = parse(rx.document)
    return fresh.values() == rx.values() and (fresh.rx_hash, fresh.hash8) == (rx.rx_hash, rx.hash8)
