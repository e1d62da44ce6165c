"""The provisioning block: serial number and the authority's public key, or none (SEC-06)."""

import binascii
import hashlib
import struct

from pump.documents import provisioning
from support.portable import signed_vectors
from support.portable.refusals import refusal_code


def text_of(serial="CB-0001", bench="true", authority=signed_vectors.AUTHORITY):
    """The text of a block; `bench` is written as it is given."""
    return f'{{"serial":"{serial}","bench":{bench},"authority":"{authority}"}}'.encode()


def block_of(text):
    return struct.pack("<II", len(text), binascii.crc32(text)) + text


def code_of(text):
    """The code with which the block of a text is refused; None if it is accepted."""
    return refusal_code(provisioning.parse, block_of(text))


class Fram:
    """A FRAM of 32 kB that holds `block` at the provisioning address; `budget` bytes until the power fails."""

    def __init__(self, block=b"", budget=None):
        self.block = bytearray(block)
        self.budget = 1 << 20 if budget is None else budget

    def write(self, address, data):
        start = address - provisioning.FRAM_ADDRESS
        assert start >= 0 and start + len(data) <= provisioning.BLOCK_BYTES
        self.block += bytes(max(0, start + len(data) - len(self.block)))
        for k in range(min(len(data), self.budget)):
            self.block[start + k] = data[k]
        self.budget = max(0, self.budget - len(data))

    def read_into(self, address, buf):
        assert address == provisioning.FRAM_ADDRESS
        assert address + len(buf) <= 0x8000
        for i in range(len(buf)):
            buf[i] = self.block[i] if i < len(self.block) else 0


def test_whole_block():
    known = provisioning.parse(block_of(text_of()))
    assert known.serial == "CB-0001"
    assert known.bench is True
    assert known.authority == int(signed_vectors.AUTHORITY, 16)
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
    """RX-02: no key and no boolean spelling is assumed."""
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


def test_authority_is_an_rsa_3072_modulus():
    assert code_of(text_of(authority=signed_vectors.AUTHORITY[:512])) == "provisioning_key"
    assert code_of(text_of(authority="0" + signed_vectors.AUTHORITY[1:])) == "provisioning_key"
    assert code_of(text_of(authority="")) == "provisioning_key"


def test_fingerprint_is_of_the_modulus_in_hex():
    """What two people can compare over the telephone: a plain SHA-256 of the digits that stand in the block."""
    digest = binascii.hexlify(hashlib.sha256(signed_vectors.AUTHORITY.encode()).digest()).decode()
    assert provisioning.fingerprint(int(signed_vectors.AUTHORITY, 16)) == digest[:16]


def test_a_cut_while_it_is_written_leaves_a_whole_block_or_none():
    """PWR-08: the pump then knows that it knows nothing."""
    text = text_of()
    whole = 2 * provisioning.HEADER_BYTES + len(text)
    for budget in list(range(0, whole, 7)) + list(range(whole - 9, whole + 1)):
        fram = Fram(budget=budget)
        provisioning.write(fram, text)
        code = refusal_code(provisioning.read, fram)
        # Of the head the last four bytes are the CRC-32: until it is there, nothing is.
        assert (code is None) == (budget >= whole), budget
