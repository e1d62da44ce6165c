"""The signed order to end a therapy: valid once, at one pump, under one prescription; shares its sequence numbers."""

from pump.base.refusal import Refused, refused
from pump.documents import fields, people, signature
from pump.prescribing import rx_rules

PREFIX = "stop"  # of the refusal codes
TYPE = "therapy_stop"

FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("serial", fields.TEXT),
    ("sequence", fields.POSITIVE),
    ("rx", fields.TEXT),  # hash8 of the prescription that ends
)


class StopOrder:
    """serial, sequence, rx (hash8): as in the document."""

    def __init__(self, values):
        for key, _ in FIELDS[2:]:
            setattr(self, key, values[key])


def admit_in_pieces(document, by, signature_hex, trust, read_state):
    """Work in pieces: the StopOrder in `document` (str or bytes), if this pump accepts it.

    by             name of a clinician
    signature_hex  768 hex digits
    trust          Trust
    read_state     returns (number of the last prescription or order, Prescription or None); called after the
                   signature check

    Refused: codes of fields.read, people_*, person_*, stop_not_provisioned, _signature, _serial, _sequence,
    _no_prescription, _rx.
    """
    document = fields.as_bytes(document)
    order = StopOrder(fields.read(document, PREFIX, TYPE, FIELDS))
    key = trust.key(by, people.CLINICIAN, PREFIX)
    yield from signature.check_in_pieces(document, signature_hex, key, PREFIX)
    last_sequence, rx = read_state()
    rx_rules.check_address(order, trust.provisioning, last_sequence, PREFIX)
    if rx is None:
        raise Refused("stop_no_prescription", {"key": "rx", "do": "there is no therapy to end"})
    if order.rx != rx.hash8:
        raise refused("stop_rx", order, "rx", rx.hash8)
    return order
