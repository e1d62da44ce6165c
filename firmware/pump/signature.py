"""Who wrote it: RSASSA-PKCS1-v1_5 with SHA-256 and RSA-3072, checked with a public key.

The check rebuilds the whole padded message and compares all of it; nothing of the signature is parsed, so
there is no padding to be lax about (RFC 8017, 8.2.2). Only public keys are here: there is no secret on the
pump.
"""

import binascii
import hashlib

from pump.refusal import Refused
from pump.work import finish

KEY_BITS = 3072
SIGNATURE_BYTES = KEY_BITS // 8
EXPONENT = 65537
_SQUARINGS = 16  # 65537 = 2 ** 16 + 1
HEX_OF_MODULUS = "%0768x"
_HEX = f"{2 * SIGNATURE_BYTES} lower-case hex digits"

# DER of DigestInfo for SHA-256, then comes the digest (RFC 8017, 9.2, note 1)
_DIGEST_INFO = binascii.unhexlify("3031300d060960864801650304020105000420")
_PADDING = b"\x00\x01" + b"\xff" * (SIGNATURE_BYTES - 3 - len(_DIGEST_INFO) - 32) + b"\x00" + _DIGEST_INFO


def sha256_hex(message):
    """SHA-256 of bytes as 64 lower-case hex digits."""
    return binascii.hexlify(hashlib.sha256(message).digest()).decode()


def public_key(text, key, what):
    """The modulus, an int, of 768 lower-case hex digits. Refused (`what`_key) if it is not one."""
    if _is_hex(text):
        modulus = int(text, 16)
        if text[0] in "89abcdef" and modulus & 1:
            return modulus
    detail = {"key": key, "held": text[:16] + "...", "allowed": f"an RSA modulus of {KEY_BITS} bits, {_HEX}"}
    raise Refused(what + "_key", detail)


def check(message, signature_hex, modulus, what):
    """Returns if `signature_hex` signs the bytes `message` under `modulus`; else `what`_signature."""
    finish(checking(message, signature_hex, modulus, what))


def checking(message, signature_hex, modulus, what):
    """`check` as work in pieces: each of the 17 products of the power is one."""
    if not _is_hex(signature_hex):
        raise _refused(what, "not " + _HEX)
    s = int(signature_hex, 16)
    if modulus >> (KEY_BITS - 1) != 1:
        raise _refused(what, f"its key does not have {KEY_BITS} bits")
    if s >= modulus:
        raise _refused(what, "not below the modulus")
    power = s
    for _ in range(_SQUARINGS):
        yield
        power = power * power % modulus
    yield
    power = power * s % modulus
    if power.to_bytes(SIGNATURE_BYTES, "big") != _PADDING + hashlib.sha256(message).digest():
        raise _refused(what, "of another text or by another key")


def _refused(what, held):
    allowed = "the signature of exactly this text by the key in this pump"
    return Refused(what + "_signature", {"key": "signature", "held": held, "allowed": allowed})


def _is_hex(text):
    """Whether it is a text of as many lower-case hex digits as a signature and a modulus have."""
    if not isinstance(text, str) or len(text) != 2 * SIGNATURE_BYTES:
        return False
    return all(digit in "0123456789abcdef" for digit in text)
