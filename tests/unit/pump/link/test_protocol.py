"""The link's server: whole lines are answered, damaged ones change nothing, roles limit commands (SEC-02, SEC-07)."""

import json
from binascii import crc32

from pump.authority.access import CLINICIAN, SERVICE
from pump.base.states import INFUSING, PRIMING, STOPPED
from pump.documents.signature import sha256_hex
from pump.link import framing
from pump.link.methods import NAMES
from pump.link.protocol import MAX_LINE
from pump.link.questions import MAX_RECORDS
from support.portable import signed_vectors
from support.portable.pump_rig import (
    ABOUT,
    CLOCK,
    SIGNED_ORDER,
    SIGNED_RX,
    SIGNED_STOP,
    PumpRig,
    block_text,
    code_of,
)

# All that can be said over the link, and who may say it.
QUESTIONS = ("hello", "state", "rx.read", "records.read")
OF_ANYBODY = ("access.challenge", "access.log_on", "provision.load")
OF_BOTH = ("access.log_off", "clock.set")
PAUSE = "therapy.pause"  # also of anybody, but recorded with a person if there is one
OF_CLINICIANS = ("therapy.stop", "rx.load", "prime", "bolus.clinician", "reservoir.refill")
OF_SERVICE = ("document.begin", "document.put", "document.commit", "image.bootsel")

IMAGE = {"document": signed_vectors.image("therapy"), "signature": signed_vectors.THERAPY_SIGNATURE}
REFILL = {"fill_ul": 9_000, "returned_ul": None, "drug": "morphine", "concentration_ug_per_ml": 200, "syringe": "bd-10"}


def opened(said):
    """(number, object) of an answer line, whose number may be 0; by another way than the pump's."""
    assert said.endswith(b"\n") and said.count(b"\n") == 1
    whole, _, check = said[:-1].rpartition(b" ")
    assert int(check, 16) == crc32(whole)
    number, _, body = whole.partition(b" ")
    return int(number), json.loads(body)


def answer(rig, said):
    """The answer to a line, as an object."""
    return opened(rig.server.answer(said))[1]


def left_alone(rig):
    """What no damaged line may change: the records, the FRAM by its state, and the motor."""
    return (
        rig.therapy.event_log.next_sequence,
        rig.therapy.sequence,
        rig.therapy.state,
        rig.motor.granted,
        rig.therapy.needs_rx,
    )


# Lines


def test_an_answer_has_the_number_of_the_line_and_the_id_of_the_request():
    """COM-01."""
    rig = PumpRig()
    for number, id in ((1, 12), (2, "twelve"), (50, None)):
        request = {"jsonrpc": "2.0", "id": id, "method": "state"}
        heard, body = opened(rig.server.answer(framing.seal(number, json.dumps(request).encode())))
        assert (heard, body["jsonrpc"], body["id"]) == (number, "2.0", id)
        assert body["result"]["state"] == "stopped"


def test_a_line_that_cannot_be_read_is_answered_as_number_0():
    """COM-01: the host cannot tell which it was; it waits, and asks again."""
    rig = PumpRig()
    for bad in (b"", b"\n", b"state", framing.seal(3, b"{}")[:-3], framing.seal(3, b"{}").replace(b"3", b"4")):
        number, body = opened(rig.server.answer(bad))
        assert (number, body["id"], body["error"]["code"]) == (0, None, -32700)
        assert body["error"]["data"]["code"] in ("line_truncated", "line_damaged")


def test_every_changed_byte_of_a_line_is_an_error():
    """COM-01, SEC-10: nothing of a line that is not whole reaches the pump; the whole one then does."""
    rig = PumpRig()
    rig.log_on("okafor")
    whole = rig.line(rig.request("clock.set", CLOCK, auth=rig.auth()))
    before = left_alone(rig)
    for at in range(len(whole) - 1):
        for bit in (1, 8, 64):
            damaged = bytearray(whole)
            damaged[at] ^= bit
            assert answer(rig, bytes(damaged))["error"]["code"] == -32700
    for cut in range(len(whole) - 1):
        assert answer(rig, whole[:cut])["error"]["code"] == -32700
    assert left_alone(rig) == before
    assert "result" in answer(rig, whole)


