"""The line protocol on the pump's side: what is whole is answered, what is not changes nothing."""

import json

from pump.protocol import Server, seal, unseal
from pump.refusal import Refused

METHODS = (
    "hello", "state", "records.read", "rx.load", "rx.read", "prime", "bolus.clinician", "therapy.cancel",
    "reservoir.refill", "clock.set",
)  # fmt: skip


class Pump:
    """Notes what is asked of it."""

    def __init__(self):
        self.asked = []
        self.intake = self

    def refill(self, *words):
        self.asked.append("refill")

    def prime(self):
        self.asked.append("prime")
        return 306_000

    def cancel(self):
        self.asked.append("cancel")

    def load(self, document, signatures, override):
        self.asked.append("load")
        raise Refused("rx_signature", {"key": "signature"})


def ask(pump, method, number=7, **params):
    """The answer to a request, as an object."""
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return answer(pump, seal(json.dumps(request).encode()))


def answer(pump, line):
    said = Server(pump, {}, lambda: 0).answer(line)
    assert said.endswith(b"\n")
    return json.loads(unseal(said))


def test_an_answer_is_a_sealed_line_with_the_id_of_the_question():
    pump = Pump()
    said = ask(pump, "therapy.cancel", number=12)
    assert (said["jsonrpc"], said["id"], said["result"]) == ("2.0", 12, {})
    assert pump.asked == ["cancel"]


def test_every_changed_byte_of_a_line_is_an_error():
    """COM-01, SEC-10: nothing of a line that is not whole reaches the pump."""
    pump = Pump()
    line = seal(b'{"id":1,"method":"therapy.cancel"}')
    for at in range(len(line) - 1):
        for bit in (1, 8, 64):
            damaged = bytearray(line)
            damaged[at] ^= bit
            assert answer(pump, damaged)["error"]["code"] == -32700
    for cut in range(len(line) - 1):
        assert answer(pump, line[:cut])["error"]["code"] == -32700
    assert pump.asked == []


def test_what_is_no_request():
    """SEC-10: whatever stands in a whole line, the answer is an error and nothing is raised."""
    pump = Pump()
    for body, code in (
        (b"", -32700), (b"{", -32700), (b"\xff\xfe", -32700), (b"[]", -32600), (b"1", -32600), (b"{}", -32600),
        (b'{"method":1}', -32600), (b'{"method":"state","params":[1]}', -32602), (b'{"method":"dose.raise"}', -32601),
        (b'{"method":"rx.load"}', -32602), (b'{"method":"rx.load","params":{"document":1,"signatures":{}}}', -32602),
        (b'{"method":"rx.load","params":{"document":"","signatures":{},"override":1}}', -32602),
        (b'{"method":"reservoir.refill","params":{"fill_ul":true}}', -32602),
    ):  # fmt: skip
        assert answer(pump, seal(body))["error"]["code"] == code, body
    assert pump.asked == []


def test_no_method_raises_a_dose():
    """SEC-07, LOG-13, H40: these are all there are. What carries a dose carries a signature; none clears the log."""
    server = Server(Pump(), {}, lambda: 0)
    assert sorted(server._methods) == sorted(METHODS)
    assert ask(Pump(), "rx.load", document="{}", signatures={})["error"]["data"]["code"] == "rx_signature"
    assert ask(Pump(), "bolus.clinician", ug=100, over_s=120)["error"]["code"] == -32602


def test_priming_wants_the_patient_disconnected():
    """DEL-31, H13: said by the clinician, in this word, or nothing moves."""
    pump = Pump()
    for said in ({}, {"disconnected": False}, {"disconnected": 1}, {"disconnected": "true"}):
        assert ask(pump, "prime", **said)["error"]["data"]["code"] == "prime_connected"
    assert pump.asked == []
    assert "result" in ask(pump, "prime", disconnected=True)
    assert pump.asked == ["prime"]


def test_a_refusal_carries_its_code():
    said = ask(Pump(), "rx.load", document="{}", signatures={"prescriber": "00"})
    assert said["error"]["code"] == -32000
    assert said["error"]["data"] == {"code": "rx_signature", "key": "signature"}
    assert said["error"]["message"].startswith("rx_signature")
