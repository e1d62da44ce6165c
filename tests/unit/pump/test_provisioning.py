"""A pump knows its own serial number and two public keys, or that it knows nothing (SEC-06)."""

import binascii
import struct

import _vectors
from _check import refusal_code
from pump import provisioning


def text_of(serial="CB-0001", bench="true", prescriber=_vectors.PRESCRIBER, second=_vectors.SECOND):
    """The text of a block; `bench` is written as it is given."""
    return f'{{"serial":"{serial}","bench":{bench},"prescriber":"{prescriber}","second":"{second}"}}'.encode()


def block_of(text):
    return struct.pack("<II", len(text), binascii.crc32(text)) + text


def code_of(text):
    """The code with which the block of a text is refused; None if it is accepted."""
    return refusal_code(provisioning.parse, block_of(text))


class Fram:
    """A FRAM of 32 kB that holds `block` at the provisioning address."""

    def __init__(self, block):
        self.block = block

    def read_into(self, address, buf):
        assert address == provisioning.FRAM_ADDRESS
        assert address + len(buf) <= 0x8000
        for i in range(len(buf)):
            buf[i] = self.block[i] if i < len(self.block) else 0


def test_whole_block():
    known = provisioning.parse(block_of(text_of()))
    assert known.serial == "CB-0001"
    assert known.bench is True
    assert known.prescriber == int(_vectors.PRESCRIBER, 16)
    assert known.second == int(_vectors.SECOND, 16)
    assert provisioning.parse(block_of(text_of(bench="false"))).bench is False


def test_block_out_of_the_fram():
    assert provisioning.read(Fram(block_of(text_of()))).serial == "CB-0001"
    assert refusal_code(provisioning.read, Fram(b"")) == "provisioning_absent"


def test_nothing_there():
    """A new FRAM holds zeros or ones."""
    assert refusal_code(provisioning.parse, bytes(2048)) == "provisioning_absent"
    assert refusal_code(provisioning.parse, b"\xff" * 2048) == "provisioning_absent"
    assert refusal_code(provisioning.parse, b"\x01") == "provisioning_length"


def test_length_beyond_the_block():
    block = block_of(text_of())
    assert refusal_code(provisioning.parse, block[:-1]) == "provisioning_length"
    too_long = struct.pack("<II", 3000, 0) + bytes(2040)
    assert refusal_code(provisioning.parse, too_long) == "provisioning_length"


def test_every_flipped_byte():
    block = block_of(text_of())
    for at in range(0, len(block), 13):
        broken = block[:at] + bytes([block[at] ^ 0x10]) + block[at + 1 :]
        assert refusal_code(provisioning.parse, broken + bytes(2048 - len(broken))) is not None, at


def test_exact_keys():
    """RX-02: nothing is assumed, neither a key nor a word for yes."""
    whole = text_of()
    assert code_of(whole[:-1] + b',"more":1}') == "provisioning_key_unknown"
    assert code_of(whole.replace(b'"bench":true,', b"")) == "provisioning_key_missing"
    assert code_of(whole.replace(b'"bench":true,', b'"bench":true,' * 2)) == "provisioning_key_doubled"
    assert code_of(text_of(bench="1")) == "provisioning_value_type"
    assert code_of(text_of(bench='"true"')) == "provisioning_value_type"
    assert code_of(whole.replace(b'"CB-0001"', b"1")) == "provisioning_value_type"
    assert code_of(whole.replace(b'"CB-0001"', b"true")) == "provisioning_value_type"


def test_serial_has_room_on_the_display():
    assert code_of(text_of(serial="")) == "provisioning_value_range"
    assert code_of(text_of(serial="C" * 20)) is None
    assert code_of(text_of(serial="C" * 21)) == "provisioning_value_range"


def test_keys_are_two_rsa_3072_moduli():
    assert code_of(text_of(prescriber=_vectors.PRESCRIBER[:512])) == "provisioning_key"
    assert code_of(text_of(second="0" + _vectors.SECOND[1:])) == "provisioning_key"
    assert code_of(text_of(second="")) == "provisioning_key"


def test_second_person_is_another_person():
    """H06, ITH-09: one key cannot be two persons."""
    assert code_of(text_of(second=_vectors.PRESCRIBER)) == "provisioning_same_key"