def test_a_line_counts_once_and_in_its_order():
    """SEC-08, COM-04: recorded and sent again, or held back and sent late, it is refused by name."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.line(rig.request("clock.set", CLOCK, auth=rig.auth()))
    second = rig.line(rig.request("therapy.pause", auth=rig.auth()))
    assert "result" in answer(rig, second)
    before = left_alone(rig)
    assert code_of(answer(rig, second)) == "line_replayed"
    assert code_of(answer(rig, first)) == "line_out_of_order"
    assert left_alone(rig) == before


def test_what_is_no_request():
    """SEC-10: malformed content in a whole line gives an error answer; nothing is raised or changed."""
    rig = PumpRig()
    rig.log_on("okafor")
    before = left_alone(rig)
    number = 100
    for body, code, word in (
        (b"", -32700, "line_json"), (b"{", -32700, "line_json"), (b"\xff\xfe", -32700, "line_json"),
        (b'{"method":"state"', -32700, "line_json"), (b"[" * 8, -32700, "line_json"),
        (b"[]", -32600, "request_form"), (b"1", -32600, "request_form"), (b'"state"', -32600, "request_form"),
        (b"null", -32600, "request_form"), (b"{}", -32600, "request_form"),
        (b'{%2,"method":1,"id":%d}', -32600, "request_form"), (b'{%2,"method":null,"id":%d}', -32600, "request_form"),
        (b'{%2,"method":"state","id":true}', -32600, "request_form"),
        (b'{%2,"method":"state","id":[1]}', -32600, "request_form"),
        (b'{%2,"method":"state","id":1.5}', -32600, "request_form"),
        (b'{%2,"method":"therapy.stop"}', -32600, "request_form"),
        (b'{%2,"method":"state","params":[1],"id":%d}', -32602, "params"),
        (b'{%2,"method":"state","params":"all","id":%d}', -32602, "params"),
        (b'{%2,"method":"records.read","id":%d}', -32602, "params"),
        (b'{%2,"method":"records.read","params":{"from":true,"max":1},"id":%d}', -32602, "params"),
        (b'{%2,"method":"access.challenge","id":%d}', -32602, "params"),
        (b'{%2,"method":"access.log_on","params":{"document":1,"signature":""},"id":%d}', -32602, "params"),
        (b'{%2,"method":"dose.raise","id":%d}', -32601, "method_unknown"),
        (b'{%2,"method":"__init__","id":%d}', -32601, "method_unknown"),
        (b'{%2,"method":"","id":%d}', -32601, "method_unknown"),
    ):  # fmt: skip
        number += 1
        body = body.replace(b"%2", b'"jsonrpc":"2.0"').replace(b"%d", b"%d" % number)
        said = answer(rig, framing.seal(number, body))
        assert said["error"]["code"] == code and code_of(said) == word, body
    assert left_alone(rig) == before


def test_a_request_is_of_json_rpc_2():
    """COM-01: another version, or none, is refused, for a question as for a command."""
    rig = PumpRig()
    rig.infuse()
    before = left_alone(rig)
    for version in ("1.0", "2", "2.00", " 2.0", "2.1", "", 2.0, 2, None, True, ["2.0"], {"2.0": 1}):
        for method in ("state", "therapy.pause", "access.challenge"):
            said = rig.send(dict(rig.request(method, {"person": "okafor"}), jsonrpc=version))
            assert (said["error"]["code"], code_of(said)) == (-32600, "request_form"), version
    request = rig.request("state")
    request.pop("jsonrpc")
    assert code_of(rig.send(request)) == "request_form"
    assert left_alone(rig) == before


def test_a_line_that_is_too_long_is_answered_as_number_0():
    """COM-01: the driver has dropped it, so there is no number and no CRC-32."""
    number, body = opened(PumpRig().server.refuse_overlong())
    assert (number, body["id"], body["error"]["code"], code_of(body)) == (0, None, -32700, "line_truncated")


def test_parameters_of_the_wrong_kind():
    """SEC-10: sent by the right person, in a whole line."""
    rig = PumpRig()
    rig.log_on("okafor")
    for method, params in (
        ("rx.load", {}),
        ("rx.load", {"document": 1, "signatures": {}}),
        ("rx.load", {"document": "", "signatures": []}),
        ("rx.load", {"document": "", "signatures": {"prescriber": "00"}}),
        ("rx.load", {"document": "", "signatures": {"prescriber": {"by": "rossi"}}}),
        ("rx.load", {"document": "", "signatures": {"prescriber": {"by": 1, "signature": ""}}}),
        ("rx.load", {"document": "", "signatures": {}, "override": 1}),
        ("rx.load", {"document": "", "signatures": {}, "override": {"document": "", "by": "weber"}}),
        ("bolus.clinician", {"ug": 100, "over_s": 120}),
        ("bolus.clinician", {"document": "", "by": None, "signature": ""}),
        ("reservoir.refill", {"fill_ul": True}),
        ("reservoir.refill", dict(REFILL, returned_ul="0")),
        ("clock.set", {"utc_s": "now"}),
        ("clock.set", {"utc_s": 1.7e9}),
    ):
        said = rig.tell(method, params)
        assert said["error"]["code"] == -32602 and code_of(said) == "params", params
    assert rig.noted("rx_refused") == []


def test_a_refusal_carries_its_word_and_a_sentence():
    """SEC-10."""
    rig = PumpRig()
    rig.log_on("okafor")
    said = rig.tell("rx.load", {"document": signed_vectors.RX, "signatures": {}})["error"]
    assert (said["code"], said["data"]["code"], said["data"]["key"]) == (-32000, "rx_unsigned", "prescriber")
    assert said["message"].startswith("rx_unsigned: ")


def test_no_answer_is_longer_than_a_line():
    rig = PumpRig()
    rig.log_on("okafor")
    for _ in range(60):
        rig.stop()
    said = rig.server.answer(rig.line(rig.request("records.read", {"from": 0, "max": 1_000})))
    assert len(said) <= MAX_LINE
    assert opened(said)[1]["result"]["count"] == MAX_RECORDS
    rig.tell("rx.load", SIGNED_RX)
    assert len(rig.server.answer(rig.line(rig.request("rx.read")))) <= MAX_LINE


def test_records_from_anywhere():
    """SEC-10."""
    rig = PumpRig()
    count = rig.therapy.event_log.next_sequence
    for first, most, found in ((0, 1, 1), (0, 48, count), (-5, 48, count), (count, 5, 0), (10**12, 5, 0), (0, -1, 1)):
        said = rig.ask("records.read", {"from": first, "max": most})["result"]
        assert said["count"] == found, (first, most)


# What no request has

PRIME = b'{"jsonrpc":"2.0","id":%d,"method":"prime","params":{"a":%s}}'
MORE_THAN_THERE_IS = (
    b"[" * 400 + b"]" * 400,
    b'{"a":' * 400 + b"1" + b"}" * 400,
    b"9" * 5_800,
    b"1." + b"0" * 5_800,
    b"[" + b"1," * 2_800 + b"1]",
    b" " * 5_800,
    b"[" + b'"",' * 1_900 + b"1]",
    b"[1,2,3,4,5,6,7,8,9],[[[[[[[[1]]]]]]]]",
    b'"\\u","b":"' + b"9" * 5_700 + b'"',  # MicroPython reads the quote as one of four digits: the digits stand bare
    b'"\\\\","b":' + b"9" * 5_700,
)


def test_oversized_requests_are_refused_before_parsing():
    """SEC-10: nested, long numbers, long lists: of anybody, at once, and nothing is raised; nested ones raised once."""
    rig = PumpRig()
    before = left_alone(rig)
    for number, what in enumerate(MORE_THAN_THERE_IS, 1):
        said = answer(rig, framing.seal(number, PRIME % (number, what)))
        assert (said["id"], said["error"]["code"], code_of(said)) == (None, -32600, "request_limits"), what[:20]
        assert len(said["error"]["message"]) < 150
    assert left_alone(rig) == before


def test_brackets_inside_texts_are_not_counted():
    """RX-01: a document is full of brackets, quotes and digits; a signature of digits."""
    rig = PumpRig()
    for text in ("[" * 5_000, "9" * 5_800, '"' * 2_900, "\\" * 2_900, '\\"' * 1_400, "{}[]" * 1_400):
        assert code_of(rig.ask("provision.load", {"block": text})) == "provisioning_done"
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)


def test_a_number_that_is_short_enough_to_be_read():
    """SEC-10: 200 digits are refused where they are looked at, and not repeated."""
    rig = PumpRig()
    rig.log_on("okafor")
    for method, params in (
        ("clock.set", {"utc_s": int("9" * 200)}),
        ("reservoir.refill", dict(REFILL, fill_ul=10**190)),
    ):
        said = rig.tell(method, params)
        assert "error" in said and len(said["error"]["message"]) < 200, method


def test_an_id_is_short():
    """SEC-10, COM-04: it is remembered."""
    rig = PumpRig()
    for id in (1, (1 << 30) - 1, "a", "~" * 32, "1 2"):
        assert rig.ask("state", id=id)["id"] == id
    for id in (0, -1, 1 << 30, 1 << 70, "", "x" * 33, "x" * 5_700, "\n", "\x7f", [1], {}, 1.5, True):
        said = rig.ask("state", id=id)
        assert said["id"] is None and code_of(said) in ("request_form", "request_limits"), id


def test_an_answer_repeats_little_of_what_was_sent():
    """SEC-10: neither of a method, nor of a parameter, nor of the named signer."""
    long = "x" * 5_000
    rig = PumpRig()
    rig.log_on("lind")
    document = {"kind": "library", "length": 10, "sha256": "0" * 64, "signature": "0" * 768}
    lines = [
        rig.request(long),
        rig.request("document.begin", dict(document, kind=long), rig.auth()),
        rig.request("document.begin", dict(document, length=10**200), rig.auth()),
        rig.request("clock.set", CLOCK, long),
        rig.request("clock.set", CLOCK, long[:20] + ".1." + "0" * 64),
    ]
    for request in lines:
        said = rig.server.answer(rig.line(request))
        assert b"error" in said and len(said) < 600, said[:200]
    rig = PumpRig()
    rig.log_on("okafor")
    for params in ({"document": signed_vectors.RX, "signatures": {long: 1}}, dict(REFILL, drug=long)):
        said = rig.server.answer(rig.line(rig.request("rx.load" if "document" in params else "reservoir.refill",
                                                      params, rig.auth())))  # fmt: skip
        assert b"error" in said and len(said) < 600, said[:200]


def test_an_answer_that_would_be_longer_than_a_line_is_refused():
    """COM-01: the host would never receive it; the refusal tells it to ask for less."""
    rig = PumpRig()
    rig.server._methods.questions["state"] = lambda params: {"text": "x" * MAX_LINE}
    assert code_of(rig.ask("state")) == "memory"


# Who may say what


def test_these_are_all_the_methods_there_are():
    """SEC-02, SEC-07, LOG-13, H40: none raises a dose, none clears the log, none reads or writes memory."""
    methods = PumpRig().server._methods
    assert sorted(methods.questions) == sorted(QUESTIONS)
    roles = dict.fromkeys(OF_ANYBODY + (PAUSE,), ())
    roles.update(dict.fromkeys(OF_BOTH, (CLINICIAN, SERVICE)))
    roles.update(dict.fromkeys(OF_CLINICIANS, (CLINICIAN,)))
    roles.update(dict.fromkeys(OF_SERVICE, (SERVICE,)))
    assert {name: methods.commands[name][0] for name in methods.commands} == roles


def test_a_command_is_refused_to_other_roles():
    """SEC-02: before anything of it is looked at."""
    nobody, okafor, lind = PumpRig(), PumpRig(), PumpRig()
    okafor.log_on("okafor")
    lind.log_on("lind")
    for name in OF_BOTH + OF_CLINICIANS + OF_SERVICE:
        before = left_alone(nobody)
        assert code_of(nobody.ask(name)) == "session_none", name
        assert left_alone(nobody) == before
        for rig, other in ((okafor, OF_SERVICE), (lind, OF_CLINICIANS)):
            if name != "access.log_off":
                said = code_of(rig.tell(name))
                assert (said == "role") == (name in other), name


def test_questions_need_no_session_and_change_nothing():
    """SEC-02: the patient's role; the link answers also without a session."""
    rig = PumpRig()
    before = left_alone(rig)
    for name in QUESTIONS:
        said = rig.ask(name, {"from": 0, "max": 5})
        assert code_of(said) == ("rx_none_staged" if name == "rx.read" else None)
        assert not rig.server.changed
    assert left_alone(rig) == before


