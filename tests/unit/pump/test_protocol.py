"""The link's server: what is whole is answered, what is not changes nothing, and who may say what (SEC-02, SEC-07)."""

import json
from binascii import crc32

import _vectors
from _rig import ABOUT, SIGNED_ORDER, SIGNED_RX, Rig, block_text, code_of
from pump import line
from pump.access import CLINICIAN, SERVICE
from pump.core import INFUSING, PRIMING, STOPPED
from pump.methods import MAX_RECORDS
from pump.protocol import MAX_LINE
from pump.signature import sha256_hex

# All that can be said over the link, and who may say it.
QUESTIONS = ("hello", "state", "rx.read", "records.read")
OF_ANYBODY = ("access.challenge", "access.log_on", "provision.load")
OF_BOTH = ("access.log_off", "therapy.pause", "therapy.stop", "clock.set")
OF_CLINICIANS = ("rx.load", "prime", "bolus.clinician", "reservoir.refill")
OF_SERVICE = ("document.begin", "document.put", "document.commit", "image.bootsel")

IMAGE = {"document": _vectors.image("therapy"), "signature": _vectors.THERAPY_SIGNATURE}
REFILL = {"fill_ul": 9_000, "returned_ul": None, "drug": "morphine", "concentration_ug_per_ml": 200}


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
    return rig.core.diary.next_sequence, rig.core.sequence, rig.core.state, rig.motor.granted, rig.core.needs_rx


# Lines


def test_an_answer_has_the_number_of_the_line_and_the_id_of_the_request():
    """COM-01."""
    rig = Rig()
    for number, id in ((1, 12), (2, "twelve"), (50, None)):
        request = {"jsonrpc": "2.0", "id": id, "method": "state"}
        heard, body = opened(rig.server.answer(line.seal(number, json.dumps(request).encode())))
        assert (heard, body["jsonrpc"], body["id"]) == (number, "2.0", id)
        assert body["result"]["state"] == "stopped"


def test_a_line_that_cannot_be_read_is_answered_as_number_0():
    """COM-01: the host cannot tell which it was; it waits, and asks again."""
    rig = Rig()
    for bad in (b"", b"\n", b"state", line.seal(3, b"{}")[:-3], line.seal(3, b"{}").replace(b"3", b"4")):
        number, body = opened(rig.server.answer(bad))
        assert (number, body["id"], body["error"]["code"]) == (0, None, -32700)
        assert body["error"]["data"]["code"] in ("line_truncated", "line_damaged")


def test_every_changed_byte_of_a_line_is_an_error():
    """COM-01, SEC-10: nothing of a line that is not whole reaches the pump; the whole one then does."""
    rig = Rig()
    rig.log_on("okafor")
    whole = rig.line(rig.request("therapy.stop", auth=rig.auth()))
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
    rig = Rig()
    rig.log_on("okafor")
    first = rig.line(rig.request("therapy.stop", auth=rig.auth()))
    second = rig.line(rig.request("therapy.pause", auth=rig.auth()))
    assert "result" in answer(rig, second)
    before = left_alone(rig)
    assert code_of(answer(rig, second)) == "line_replayed"
    assert code_of(answer(rig, first)) == "line_out_of_order"
    assert left_alone(rig) == before


