"""The authority's signed word that one image may be flashed: what lets the pump restart into its boot loader.

RP2040 has no lock of its own: whoever opens the housing and holds BOOTSEL can flash what he likes. This keeps the
link from being that button.
"""

from pump import form, signature
from pump.refusal import Refused

WHAT = "image"
FIELDS = (
    ("type", form.TEXT),
    ("version", form.POSITIVE),
    ("build", form.TEXT),
    ("commit", form.TEXT),
    ("variant", form.TEXT),
    ("uf2_sha256", form.TEXT),
)
VARIANTS = ("therapy", "development")


def admitting(document, signature_hex, trust):
    """Work in pieces: the values of a manifest that this pump accepts. Refused: image_*, or a code of form.read."""
    document = form.as_bytes(document)
    values = form.read(document, WHAT, WHAT, FIELDS)
    trust.need_provisioning(WHAT)
    yield from signature.checking(document, signature_hex, trust.provisioning.authority, WHAT)
    if values["variant"] not in VARIANTS:
        allowed = ", ".join(VARIANTS)
        raise Refused("image_variant", {"key": "variant", "held": values["variant"], "allowed": allowed})
    if values["variant"] != "therapy" and not trust.provisioning.bench:
        raise Refused("image_not_bench", {"key": "variant", "held": values["variant"], "allowed": "therapy"})
    return values
