"""A line of the link: whole or not at all, once, and in its order (COM-01, SEC-08, SEC-10)."""

from binascii import crc32

from pump.link import framing
from pump.link.framing import INVALID_REQUEST, PARSE_ERROR, BadLine, LineOrder, seal, unseal

BODY = b'{"jsonrpc":"2.0","id":4,"method":"state"}'


def bad(do, *args):
    """(JSON-RPC code, own word) of the BadLine that `do(*args)` raises; None if it raises none."""
    try:
        do(*args)
    except BadLine as error:
        return error.args[:2]
    return None


def sealed(text):
    """A line with a correct CRC-32 over any content."""
    return text + b" %08x\n" % crc32(text)


def test_the_line_of_the_description():
    """The one that PROTOCOL.md and pump/link/framing.py show."""
    assert seal(7, BODY) == b'7 {"jsonrpc":"2.0","id":4,"method":"state"} e5d2c9fe\n'


def test_a_sealed_line_is_unsealed():
    for number in (1, 9, 10, 4711, framing.MAX_NUMBER):
        for body in (b"", b"{}", BODY, b"a b  c", bytes(range(32, 127)) * 40):
            whole = seal(number, body)
            text = whole[:-10]
            assert unseal(whole) == (number, body, crc32(text))
            assert unseal(whole[:-1]) == unseal(whole[:-1] + b"\r\n") == unseal(whole)


def test_a_line_cut_short_at_any_byte():
    """COM-01: nothing of it is taken."""
    whole = seal(4711, BODY)
    for end in range(len(whole) - 1):  # all but the end of line itself
        found = bad(unseal, whole[:end])
        assert found == (PARSE_ERROR, "line_truncated"), end


def test_a_line_whose_beginning_is_lost_at_any_byte():
    """COM-01: the rest of it is another line than the one that was sealed."""
    whole = seal(4711, BODY)
    for start in range(1, len(whole)):
        expected = "line_damaged" if start < len(whole) - 9 else "line_truncated"
        assert bad(unseal, whole[start:]) == (PARSE_ERROR, expected), start


def test_every_flipped_bit_of_a_line():
    """COM-01, SEC-10."""
    whole = seal(4711, BODY)
    for at in range(len(whole) - 1):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            found = bad(unseal, bytes(flipped))
            assert found in ((PARSE_ERROR, "line_truncated"), (PARSE_ERROR, "line_damaged")), (at, bit)


def test_a_check_is_eight_lower_case_digits():
    """COM-01: one spelling only."""
    whole = seal(12, BODY)
    check = whole[-9:-1]
    assert check != check.upper()
    for other in (check.upper(), check[1:], b"0" + check, check[:-1] + b"g", b"0x" + check[2:]):
        assert bad(unseal, whole[:-9] + other + b"\n") == (PARSE_ERROR, "line_truncated"), other
    assert bad(unseal, whole[:-10] + b"\t" + whole[-9:]) == (PARSE_ERROR, "line_truncated")


def test_forms_of_a_number():
    """SEC-08: a number has one spelling, so that no two lines share it."""
    for text in (b"1", b"9", b"10", b"999999999"):
        assert unseal(sealed(text + b" {}"))[0] == int(text)
    for text in (
        b"0", b"00", b"01", b"-1", b"+1", b"1.0", b"1e3", b"0x1", b"a", b"", b" 1", b"1000000000", b"12345678901",
        b"1_0", b"\xd9\xa1", b"{}",
    ):  # fmt: skip
        assert bad(unseal, sealed(text + b" {}")) == (INVALID_REQUEST, "line_number"), text
    assert bad(unseal, sealed(b"7")) == (INVALID_REQUEST, "line_number")  # nothing behind it
    assert bad(unseal, sealed(b"{}")) == (INVALID_REQUEST, "line_number")


def test_line_numbers_rise():
    """SEC-08: gaps are lines that were lost; nothing goes back."""
    order = LineOrder()
    assert [order.take(number, number * 7) for number in (1, 2, 5, 69)] == [True, False, False, False]
    assert bad(order.take, 68, 5) == (INVALID_REQUEST, "line_out_of_order")


def test_a_number_far_ahead_blocks_no_other_line():
    """COM-01, SEC-08: it is taken once, and the other numbers continue where they were."""
    for far in (5 + framing.MAX_AHEAD + 1, 10_000, framing.MAX_NUMBER):
        order = LineOrder()
        for number in (1, 2, 5):
            order.take(number, number * 7)
        assert order.take(far, 3) is False
        assert bad(order.take, far, 3) == (INVALID_REQUEST, "line_replayed")
        for number in (2, 4, 5):
            assert bad(order.take, number, 9) == (INVALID_REQUEST, "line_out_of_order")
        assert order.take(6, 42) is False
        assert bad(order.take, 6, 43) == (INVALID_REQUEST, "line_out_of_order")
        assert order.take(framing.MAX_NUMBER, 4) is False


def test_a_repeated_line_is_refused():
    """SEC-08: the very same is named as replayed, another with an old number is out of order."""
    order = LineOrder()
    for number in range(1, 6):
        order.take(number, 1000 + number)
    for number in range(2, 6):
        assert bad(order.take, number, 1000 + number) == (INVALID_REQUEST, "line_replayed")
        assert bad(order.take, number, 2000 + number) == (INVALID_REQUEST, "line_out_of_order")
    assert order.take(6, 1006) is False  # none of them counted


def test_a_line_that_is_too_old_to_be_named_is_refused_all_the_same():
    """SEC-08."""
    order = LineOrder()
    for number in range(1, 100):
        order.take(number, number)
    for number in range(2, 100):
        expected = "line_replayed" if number > 91 else "line_out_of_order"
        assert bad(order.take, number, number) == (INVALID_REQUEST, expected), number


def test_number_1_begins_a_new_connection():
    """SEC-08: also in the middle; what was before is then neither replayed nor in the way."""
    order = LineOrder()
    assert order.take(1, 11)
    assert not order.take(2, 12)
    assert order.take(1, 11)  # the same line: sent again, it begins a new connection
    assert not order.take(2, 12)
    assert bad(order.take, 2, 12) == (INVALID_REQUEST, "line_replayed")
    fresh = LineOrder()
    assert fresh.take(5, 1) is False  # the pump was reset, the host was not: its numbers continue
    assert fresh.take(1, 1) is True