def test_what_is_no_request():
    """SEC-10: whatever stands in a whole line, the answer is an error and nothing is raised or changed."""
    rig = Rig()
    rig.log_on("okafor")
    before = left_alone(rig)
    number = 100
    for body, code, word in (
        (b"", -32700, "line_json"), (b"{", -32700, "line_json"), (b"\xff\xfe", -32700, "line_json"),
        (b'{"method":"state"', -32700, "line_json"), (b"[" * 8, -32700, "line_json"),
        (b"[]", -32600, "request_form"), (b"1", -32600, "request_form"), (b'"state"', -32600, "request_form"),
        (b"null", -32600, "request_form"), (b"{}", -32600, "request_form"),
        (b'{"method":1,"id":%d}', -32600, "request_form"), (b'{"method":null,"id":%d}', -32600, "request_form"),
        (b'{"method":"state","id":true}', -32600, "request_form"),
        (b'{"method":"state","id":[1]}', -32600, "request_form"),
        (b'{"method":"state","id":1.5}', -32600, "request_form"),
        (b'{"method":"therapy.stop"}', -32600, "request_form"),
        (b'{"method":"state","params":[1],"id":%d}', -32602, "params"),
        (b'{"method":"state","params":"all","id":%d}', -32602, "params"),
        (b'{"method":"records.read","id":%d}', -32602, "params"),
        (b'{"method":"records.read","params":{"from":true,"max":1},"id":%d}', -32602, "params"),
        (b'{"method":"access.challenge","id":%d}', -32602, "params"),
        (b'{"method":"access.log_on","params":{"document":1,"signature":""},"id":%d}', -32602, "params"),
        (b'{"method":"dose.raise","id":%d}', -32601, "method_unknown"),
        (b'{"method":"__init__","id":%d}', -32601, "method_unknown"),
        (b'{"method":"","id":%d}', -32601, "method_unknown"),
    ):  # fmt: skip
        number += 1
        said = answer(rig, line.seal(number, body.replace(b"%d", b"%d" % number)))
        assert said["error"]["code"] == code and code_of(said) == word, body
    assert left_alone(rig) == before


def test_parameters_of_the_wrong_kind():
    """SEC-10: said by the right person, in a whole line."""
    rig = Rig()
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
    rig = Rig()
    rig.log_on("okafor")
    said = rig.tell("rx.load", {"document": _vectors.RX, "signatures": {}})["error"]
    assert (said["code"], said["data"]["code"], said["data"]["key"]) == (-32000, "rx_unsigned", "prescriber")
    assert said["message"].startswith("rx_unsigned: ")


def test_no_answer_is_longer_than_a_line():
    rig = Rig()
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
    rig = Rig()
    count = rig.core.diary.next_sequence
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


def test_what_no_request_has_is_refused_before_it_is_read():
    """SEC-10: nested, long numbers, long lists: of anybody, at once, and nothing is raised; nested ones raised once."""
    rig = Rig()
    before = left_alone(rig)
    for number, what in enumerate(MORE_THAN_THERE_IS, 1):
        said = answer(rig, line.seal(number, PRIME % (number, what)))
        assert (said["id"], said["error"]["code"], code_of(said)) == (None, -32600, "request_limits"), what[:20]
        assert len(said["error"]["message"]) < 150
    assert left_alone(rig) == before


def test_what_stands_in_texts_has_no_such_limits():
    """RX-01: a document is full of brackets, quotes and digits; a signature of digits."""
    rig = Rig()
    for text in ("[" * 5_000, "9" * 5_800, '"' * 2_900, "\\" * 2_900, '\\"' * 1_400, "{}[]" * 1_400):
        assert code_of(rig.ask("provision.load", {"block": text})) == "provisioning_done"
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)


def test_a_number_that_is_short_enough_to_be_read():
    """SEC-10: 200 digits are refused where they are looked at, and not repeated."""
    rig = Rig()
    rig.log_on("okafor")
    for method, params in (
        ("clock.set", {"utc_s": int("9" * 200)}),
        ("reservoir.refill", dict(REFILL, fill_ul=10**190)),
    ):
        said = rig.tell(method, params)
        assert "error" in said and len(said["error"]["message"]) < 200, method


def test_an_id_is_short():
    """SEC-10, COM-04: it is remembered."""
    rig = Rig()
    for id in (1, (1 << 30) - 1, "a", "~" * 32, "1 2"):
        assert rig.ask("state", id=id)["id"] == id
    for id in (0, -1, 1 << 30, 1 << 70, "", "x" * 33, "x" * 5_700, "\n", "\x7f", [1], {}, 1.5, True):
        said = rig.ask("state", id=id)
        assert said["id"] is None and code_of(said) in ("request_form", "request_limits"), id