def test_a_command_is_recorded_with_its_person():
    """SEC-02: the pieces of a document are not, its beginning and its end are."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.tell("therapy.pause")
    assert rig.noted("command") == [(NAMES.index("therapy.pause"), 3, CLINICIAN, 0, 0, 0, 0)]
    assert sorted(NAMES) == sorted(OF_ANYBODY + (PAUSE,) + OF_BOTH + OF_CLINICIANS + OF_SERVICE)
    rig = PumpRig()
    rig.log_on("lind")
    rig.send_document("library", signed_vectors.library(5, 500), signed_vectors.LIBRARY_5_SIGNATURE)
    told = [NAMES[payload[0]] for payload in rig.noted("command")]
    assert told == ["document.begin", "document.commit"]


# Nothing remote raises a dose


def said_by(rig, method):
    """`method` with the best parameters there are, by the right person."""
    params = {
        "access.challenge": {"person": "okafor"},
        "access.log_on": {"document": "{}", "signature": ""},
        "provision.load": {"block": block_text()},
        "rx.load": SIGNED_RX,
        "prime": {"disconnected": True},
        "bolus.clinician": SIGNED_ORDER,
        "therapy.stop": SIGNED_STOP,
        "reservoir.refill": REFILL,
        "clock.set": {"utc_s": 1_800_000_000},
        "document.begin": {"kind": "library", "length": 10, "sha256": "", "signature": ""},
        "document.put": {"offset": 0, "data": "a"},
        "image.bootsel": IMAGE,
        "records.read": {"from": 0, "max": 1},
    }
    return rig.tell(method, params.get(method, {}))


def test_no_method_raises_a_dose():
    """SEC-07, H42: no sequence of requests moves a stopped pump."""
    for person, commands in (("okafor", OF_CLINICIANS), ("lind", OF_SERVICE)):
        rig = PumpRig()
        rig.log_on(person)
        for name in QUESTIONS + commands + OF_ANYBODY + (PAUSE,) + OF_BOTH[1:] + commands:
            said_by(rig, name)
            rig.run(500)
            assert rig.motor.granted == 0 and rig.therapy.state == STOPPED and rig.therapy.rx is None, name
        assert (rig.pump.prescription_change.staged is not None) == (person == "okafor")
        assert rig.pump.image_update.wants_boot_loader == (person == "lind")


def test_no_method_raises_the_dose_of_a_therapy_that_runs():
    """SEC-07, H42: each with its best parameters; basal continues unchanged or is stopped."""
    for name in QUESTIONS + OF_ANYBODY + (PAUSE,) + OF_BOTH + OF_CLINICIANS:
        rig = PumpRig()
        rig.infuse()
        rig.add_clinician()
        said_by(rig, name)
        before = rig.motor.granted
        rig.run(36_000)
        given = rig.motor.granted - before
        assert given <= 12, name  # 41.7 uL/h: a microstep every 3.6 s, and a grant of 10 s ahead
        assert rig.therapy.ledger.usteps[1:] == [0, 0, 0, 0, 0], name
        assert rig.therapy.rx.hash8 == "93b3842d" and rig.therapy.flow_nl_per_h in (41_666, 0)
        assert (given > 8) == (name not in ("therapy.pause", "therapy.stop")), name


def test_a_prescription_is_only_staged():
    """SEC-07, RX-01: START held for 2 s puts it in force; a short press does not."""
    rig = PumpRig()
    rig.log_on("okafor")
    said = rig.tell("rx.load", SIGNED_RX)["result"]
    assert said["values"]["basal_ug_per_day"] == 200 and said["hash"] == rig.ask("rx.read")["result"]["hash"]
    assert rig.ask("state")["result"]["staged"] == said["hash"]
    rig.start()
    assert rig.therapy.rx is None
    rig.hold_start()
    assert rig.therapy.rx.hash8 == said["hash"]
    assert rig.therapy.state == STOPPED and rig.motor.granted == 0
    assert rig.noted("rx_signed") == [(7, 1, 2, 0, 3, 0, 0)]


def test_a_staged_prescription_leaves_the_one_in_force():
    """SEC-07, H42: infusion, bolus and limits continue unchanged."""
    rig = PumpRig()
    rig.infuse()
    before = (rig.therapy.rx, rig.therapy.flow_nl_per_h, rig.therapy.sequence)
    high = {
        "document": signed_vectors.HIGH_RX,
        "signatures": {
            "prescriber": {"by": "rossi", "signature": signed_vectors.HIGH_RX_SIGNATURE},
            "second": {"by": "weber", "signature": signed_vectors.HIGH_RX_SECOND},
        },
        "override": {
            "document": signed_vectors.OVERRIDE,
            "by": "weber",
            "signature": signed_vectors.OVERRIDE_SIGNATURE,
        },
    }
    assert code_of(rig.tell("rx.load", high)) == "rx_sequence"
    rig.run(10_000)
    assert (rig.therapy.rx, rig.therapy.flow_nl_per_h, rig.therapy.sequence) == before
    assert rig.therapy.state == INFUSING


def test_an_order_is_only_staged():
    """SEC-07, DEL-14, H42: a short press of START gives it, once; nothing else does, and it waits for a minute."""
    rig = PumpRig()
    rig.infuse()
    said = rig.tell("bolus.clinician", SIGNED_ORDER)["result"]
    assert said == {"staged": True, "reason": None}
    rig.run(30_000)
    assert rig.therapy.state == INFUSING and rig.noted("bolus_start") == []
    rig.start()
    assert rig.therapy.clinician.active and len(rig.noted("bolus_start")) == 1
    rig = PumpRig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.run(61_000)
    rig.start()
    assert rig.noted("bolus_start") == [] and rig.therapy.state == INFUSING


def test_an_order_that_could_not_be_given_is_not_staged():
    """DEL-14: the reason is in the answer."""
    rig = PumpRig()
    rig.prescribe()
    said = rig.tell("bolus.clinician", SIGNED_ORDER)["result"]
    assert said == {"staged": False, "reason": "not_infusing"}
    rig.therapy.primed = True
    rig.start()
    assert rig.therapy.state == INFUSING
    rig.start()
    assert rig.noted("bolus_start") == []


def test_a_stop_drops_the_order():
    """SEC-07, DEL-14: START after a stop begins basal and nothing else."""
    rig = PumpRig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.stop()
    rig.start()
    rig.start()
    assert rig.therapy.state == INFUSING and rig.noted("bolus_start") == []


def test_priming_is_only_armed():
    """SEC-07, DEL-31, H13: START begins it."""
    rig = PumpRig()
    rig.prescribe()
    assert rig.tell("prime", {"disconnected": True})["result"]["nl"] >= 300_000
    rig.run(5_000)
    assert rig.therapy.state == STOPPED and rig.motor.granted == 0
    rig.start()
    assert rig.therapy.state == PRIMING


def test_priming_needs_the_patient_disconnected():
    """DEL-31, H13: stated by the clinician in this parameter, or nothing is armed."""
    rig = PumpRig()
    rig.prescribe()
    for said in ({}, {"disconnected": False}, {"disconnected": 1}, {"disconnected": "true"}):
        assert code_of(rig.tell("prime", said)) == "prime_connected"
    rig.start()
    assert rig.therapy.state == STOPPED and rig.motor.granted == 0


def test_a_command_keeps_its_number_in_the_records():
    """LOG-01: the log of earlier firmware is read with the same list; a new command comes after the last."""
    assert NAMES[:15] == (
        "access.challenge", "access.log_off", "access.log_on", "bolus.clinician", "clock.set",
        "document.begin", "document.commit", "document.put", "image.bootsel", "prime",
        "provision.load", "reservoir.refill", "rx.load", "therapy.pause", "therapy.stop",
    )  # fmt: skip


def test_the_end_of_a_therapy_is_signed_by_a_clinician_for_it():
    """SEC-02, SEC-08, LIM-27: over this pump, prescription and number, with a clinician's key; else nothing changes."""
    rig = PumpRig()
    rig.infuse()
    rig.add_clinician()
    stop = SIGNED_STOP["document"]
    for document, by, signature, code in (
        (stop, "rossi", signed_vectors.STOP_SIGNATURE, "person_role"),
        (stop, "okafor", signed_vectors.STOP_SIGNATURE, "stop_signature"),
        (stop, "nobody", signed_vectors.STOP_SIGNATURE, "person_unknown"),
        (stop.replace('"sequence":8', '"sequence":9'), "marsh", signed_vectors.STOP_SIGNATURE, "stop_signature"),
        (stop.replace("CB-0001", "CB-0002"), "marsh", signed_vectors.STOP_SIGNATURE, "stop_signature"),
        (signed_vectors.STOP_OF_ANOTHER_RX, "marsh", signed_vectors.STOP_OF_ANOTHER_RX_SIGNATURE, "stop_rx"),
        (signed_vectors.ORDER, "marsh", signed_vectors.ORDER_SIGNATURE, "stop_type"),
    ):
        params = {"document": document, "by": by, "signature": signature}
        assert code_of(rig.tell("therapy.stop", params)) == code
    assert code_of(rig.tell("therapy.stop")) == "params"
    assert rig.therapy.state == INFUSING and rig.noted("rx_end") == [] and rig.therapy.sequence == 7
    assert rig.end_therapy(id=900)["result"] == {"state": "stopped"}
    assert rig.noted("rx_end") == [(8, 5, 0, 0, 0, 0, 0)] and not rig.therapy.in_force
    assert rig.end_therapy(id=900)["result"] == {"state": "stopped"}  # repeated: answered, not done again
    assert code_of(rig.end_therapy()) == "stop_sequence"
    assert rig.noted("rx_end") == [(8, 5, 0, 0, 0, 0, 0)]
    rig.start()
    assert rig.therapy.state == STOPPED


