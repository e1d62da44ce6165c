"""The line protocol and the records: every damaged bit is noticed, and nothing whole is called damaged."""

import json
import struct
import zlib
from hashlib import sha256

import pytest
from cisterna.errors import LinkError, PumpRefused
from cisterna.link import records
from cisterna.link.client import MAX_LINE, QUESTIONS, Reply, Requests, Tokens, frame, unframe
from pump import line as pump_line
from pump import records as layout


def test_a_line_is_number_json_crc_newline():
    request, line = Requests().line("state")
    checked, check = line[:-1].rsplit(b" ", 1)
    number, body = checked.split(b" ", 1)
    assert request == 1 and number == b"1" and line.endswith(b"\n")
    assert json.loads(body) == {"jsonrpc": "2.0", "id": 1, "method": "state", "params": {}}
    assert check == b"%08x" % zlib.crc32(checked)
    assert unframe(line) == (1, json.loads(body))


def test_the_pump_reads_the_host_s_lines_and_the_host_the_pump_s():
    """COM-01: both sides by their own code."""
    message = {"jsonrpc": "2.0", "id": 4, "method": "state"}
    assert frame(7, message) == b'7 {"jsonrpc":"2.0","id":4,"method":"state"} e5d2c9fe\n'
    number, body, _ = pump_line.unseal(frame(7, message))
    assert (number, json.loads(body)) == (7, message)
    assert unframe(pump_line.seal(7, json.dumps(message).encode())) == (7, message)


def test_ids_are_never_used_twice():
    requests = Requests()
    assert [requests.line("hello")[0] for _ in range(3)] == [1, 2, 3]
    requests.new_connection()
    request, line = requests.line("hello")
    assert request == 4 and unframe(line)[0] == 1


def test_a_request_said_again_keeps_its_id_on_another_line():
    requests = Requests()
    request, first = requests.line("therapy.pause")
    number, message = unframe(requests.again(request, "therapy.pause"))
    assert unframe(first) == (1, message) and number == 2


def test_only_commands_of_who_is_logged_on_show_a_token():
    """SEC-04: each token once, also of a command that is said again; each hashes to the one before it."""
    requests, tokens = Requests(), Tokens(8)
    known = bytes.fromhex(tokens.anchor)
    assert "auth" not in unframe(requests.line("therapy.pause")[1])[1]
    requests.logged_on("cafe0001", tokens)
    for method in QUESTIONS:
        assert "auth" not in unframe(requests.line(method)[1])[1]
    request, line = requests.line("therapy.pause")
    for n, said in enumerate((line, requests.again(request, "therapy.pause"), requests.line("prime")[1]), 1):
        session, count, token = unframe(said)[1]["auth"].split(".")
        assert (session, count) == ("cafe0001", str(n))
        assert sha256(bytes.fromhex(token)).digest() == known
        known = bytes.fromhex(token)
    requests.logged_off()
    assert "auth" not in unframe(requests.line("therapy.pause")[1])[1]


def test_a_chain_of_tokens_ends_with_a_word():
    tokens = Tokens(2)
    assert [tokens.next("s").split(".")[1] for _ in range(2)] == ["1", "2"]
    with pytest.raises(LinkError, match="all 2 tokens are used"):
        tokens.next("s")


def test_every_single_changed_byte_is_noticed():
    """COM-01."""
    line = frame(9, {"id": 7, "result": {"state": "infusing"}})
    for place in range(len(line) - 1):
        for bit in (1, 4, 128):
            damaged = bytearray(line)
            damaged[place] ^= bit
            with pytest.raises(LinkError):
                unframe(bytes(damaged))


def sealed(text: bytes) -> bytes:
    return b"%s %08x\n" % (text, zlib.crc32(text))


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"1 {}", b"1 {} 00000000\n"]
    + [sealed(text) for text in (b"", b"{}", b"1 [1]", b"1 null", b"1 {", b"x {}", b"-1 {}")],
)
def test_what_is_no_line(line):
    with pytest.raises(LinkError):
        unframe(line)