def test_an_answer_repeats_little_of_what_was_sent():
    """SEC-10: neither of a method, nor of a parameter, nor of who is said to have signed."""
    long = "x" * 5_000
    rig = Rig()
    rig.log_on("lind")
    document = {"kind": "library", "length": 10, "sha256": "0" * 64, "signature": "0" * 768}
    lines = [
        rig.request(long),
        rig.request("document.begin", dict(document, kind=long), rig.auth()),
        rig.request("document.begin", dict(document, length=10**200), rig.auth()),
        rig.request("therapy.pause", {}, long),
        rig.request("therapy.pause", {}, long[:20] + ".1." + "0" * 64),
    ]
    for request in lines:
        said = rig.server.answer(rig.line(request))
        assert b"error" in said and len(said) < 600, said[:200]
    rig = Rig()
    rig.log_on("okafor")
    for params in ({"document": _vectors.RX, "signatures": {long: 1}}, dict(REFILL, drug=long)):
        said = rig.server.answer(rig.line(rig.request("rx.load" if "document" in params else "reservoir.refill",
                                                      params, rig.auth())))  # fmt: skip
        assert b"error" in said and len(said) < 600, said[:200]


def test_an_answer_that_would_be_longer_than_a_line_is_refused():
    """COM-01: the host would never hear it; it is told to ask for less."""
    rig = Rig()
    rig.server._methods.questions["state"] = lambda params: {"text": "x" * MAX_LINE}
    assert code_of(rig.ask("state")) == "memory"


# Who may say what


def test_these_are_all_the_methods_there_are():
    """SEC-02, SEC-07, LOG-13, H40: none raises a dose, none clears the log, none reads or writes memory."""
    methods = Rig().server._methods
    assert sorted(methods.questions) == sorted(QUESTIONS)
    roles = dict.fromkeys(OF_ANYBODY, ())
    roles.update(dict.fromkeys(OF_BOTH, (CLINICIAN, SERVICE)))
    roles.update(dict.fromkeys(OF_CLINICIANS, (CLINICIAN,)))
    roles.update(dict.fromkeys(OF_SERVICE, (SERVICE,)))
    assert {name: methods.commands[name][0] for name in methods.commands} == roles


def test_a_command_is_refused_to_whom_it_is_not_for():
    """SEC-02: before anything of it is looked at."""
    nobody, okafor, lind = Rig(), Rig(), Rig()
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


def test_questions_are_for_everybody_and_change_nothing():
    """SEC-02: the patient's role; the link is answered also where nobody has logged on."""
    rig = Rig()
    before = left_alone(rig)
    for name in QUESTIONS:
        said = rig.ask(name, {"from": 0, "max": 5})
        assert code_of(said) == ("rx_none_staged" if name == "rx.read" else None)
        assert not rig.server.changed
    assert left_alone(rig) == before


def test_a_command_is_recorded_with_its_person():
    """SEC-02: the pieces of a document are not, its beginning and its end are."""
    rig = Rig()
    rig.log_on("okafor")
    rig.tell("therapy.pause")
    names = rig.server._methods.names
    assert rig.noted("command") == [(names.index("therapy.pause"), 3, CLINICIAN, 0, 0, 0, 0)]
    assert names == tuple(sorted(OF_ANYBODY + OF_BOTH + OF_CLINICIANS + OF_SERVICE))
    rig = Rig()
    rig.log_on("lind")
    rig.send_document("library", _vectors.library(5, 500), _vectors.LIBRARY_5_SIGNATURE)
    told = [names[payload[0]] for payload in rig.noted("command")]
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
        "reservoir.refill": REFILL,
        "clock.set": {"utc_s": 1_800_000_000},
        "document.begin": {"kind": "library", "length": 10, "sha256": "", "signature": ""},
        "document.put": {"offset": 0, "data": "a"},
        "image.bootsel": IMAGE,
        "records.read": {"from": 0, "max": 1},
    }
    return rig.tell(method, params.get(method, {}))


def test_no_method_raises_a_dose():
    """SEC-07, H42: on a pump that is stopped, whatever is said, in whatever order, moves nothing."""
    for person, commands in (("okafor", OF_CLINICIANS), ("lind", OF_SERVICE)):
        rig = Rig()
        rig.log_on(person)
        for name in QUESTIONS + commands + OF_ANYBODY + OF_BOTH[1:] + commands:
            said_by(rig, name)
            rig.run(500)
            assert rig.motor.granted == 0 and rig.core.state == STOPPED and rig.core.rx is None, name
        assert (rig.pump.intake.staged is not None) == (person == "okafor")
        assert rig.pump.wants_boot_loader == (person == "lind")