def test_there_is_no_therapy_to_end_before_the_first():
    """SEC-08."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert code_of(rig.end_therapy()) == "stop_no_prescription"


def test_pause_and_stop_lower_a_dose_and_who_may():
    """SEC-02: pausing is what the stop key does, for both roles; only a clinician ends the therapy."""
    rig = PumpRig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    rig.log_on("lind", of_service)
    assert rig.tell("therapy.pause")["result"] == {"state": "stopped"}
    assert not rig.therapy.needs_rx
    rig.start()
    assert rig.therapy.state == INFUSING
    assert code_of(rig.end_therapy()) == "role"
    assert rig.therapy.state == INFUSING
    rig = PumpRig()
    rig.infuse()
    assert rig.end_therapy()["result"] == {"state": "stopped"}
    rig.start()
    assert rig.therapy.state == STOPPED and rig.therapy.needs_rx


# A pause


def pause_records(rig):
    """(person, role) of each pause that was recorded."""
    index = NAMES.index(PAUSE)
    return [payload[1:3] for payload in rig.noted("command") if payload[0] == index]


def infusing():
    """A rig that infuses, without a session."""
    rig = PumpRig()
    rig.infuse()
    rig.tell("access.log_off")
    return rig


def test_anybody_may_pause():
    """SEC-02: a pause only lowers a dose, so it needs no log-on; START resumes."""
    rig = infusing()
    assert rig.ask(PAUSE)["result"] == {"state": "stopped"}
    assert rig.therapy.state == STOPPED and not rig.therapy.needs_rx
    assert pause_records(rig) == [(0, 0)]
    rig.start()
    assert rig.therapy.state == INFUSING


def test_a_wrong_token_does_not_prevent_a_pause():
    """SEC-02: a damaged one, a spent one, one of another session: the pause is recorded without a person."""
    for bad in ("", "x", "a.1.b", "00000000.1." + "0" * 64, "%s.1." + "0" * 64, "%s.99." + "0" * 64, "%s.", "%s.1.z"):
        for logged_on in (False, True):
            rig = infusing() if not logged_on else PumpRig()
            if logged_on:
                rig.infuse()
            auth = bad.replace("%s", rig.session)
            assert rig.ask(PAUSE, {}, auth)["result"] == {"state": "stopped"}, auth
            assert pause_records(rig) == [(0, 0)], auth
            if logged_on:
                assert "result" in rig.tell("clock.set", CLOCK)  # the session is unchanged


def test_a_pause_is_recorded_with_its_sender():
    """SEC-02: in either role, by a valid token; without a person after the end of the session."""
    rig = PumpRig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    assert "result" in rig.tell(PAUSE)
    rig.start()
    rig.log_on("lind", of_service)
    assert "result" in rig.tell(PAUSE)
    rig.start()
    rig.at(rig.therapy.clock.s + 181)
    assert "result" in rig.tell(PAUSE)
    assert pause_records(rig) == [(3, CLINICIAN), (4, SERVICE), (0, 0)]


def test_pauses_without_a_sender_do_not_fill_the_log():
    """SEC-02, LOG-13: recorded only if motion stops, which needs START at the pump to happen again."""
    rig = infusing()
    rig.ask(PAUSE)
    before = rig.therapy.event_log.next_sequence
    for _ in range(50):
        assert rig.ask(PAUSE)["result"] == {"state": "stopped"}
    assert rig.therapy.event_log.next_sequence == before


def test_a_pause_needs_no_line_number_in_order():
    """SEC-02: any line number, except in a repeat of one of the last lines; other methods need theirs in order."""
    rig = infusing()
    for number in (400_000_000, 2, 3, 1, 1, framing.MAX_NUMBER):
        request = framing.seal(
            number, b'{"jsonrpc":"2.0","id":%d,"method":"therapy.pause"}' % (7_000 + len(rig.records()))
        )
        assert answer(rig, request)["result"] == {"state": "stopped"}, number
        assert rig.therapy.state == STOPPED
        rig.start()
        assert rig.therapy.state == INFUSING
    assert code_of(answer(rig, request)) == "line_replayed" and rig.therapy.state == INFUSING
    rig._number = 50
    rig.ask("state")
    late = framing.seal(4, b'{"jsonrpc":"2.0","id":8000,"method":"state","params":{"a":"therapy.pause"}}')
    assert code_of(answer(rig, late)) == "line_out_of_order"
    late = framing.seal(4, b'{"jsonrpc":"2.0","id":8000,"method":"clock.set","params":{"a":"therapy.pause"}}')
    assert code_of(answer(rig, late)) == "line_out_of_order"


def test_lines_of_another_host_leave_the_session_and_its_numbers():
    """SEC-04: another host begins a connection and sends numbers far ahead; the session continues."""
    rig = PumpRig()
    rig.infuse()
    hello = b'{"jsonrpc":"2.0","id":1,"method":"hello"}'
    for number in (1, framing.MAX_NUMBER, framing.MAX_NUMBER - 1):
        assert "result" in answer(rig, framing.seal(number, hello))
        assert code_of(rig.tell("prime", {"disconnected": True})) == "prime_state", number
    assert rig.tell(PAUSE)["result"] == {"state": "stopped"}
    assert pause_records(rig) == [(3, CLINICIAN)]
    assert rig.noted("log_off") == []


# Messages


def test_hello():
    """COM-01."""
    told = PumpRig().ask("hello")["result"]
    for key in ABOUT:
        assert told[key] == ABOUT[key]
    assert (told["serial"], told["bench"], told["people"], told["session"]) == ("CB-0001", True, 3, None)
    assert (told["self_test"], told["boot"], told["mono_s"], told["mono_ms"]) == ("passed", 1, 1_000, 0)
    told = PumpRig(None, people=None).ask("hello")["result"]
    assert (told["serial"], told["bench"], told["people"], told["authority"]) == (None, False, None, None)


def test_hello_reports_the_owner_also_after_provisioning():
    """COM-01, SEC-06: the fingerprint is made once for each owner."""
    rig = PumpRig(None, people=None)
    assert rig.ask("hello")["result"]["authority"] is None
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    first = rig.ask("hello")["result"]
    assert first["authority"] == sha256_hex(signed_vectors.AUTHORITY.encode())[:16] and first["serial"] == "CB-0001"
    assert rig.ask("hello")["result"]["authority"] == first["authority"]


# Anything at all


NASTY = (
    None, True, False, 0, -1, 1.5, 10**12, 1 << 70, "", "x", "\x00", "\xb2", "\u20ac", "9" * 300, [], [[]], {},
    {"by": {}}, {"document": ""},
)  # fmt: skip
PARAMS = {
    "access.challenge": {"person": "okafor"},
    "access.log_on": {"document": signed_vectors.log_on("0" * 32, "okafor", "clinician", "a"), "signature": "0" * 768},
    "provision.load": {"block": block_text()},
    "records.read": {"from": 0, "max": 1},
    "rx.load": SIGNED_RX,
    "prime": {"disconnected": False},
    "bolus.clinician": SIGNED_ORDER,
    "therapy.stop": SIGNED_STOP,
    "reservoir.refill": REFILL,
    "clock.set": {"utc_s": 1_800_000_000},
    "document.begin": {"kind": "library", "length": 10, "sha256": "0" * 64, "signature": "0" * 768},
    "document.put": {"offset": 0, "data": "a"},
    "image.bootsel": IMAGE,
}


def test_every_request_is_answered():
    """SEC-10: each parameter of each method takes each of these values, sent by the right person; nothing moves."""
    of_okafor = OF_ANYBODY + (PAUSE,) + OF_CLINICIANS + OF_BOTH
    for person, names in (("okafor", of_okafor), ("lind", OF_SERVICE), (None, QUESTIONS)):
        rig = PumpRig()
        if person:
            rig.log_on(person)
        for name in names:
            for key in PARAMS.get(name, {}):
                for value in NASTY:
                    params = dict(PARAMS[name])
                    params[key] = value
                    said = rig.ask(name, params, rig.auth() if person and name not in OF_ANYBODY else None)
                    assert "error" in said or "result" in said
                    if rig.access.role == 0 and person:
                        rig = PumpRig()
                        rig.log_on(person)
                    assert rig.therapy.rx is None and rig.motor.granted == 0


def test_every_auth_and_id_is_answered():
    """SEC-10."""
    rig = PumpRig()
    rig.log_on("okafor")
    before = left_alone(rig)
    for value in NASTY:
        assert "error" in rig.ask("clock.set", CLOCK, auth=value)
        request = rig.request("clock.set", CLOCK, auth="a.1.b")
        request["id"] = value
        assert "error" in rig.send(request)
        request = rig.request("state")
        request["method"] = value
        assert "error" in rig.send(request)
    assert left_alone(rig) == before
