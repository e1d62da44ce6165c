"""Only the exact text, signed by the key in this pump, passes (SEC-06, SEC-08)."""

import binascii

from pump.documents import signature
from support.portable import signed_vectors
from support.portable.refusals import refusal, refusal_code

MODULUS = int(signed_vectors.PRESCRIBER, 16)
MESSAGE = signed_vectors.RX.encode()


def code_of(message=MESSAGE, signature_hex=signed_vectors.RX_SIGNATURE, modulus=MODULUS):
    """The code with which a signature is refused; None if it is accepted."""
    return refusal_code(signature.check, message, signature_hex, modulus, "rx")


def test_signature_of_the_text_by_the_key():
    assert code_of() is None
    assert code_of(signed_vectors.ORDER.encode(), signed_vectors.ORDER_SIGNATURE) is None


def test_another_text():
    """SEC-08: any flipped bit of the text."""
    for at in range(0, len(MESSAGE), 101):
        flipped = MESSAGE[:at] + bytes([MESSAGE[at] ^ 1]) + MESSAGE[at + 1 :]
        assert code_of(flipped) == "rx_signature", at
    assert code_of(MESSAGE + b" ") == "rx_signature"
    assert code_of(b"") == "rx_signature"


def test_another_key():
    assert code_of(modulus=int(signed_vectors.SECOND, 16)) == "rx_signature"


def test_flipped_digit_of_the_signature():
    good = signed_vectors.RX_SIGNATURE
    for at in range(0, len(good), 97):
        other = "0" if good[at] != "0" else "1"
        assert code_of(signature_hex=good[:at] + other + good[at + 1 :]) == "rx_signature", at


def test_form_of_the_signature():
    good = signed_vectors.RX_SIGNATURE
    lengths = (None, "", 5, good[:-1], good[:-2], good + "00", "0" + good)
    for bad in lengths + (good.upper(), good[:-1] + "g", " " + good[1:]):
        assert code_of(signature_hex=bad) == "rx_signature"


def test_signature_not_below_the_modulus():
    """s and s + n give the same power; only the smaller is a signature."""
    assert code_of(signature_hex="f" * 768) == "rx_signature"
    assert code_of(signature_hex=signed_vectors.PRESCRIBER) == "rx_signature"


def signature_hex_of(number):
    """A number as the 768 digits of a signature."""
    return binascii.hexlify(number.to_bytes(384, "big")).decode()


def test_trivial_signatures():
    for number in (0, 1, MODULUS - 1):
        assert code_of(signature_hex=signature_hex_of(number)) == "rx_signature"


def test_forgeries_that_a_lax_check_takes():
    """Made with the right key: short padding and rubbish behind the digest; another name of the hash."""
    assert code_of(signature_hex=signed_vectors.LAX_PADDING) == "rx_signature"
    assert code_of(signature_hex=signed_vectors.NO_PARAMETERS) == "rx_signature"


def test_short_and_long_keys():
    for modulus in (0, 1, 3233, MODULUS >> 1, MODULUS >> 1024, MODULUS << 1):
        assert code_of(modulus=modulus) == "rx_signature"


def test_public_key():
    assert signature.public_key(signed_vectors.PRESCRIBER, "prescriber", "p") == MODULUS
    good = signed_vectors.PRESCRIBER
    lengths = ("", good[:-2], good + "00", "0" + good[1:], "7" + good[1:])
    for bad in lengths + (good[:-1] + "e", good[:-1] + "G", good.upper()):
        assert refusal_code(signature.public_key, bad, "prescriber", "p") == "p_key"


def test_refusal_says_why():
    assert "hex digits" in refusal(signature.check, MESSAGE, "ab", MODULUS, "rx").message
    assert "another" in refusal(signature.check, b"", signed_vectors.RX_SIGNATURE, MODULUS, "rx").message