def test_no_method_raises_the_dose_of_a_therapy_that_runs():
    """SEC-07, H42: each with the best there is to say; basal goes on as it was, or is stopped."""
    for name in QUESTIONS + OF_ANYBODY + OF_BOTH + OF_CLINICIANS:
        rig = Rig()
        rig.infuse()
        said_by(rig, name)
        before = rig.motor.granted
        rig.run(36_000)
        given = rig.motor.granted - before
        assert given <= 12, name  # 41.7 uL/h: a microstep every 3.6 s, and a grant of 10 s ahead
        assert rig.core.ledger.usteps[1:] == [0, 0, 0, 0, 0], name
        assert rig.core.rx.hash8 == "93b3842d" and rig.core.flow_nl_per_h in (41_666, 0)
        assert (given > 8) == (name not in ("therapy.pause", "therapy.stop")), name


def test_a_prescription_is_only_staged():
    """SEC-07, RX-01: a finger on START for 2 s makes it the one in force; a short press does not."""
    rig = Rig()
    rig.log_on("okafor")
    said = rig.tell("rx.load", SIGNED_RX)["result"]
    assert said["values"]["basal_ug_per_day"] == 200 and said["hash"] == rig.ask("rx.read")["result"]["hash"]
    assert rig.ask("state")["result"]["staged"] == said["hash"]
    rig.start()
    assert rig.core.rx is None
    rig.hold_start()
    assert rig.core.rx.hash8 == said["hash"]
    assert rig.core.state == STOPPED and rig.motor.granted == 0
    assert rig.noted("rx_signed") == [(7, 1, 2, 0, 3, 0, 0)]


def test_a_prescription_that_waits_leaves_the_one_in_force_as_it_is():
    """SEC-07, H42: what infuses goes on as before, bolus and limits too."""
    rig = Rig()
    rig.infuse()
    before = (rig.core.rx, rig.core.flow_nl_per_h, rig.core.sequence)
    high = {
        "document": _vectors.HIGH_RX,
        "signatures": {
            "prescriber": {"by": "rossi", "signature": _vectors.HIGH_RX_SIGNATURE},
            "second": {"by": "weber", "signature": _vectors.HIGH_RX_SECOND},
        },
        "override": {"document": _vectors.OVERRIDE, "by": "weber", "signature": _vectors.OVERRIDE_SIGNATURE},
    }
    assert code_of(rig.tell("rx.load", high)) == "rx_sequence"
    rig.run(10_000)
    assert (rig.core.rx, rig.core.flow_nl_per_h, rig.core.sequence) == before
    assert rig.core.state == INFUSING


def test_an_order_is_only_staged():
    """SEC-07, DEL-14, H42: a short press of START gives it, once; nothing else does, and it waits for a minute."""
    rig = Rig()
    rig.infuse()
    said = rig.tell("bolus.clinician", SIGNED_ORDER)["result"]
    assert said == {"staged": True, "reason": None}
    rig.run(30_000)
    assert rig.core.state == INFUSING and rig.noted("bolus_start") == []
    rig.start()
    assert rig.core.clinician.active and len(rig.noted("bolus_start")) == 1
    rig = Rig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.run(61_000)
    rig.start()
    assert rig.noted("bolus_start") == [] and rig.core.state == INFUSING


def test_an_order_that_could_not_be_given_is_not_staged():
    """DEL-14: the reason is said at once."""
    rig = Rig()
    rig.prescribe()
    said = rig.tell("bolus.clinician", SIGNED_ORDER)["result"]
    assert said == {"staged": False, "reason": "not_infusing"}
    rig.core.primed = True
    rig.start()
    assert rig.core.state == INFUSING
    rig.start()
    assert rig.noted("bolus_start") == []


def test_a_stop_forgets_the_order():
    """SEC-07, DEL-14: START after a stop begins basal and nothing else."""
    rig = Rig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.stop()
    rig.start()
    rig.start()
    assert rig.core.state == INFUSING and rig.noted("bolus_start") == []


def test_priming_is_only_armed():
    """SEC-07, DEL-31, H13: START begins it."""
    rig = Rig()
    rig.prescribe()
    assert rig.tell("prime", {"disconnected": True})["result"]["nl"] >= 300_000
    rig.run(5_000)
    assert rig.core.state == STOPPED and rig.motor.granted == 0
    rig.start()
    assert rig.core.state == PRIMING


