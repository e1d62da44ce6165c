"""Signature check with a public key: RSASSA-PKCS1-v1_5 with SHA-256 and RSA-3072.

The check rebuilds the whole padded message and compares all bytes; no padding is parsed, so none can be accepted
wrongly (RFC 8017, 8.2.2). The pump holds public keys only, no secret.
"""

import binascii
import hashlib

from pump.base.pieces import finish
from pump.base.refusal import Refused
from pump.base.text import consists_of

KEY_BITS = 3072
SIGNATURE_BYTES = KEY_BITS // 8
EXPONENT = 65537
_SQUARINGS = 16  # 65537 = 2 ** 16 + 1
HEX_OF_MODULUS = "%0768x"  # format of a modulus (int) as text
_HEX = f"{2 * SIGNATURE_BYTES} lower-case hex digits"

# DER of DigestInfo for SHA-256; the digest follows (RFC 8017, 9.2, note 1)
_DIGEST_INFO = binascii.unhexlify("3031300d060960864801650304020105000420")
_PADDING = b"\x00\x01" + b"\xff" * (SIGNATURE_BYTES - 3 - len(_DIGEST_INFO) - 32) + b"\x00" + _DIGEST_INFO


def sha256_hex(message):
    """SHA-256 of `message` (bytes) as 64 lower-case hex digits."""
    return binascii.hexlify(hashlib.sha256(message).digest()).decode()


def public_key(text, key, prefix):
    """The RSA modulus (int) of `text`, 768 lower-case hex digits. `key` names the value in a refusal.

    Refused: `prefix`_key, unless it has 3072 bits and is odd.
    """
    if _is_hex(text):
        modulus = int(text, 16)
        if text[0] in "89abcdef" and modulus & 1:
            return modulus
    detail = {"key": key, "held": text[:16] + "...", "allowed": f"an RSA modulus of {KEY_BITS} bits, {_HEX}"}
    raise Refused(prefix + "_key", detail)


def check(message, signature_hex, modulus, prefix):
    """Returns if `signature_hex` is valid for `message` (bytes) under `modulus` (int). Refused: `prefix`_signature."""
    finish(check_in_pieces(message, signature_hex, modulus, prefix))


def check_in_pieces(message, signature_hex, modulus, prefix):
    """`check` as work in pieces: one per modular product, 17 in all, 20 ms each on the RP2040."""
    if not _is_hex(signature_hex):
        raise _refused(prefix, "not " + _HEX)
    s = int(signature_hex, 16)
    if modulus >> (KEY_BITS - 1) != 1:
        raise _refused(prefix, f"its key does not have {KEY_BITS} bits")
    if s >= modulus:
        raise _refused(prefix, "not below the modulus")
    power = s
    for _ in range(_SQUARINGS):
        yield
        power = power * power % modulus
    yield
    power = power * s % modulus
    if power.to_bytes(SIGNATURE_BYTES, "big") != _PADDING + hashlib.sha256(message).digest():
        raise _refused(prefix, "over another text or by another key")


def _refused(prefix, held):
    allowed = "the signature over exactly this text by the key in this pump"
    return Refused(prefix + "_signature", {"key": "signature", "held": held, "allowed": allowed})


def _is_hex(text):
    """True if `text` is a str of 768 lower-case hex digits, the length of a signature and of a modulus."""
    return isinstance(text, str) and len(text) == 2 * SIGNATURE_BYTES and consists_of(text, "0123456789abcdef")
