"""PROTOCOL.md is correct: its examples are played on the firmware, its codes are those of the pump."""

import re
import zlib

import pytest
from cisterna import paths
from cisterna.link.protocol import frame, unframe
from support.simulated.protocol_page_player import PAGE, Player, differences, examples

paths.use_firmware()
from pump.link import methods  # noqa: E402

RPC = {"jsonrpc": "2.0"}
CHALLENGE = {**RPC, "method": "access.challenge"}
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played():
    """(request of the page, answer of the page, request as sent, the pump's answer) of each example."""
    player, turns, asked, sent, answer = Player(), [], None, None, None
    for kind, what in examples(TEXT):
        if kind == "hand":
            player.hand(what)
        elif kind == ">":
            asked = what
            sent, answer = player.play(what)
        else:
            turns.append((asked, what, sent, answer))
    yield turns
    player.close()


def test_the_pump_answers_as_the_page_says(played):
    for asked, page, sent, real in played:
        assert differences(page, real) == [], asked
        assert differences(asked, {key: value for key, value in sent.items() if key in asked or key == "auth"}) == []


def test_every_method_has_an_example(played):
    pump = methods.Methods(None, {}, None)
    assert {asked["method"] for asked, *_ in played} == {*pump.questions, *pump.commands}


def test_the_line_of_the_page_is_whole():
    line = re.search(r"```\n(7 .*)\n```", TEXT)[1].encode()
    checked, crc = line.rsplit(b" ", 1)
    assert crc == b"%08x" % zlib.crc32(checked)
    assert unframe(line) == (7, {"jsonrpc": "2.0", "id": 4, "method": "state"})


@pytest.mark.parametrize(
    ("lines", "code", "word"),
    [
        ([b"1 {}\n"], -32700, "line_truncated"),
        ([b"x" * 7_000 + b"\n"], -32700, "line_truncated"),
        ([b"x" * 6_000 + b"\n"], -32700, "line_truncated"),
        ([b" " * 5_999 + b"\n"], -32700, "line_truncated"),
        ([b" " * 5_999 + b"\r\n"], -32700, "line_truncated"),
        ([b"7 " + b" " * 5_999 + b" 00000000\n"], -32700, "line_truncated"),
        ([b"1 {} 00000000\n"], -32700, "line_damaged"),
        ([b"1 { %08x\n" % zlib.crc32(b"1 {")], -32700, "line_json"),
        ([b"01 {} %08x\n" % zlib.crc32(b"01 {}")], -32600, "line_number"),
        ([frame(3, {**RPC, "id": 1, "method": "hello"})] * 2, -32600, "line_replayed"),
        ([frame(n, {**RPC, "id": 1, "method": "hello"}) for n in (3, 2)], -32600, "line_out_of_order"),
        ([frame(1, {**RPC, "id": 10**300, "method": "hello"})], -32600, "request_limits"),
        ([frame(1, {**RPC, "id": 1})], -32600, "request_form"),
        ([frame(1, {"jsonrpc": "1.0", "id": 1, "method": "hello"})], -32600, "request_form"),
        ([frame(1, {"id": 1, "method": "hello"})], -32600, "request_form"),
        ([frame(1, {**CHALLENGE, "params": {"person": "x"}})], -32600, "request_form"),
        ([frame(n, {**CHALLENGE, "id": 9, "params": {"person": str(n)}}) for n in (1, 2)], -32600,
         "id_reused"),
        ([frame(n, {**CHALLENGE, "id": n % 5 + 1, "params": {"person": "x"}}) for n in range(1, 7)],
         -32600, "id_done"),
        ([frame(1, {**RPC, "id": 1, "method": "dose.raise"})], -32601, "method_unknown"),
        ([frame(1, {**RPC, "id": 1, "method": "records.read"})], -32602, "params"),
    ],
)  # fmt: skip
def test_the_words_of_the_line(player, lines, code, word):
    """COM-01: a damaged line, a line out of order and a malformed request have their own codes, listed on the page."""
    answers = [unframe(player.raw(line))[1] for line in lines]
    error = answers[-1]["error"]
    assert (error["code"], error["data"]["code"]) == (code, word)
    assert re.search(rf"\| {code} \| .*`{word}`", TEXT)


@pytest.fixture(scope="module")
def player():
    player = Player()
    yield player
    player.close()


def test_a_command_is_done_once_for_its_id(player):
    """The same request again, on a new line: the same answer, not another challenge."""
    request = {"jsonrpc": "2.0", "id": 5, "method": "access.challenge", "params": {"person": "clinician"}}
    first, again = (unframe(player.raw(frame(number, request))) for number in (1, 2))
    assert (first[0], again[0]) == (1, 2) and first[1] == again[1]
    other = unframe(player.raw(frame(1, request)))[1]  # a new connection has forgotten it
    assert other != first[1]