def test_priming_wants_the_patient_disconnected():
    """DEL-31, H13: said by the clinician, in this word, or nothing is armed."""
    rig = Rig()
    rig.prescribe()
    for said in ({}, {"disconnected": False}, {"disconnected": 1}, {"disconnected": "true"}):
        assert code_of(rig.tell("prime", said)) == "prime_connected"
    rig.start()
    assert rig.core.state == STOPPED and rig.motor.granted == 0


def test_pause_and_stop_lower_a_dose_and_both_roles_may():
    """SEC-02: pausing is what the stop key does; what was stopped wants a new prescription."""
    rig = Rig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    rig.log_on("lind", of_service)
    assert rig.tell("therapy.pause")["result"] == {"state": "stopped"}
    assert not rig.core.needs_rx
    rig.start()
    assert rig.core.state == INFUSING
    assert rig.tell("therapy.stop")["result"] == {"state": "stopped"}
    rig.start()
    assert rig.core.state == STOPPED and rig.core.needs_rx


# What is told


def test_hello():
    """COM-01."""
    told = Rig().ask("hello")["result"]
    for key in ABOUT:
        assert told[key] == ABOUT[key]
    assert (told["serial"], told["bench"], told["people"], told["session"]) == ("CB-0001", True, 3, None)
    assert (told["self_test"], told["boot"], told["mono_s"], told["mono_ms"]) == ("passed", 1, 1_000, 0)
    told = Rig(None, people=None).ask("hello")["result"]
    assert (told["serial"], told["bench"], told["people"], told["authority"]) == (None, False, None, None)


def test_hello_knows_whose_the_pump_is_also_after_that_has_changed():
    """COM-01, SEC-06: the fingerprint is made once for each owner."""
    rig = Rig(None, people=None)
    assert rig.ask("hello")["result"]["authority"] is None
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    first = rig.ask("hello")["result"]
    assert first["authority"] == sha256_hex(_vectors.AUTHORITY.encode())[:16] and first["serial"] == "CB-0001"
    assert rig.ask("hello")["result"]["authority"] == first["authority"]


# Anything at all


NASTY = (
    None, True, False, 0, -1, 1.5, 10**12, 1 << 70, "", "x", "\x00", "\xb2", "\u20ac", "9" * 300, [], [[]], {},
    {"by": {}}, {"document": ""},
)  # fmt: skip
PARAMS = {
    "access.challenge": {"person": "okafor"},
    "access.log_on": {"document": _vectors.log_on("0" * 32, "okafor", "clinician", "a"), "signature": "0" * 768},
    "provision.load": {"block": block_text()},
    "records.read": {"from": 0, "max": 1},
    "rx.load": SIGNED_RX,
    "prime": {"disconnected": False},
    "bolus.clinician": SIGNED_ORDER,
    "reservoir.refill": REFILL,
    "clock.set": {"utc_s": 1_800_000_000},
    "document.begin": {"kind": "library", "length": 10, "sha256": "0" * 64, "signature": "0" * 768},
    "document.put": {"offset": 0, "data": "a"},
    "image.bootsel": IMAGE,
}


def test_whatever_stands_in_a_request_it_is_answered():
    """SEC-10: each parameter of each method is each of these once, said by the right person; nothing moves by it."""
    for person, names in (("okafor", OF_ANYBODY + OF_CLINICIANS + OF_BOTH), ("lind", OF_SERVICE), (None, QUESTIONS)):
        rig = Rig()
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
                        rig = Rig()
                        rig.log_on(person)
                    assert rig.core.rx is None and rig.motor.granted == 0


def test_whatever_is_shown_for_a_role_or_as_an_id_it_is_answered():
    """SEC-10."""
    rig = Rig()
    rig.log_on("okafor")
    before = left_alone(rig)
    for value in NASTY:
        assert "error" in rig.ask("therapy.stop", auth=value)
        request = rig.request("therapy.stop", auth="a.1.b")
        request["id"] = value
        assert "error" in rig.send(request)
        request = rig.request("state")
        request["method"] = value
        assert "error" in rig.send(request)
    assert left_alone(rig) == before