def test_a_line_too_long_for_the_pump_is_not_sent():
    with pytest.raises(LinkError, match=str(MAX_LINE)):
        frame(1, {"method": "rx.load", "params": "x" * MAX_LINE})


def test_a_refusal_carries_the_pump_s_own_code():
    data = {"code": "rx_limit_zero", "key": "limit_1h_ug", "held": 0}
    with pytest.raises(PumpRefused) as caught:
        Reply({"id": 1, "error": {"code": -32000, "message": "no", "data": data}}).result()
    assert caught.value.code == "rx_limit_zero"
    assert str(caught.value) == "the pump refused: rx_limit_zero: no: key limit_1h_ug, held 0"
    with pytest.raises(PumpRefused) as caught:
        Reply({"id": 1, "error": {"code": -32601, "message": "no such method"}}).result()
    assert caught.value.code == "rpc_-32601"


def chain(count: int, first_previous: bytes = bytes(8)) -> list[bytes]:
    """Records as a pump writes them."""
    out, previous = [], first_previous
    for sequence in range(count):
        words = [sequence, 1, 200, 0, 5, 0, 7]
        head = struct.pack(
            "<IHBBIHHII7i8s", sequence, 1, layout.PRESS, 1, 10 + sequence, 250, 0, 99, 0xAB, *words, previous
        )
        out.append(head + struct.pack("<I", zlib.crc32(head)))
        previous = sha256(out[-1]).digest()[:8]
    return out


def read(parts: list[bytes]) -> records.Chain:
    got = records.Chain()
    got.add(b"".join(parts))
    return got


def test_a_whole_chain_is_verified_and_decoded():
    """LOG-05, RX-04."""
    got = read(chain(40))
    assert got.verified and len(got.records) == 40 and got.next_sequence == 40
    third = got.records[2]
    assert (third.name, third.mono_ms, third.boot, third.rx, third.utc_s) == (
        "press",
        12_250,
        1,
        "000000ab",
        99,
    )
    assert third.payload == {"contact_s": 2, "contact_ms": 1, "held_ms": 200, "demand": 0}


def test_block_by_block_is_the_same_as_at_once():
    parts, got = chain(40), records.Chain()
    for place in range(0, 40, 7):
        got.add(b"".join(parts[place : place + 7]))
    assert got.verified and got.records == read(parts).records


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda r: r[:5] + r[6:], "record 5 is missing; found 6"),
        (lambda r: r[:5] + [r[4]] + r[5:], "record 5 is missing; found 4"),
        (lambda r: [*r[:5], r[6], r[5], *r[7:]], "record 5 is missing; found 6"),
        (lambda r: [*r[:5], r[5][:20] + b"\x01" + r[5][21:], *r[6:]], "record 5: its CRC does not fit"),
        (lambda r: chain(9, b"elsewher"), "record 0: not chained to the one before it"),
        (lambda r: [*r, r[0][:30]], "30 bytes are no whole record"),
    ],
)
def test_deleted_doubled_reordered_flipped_swapped(harm, said):
    """LOG-07, H37."""
    got = read(harm(chain(9)))
    assert not got.verified and said in got.problems[0]


def test_a_forged_record_with_a_good_crc_breaks_the_chain():
    """LOG-07, H37."""
    parts = chain(9)
    head = parts[3][:24] + b"\x07" + parts[3][25:-4]
    parts[3] = head + struct.pack("<I", zlib.crc32(head))
    assert read(parts).problems == ["record 4: not chained to the one before it"]


def test_jsonl_is_one_object_a_line(tmp_path):
    """LOG-10."""
    got = read(chain(3))
    path = tmp_path / "log.jsonl"
    records.write_jsonl(path, got.records, lambda record: record.mono_ms / 1000)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1, 2]
    assert lines[1] == {
        "seq": 1,
        "t_s": 11.25,
        "boot": 1,
        "mono_s": 11.25,
        "utc": "1970-01-01T00:01:39+00:00",
        "rx": "000000ab",
        "type": "press",
        "contact_s": 1,
        "contact_ms": 1,
        "held_ms": 200,
        "demand": 0,
    }
