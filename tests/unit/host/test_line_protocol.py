"""The line protocol and the records: every damaged bit is noticed, and nothing whole is called damaged."""

import json
import os
import struct
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from cisterna.cli import app
from cisterna.errors import LinkError, OutputError, PumpRefused
from cisterna.link import records
from cisterna.link.protocol import (
    DOCUMENT_BLOCK,
    MAX_LINE,
    MAX_RECORDS,
    QUESTIONS,
    Reply,
    Requests,
    Tokens,
    frame,
    unframe,
)
from pump.link import framing as pump_line
from pump.storage import records as layout
from typer.testing import CliRunner


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


def test_a_repeated_request_keeps_its_id_on_a_new_line():
    requests = Requests()
    request, first = requests.line("therapy.pause")
    number, message = unframe(requests.retry_line(request, "therapy.pause"))
    assert unframe(first) == (1, message) and number == 2


def test_only_commands_of_a_session_carry_a_token():
    """SEC-04: each token once, also for a repeated command; each hashes to the one before it."""
    requests, tokens = Requests(), Tokens(8)
    known = bytes.fromhex(tokens.anchor)
    assert "auth" not in unframe(requests.line("therapy.pause")[1])[1]
    requests.logged_on("cafe0001", tokens)
    for method in QUESTIONS:
        assert "auth" not in unframe(requests.line(method)[1])[1]
    request, line = requests.line("therapy.pause")
    for n, said in enumerate((line, requests.retry_line(request, "therapy.pause"), requests.line("prime")[1]), 1):
        session, count, token = unframe(said)[1]["auth"].split(".")
        assert (session, count) == ("cafe0001", str(n))
        assert sha256(bytes.fromhex(token)).digest() == known
        known = bytes.fromhex(token)
    requests.logged_off()
    assert "auth" not in unframe(requests.line("therapy.pause")[1])[1]


def test_exhausted_tokens_are_reported():
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
def test_malformed_lines(line):
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


def by_mono(record):
    return record.mono_ms / 1000


def test_a_log_is_replaced_only_by_a_whole_one(tmp_path):
    """An interrupted write leaves the old file."""
    got = read(chain(3))
    path = tmp_path / "log.jsonl"
    records.write_jsonl(path, got.records[:1], by_mono)
    before = path.read_bytes()

    def broken_off():
        yield from got.records
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write_jsonl(path, broken_off(), by_mono)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    records.write_jsonl(path, got.records, by_mono)
    assert len(path.read_text().splitlines()) == 3 and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="--log .*none/log: cannot be written"):
        records.write_jsonl(tmp_path / "none" / "log", got.records, by_mono)


@pytest.mark.skipif(os.name != "posix", reason="/dev/fd is POSIX")
def test_a_log_into_a_pipe(tmp_path):
    """What is no file is written to, not replaced."""
    out, into = os.pipe()
    records.check_path(Path(f"/dev/fd/{into}"), force=False)
    records.write_jsonl(Path(f"/dev/fd/{into}"), read(chain(3)).records, by_mono)
    os.close(into)
    with open(out) as pipe:
        assert [json.loads(line)["seq"] for line in pipe] == [0, 1, 2]


@pytest.mark.parametrize("held", ["a prescription of somebody\n", "[]", "{}", "[" * 5000, "7", "\n", "\x00\xff"])
def test_a_file_that_is_no_log_is_not_overwritten(tmp_path, held):
    """The pump is not asked first."""
    path = tmp_path / "out"
    path.write_text(held)
    ran = CliRunner().invoke(app, ["log", "/dev/no-such", "--out", str(path)])
    assert ran.exit_code == 2 and "is no log of a pump" in ran.stderr and "--force" in ran.stderr
    assert path.read_text() == held
    assert "/dev/no-such" in CliRunner().invoke(app, ["log", "/dev/no-such", "--out", str(path), "--force"]).stderr
    for other in (tmp_path, tmp_path / "none" / "log"):
        ran = CliRunner().invoke(app, ["log", "/dev/no-such", "--out", str(other)])
        assert ran.exit_code == 2 and "in a folder that exists" in ran.stderr
    path.write_text("")
    records.check_path(path, force=False)
    records.write_jsonl(path, read(chain(3)).records, by_mono)
    records.check_path(path, force=False)


def test_block_sizes_are_those_of_the_firmware():
    from pump.authority.document_loading import MAX_BLOCK
    from pump.link import protocol as of_pump
    from pump.link import questions

    assert MAX_LINE == of_pump.MAX_LINE
    assert (MAX_RECORDS, DOCUMENT_BLOCK) == (questions.MAX_RECORDS, MAX_BLOCK)
