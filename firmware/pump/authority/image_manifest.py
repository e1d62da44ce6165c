"""The image manifest, signed by the authority: the pump restarts into its boot loader only for a signed image.

The RP2040 has no lock: with the housing open, BOOTSEL starts the boot loader and any image can be flashed. The manifest
prevents the same over the link.
"""

from pump.base.refusal import Refused
from pump.documents import fields, signature

TYPE = "image"
PREFIX = TYPE  # of the refusal codes
FIELDS = (
    ("type", fields.TEXT),
    ("version", fields.POSITIVE),
    ("build", fields.TEXT),
    ("commit", fields.TEXT),
    ("variant", fields.TEXT),
    ("uf2_sha256", fields.TEXT),
)
THERAPY = "therapy"
VARIANTS = (THERAPY, "development")  # a development image runs on bench pumps only


def admit_in_pieces(document, signature_hex, trust):
    """Work in pieces: the values (dict) of the manifest `document` (str or bytes), if this pump accepts it.

    Refused: image_not_provisioned, image_signature, image_variant, image_not_bench, or a code of fields.read.
    """
    document = fields.as_bytes(document)
    values = fields.read(document, PREFIX, TYPE, FIELDS)
    trust.need_provisioning(PREFIX)
    yield from signature.check_in_pieces(document, signature_hex, trust.provisioning.authority, PREFIX)
    if values["variant"] not in VARIANTS:
        allowed = ", ".join(VARIANTS)
        raise Refused("image_variant", {"key": "variant", "held": values["variant"], "allowed": allowed})
    if values["variant"] != THERAPY and not trust.provisioning.bench:
        raise Refused("image_not_bench", {"key": "variant", "held": values["variant"], "allowed": THERAPY})
    return values
