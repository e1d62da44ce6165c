"""A command that is sent again, because its answer was lost, is answered again and not done again (COM-04)."""

import json

from pump.documents.signature import sha256_hex
from pump.link import framing
from pump.link.protocol import NO_MEMORY
from pump.link.request import Request
from support.portable import signed_vectors
from support.portable.pump_rig import CLOCK, SIGNED_ORDER, SIGNED_RX, PumpRig, code_of


def test_the_same_id_again_is_the_same_answer_and_nothing_is_done():
    """COM-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("clock.set", CLOCK, id=40)
    again = rig.tell("clock.set", CLOCK, id=40)
    assert first == again and first["result"] == CLOCK
    assert len(rig.noted("time_set")) == len(rig.noted("command")) == 1
    rig.tell("clock.set", CLOCK, id=41)
    assert len(rig.noted("time_set")) == 2


def test_a_refusal_is_given_again_too():
    """COM-04: what was refused stays refused under its id, though it might be taken by now."""
    rig = PumpRig()
    rig.log_on("okafor")
    refused = rig.tell("prime", {"disconnected": True}, id=40)
    assert code_of(refused) == "prime_no_prescription"
    rig.prescribe()
    assert rig.tell("prime", {"disconnected": True}, id=40) == refused
    assert "result" in rig.tell("prime", {"disconnected": True}, id=41)


def test_an_answer_says_the_number_of_the_line_it_answers():
    """COM-01: the same answer, under the new line's number."""
    rig = PumpRig()
    rig.log_on("okafor")
    for _ in range(2):
        asked = rig.line(rig.request("clock.set", CLOCK, auth=rig.auth(), id=40))
        assert framing.unseal(rig.server.answer(asked))[0] == framing.unseal(asked)[0]


def test_an_id_is_of_one_command():
    """COM-04: with another method or other parameters it is refused, and what was first is still there."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("clock.set", CLOCK, id=40)
    for method, params in (("therapy.pause", {}), ("therapy.stop", {"why": 1}), ("clock.set", {"utc_s": 1})):
        said = rig.tell(method, params, id=40)
        assert code_of(said) == "id_reused" and said["error"]["code"] == -32600
    assert rig.tell("clock.set", CLOCK, id=40) == first
    assert len(rig.noted("command")) == 1


def test_a_reused_id_takes_no_place_among_the_kept_answers():
    """COM-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("clock.set", CLOCK, id=40)
    for _ in range(10):
        assert code_of(rig.tell("therapy.pause", id=40)) == "id_reused"
    assert rig.tell("clock.set", CLOCK, id=40) == first
    assert len(rig.noted("time_set")) == 1


def test_a_text_is_an_id_and_not_the_number_it_looks_like():
    """COM-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    for id in (40, "40", "a"):
        assert rig.tell("clock.set", CLOCK, id=id)["id"] == id
        rig.tell("clock.set", CLOCK, id=id)
    assert len(rig.noted("time_set")) == 3


def test_the_last_four_answers_are_kept():
    """COM-04: a host that waits for each answer before the next command needs one."""
    rig = PumpRig()
    rig.log_on("okafor")
    for id in (41, 42, 43, 44):
        rig.tell("clock.set", CLOCK, id=id)
    for id in (44, 43, 42, 41):
        assert "result" in rig.tell("clock.set", CLOCK, id=id)
    assert len(rig.noted("time_set")) == 4


def test_an_older_command_is_not_done_again_either():
    """COM-04: its answer is forgotten, that it was done is not; the host asks for the state."""
    rig = PumpRig()
    rig.log_on("okafor")
    for id in range(41, 41 + 30):
        rig.tell("clock.set", CLOCK, id=id)
    for id in range(41, 41 + 26):
        assert code_of(rig.tell("clock.set", CLOCK, id=id)) == "id_done", id
    assert len(rig.noted("time_set")) == 30


def test_a_new_connection_starts_with_no_kept_answers():
    """COM-04: without a log-on, ids are of a connection: another host is not given the answers of the first."""
    rig = PumpRig()
    first = rig.ask("access.challenge", {"person": "okafor"}, id=40)
    assert rig.ask("access.challenge", {"person": "okafor"}, id=40) == first
    rig.reconnect()
    assert rig.ask("access.challenge", {"person": "okafor"}, id=40) != first


def test_the_answers_of_a_session_outlive_a_connection():
    """COM-04: a command is executed once, also if another host begins a connection before it is repeated."""
    rig = PumpRig()
    rig.infuse()
    first = rig.tell("therapy.pause", id=40)
    rig.start()
    rig.reconnect()
    rig.ask("hello")
    assert rig.tell("therapy.pause", id=40) == first
    assert rig.therapy.infusing() and len(rig.noted("time_set")) == 0
    assert code_of(rig.tell("clock.set", CLOCK, id=40)) == "id_reused"


def test_other_hosts_displace_no_answer_of_a_session():
    """COM-04, SEC-08: neither by their own commands, nor with the name of the session and a wrong token."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("clock.set", CLOCK, id=40)
    for id in range(1_000, 1_040):
        rig.ask("access.challenge", {"person": "okafor"}, id=id)
        rig.ask("therapy.pause", auth="%s.9.%s" % (rig.session, "0" * 64), id=id + 1_000)
        rig.ask("therapy.pause", auth="%s.9.%s" % (rig.session, "0" * 64), id=41)
    assert rig.tell("clock.set", CLOCK, id=40) == first
    assert len(rig.noted("time_set")) == 1
    assert "result" in rig.tell("clock.set", CLOCK, id=41)


def test_another_session_is_given_no_answers_of_the_first():
    """COM-04: the commands of a host with the same ids are executed, not answered with earlier answers."""
    rig = PumpRig()
    rig.log_on("okafor")
    of_service = rig.log_on_params("lind")
    rig.infuse()
    assert rig.tell("therapy.pause", id=40)["result"] == {"state": "stopped"}
    rig.start()
    rig.log_on("lind", of_service)
    assert rig.therapy.infusing()
    assert rig.tell("therapy.pause", id=40)["result"] == {"state": "stopped"} and not rig.therapy.infusing()
    for _ in range(2):
        rig.start()
        assert rig.therapy.infusing()
        rig.reconnect()
        assert rig.ask("therapy.pause", id=40)["result"] == {"state": "stopped"} and not rig.therapy.infusing()


def test_a_pause_is_done_once_for_its_id():
    """COM-04: with a session and without; also if the session ended before the repeat."""
    for person in (True, False):
        rig = PumpRig()
        rig.infuse()
        told = rig.tell if person else rig.ask
        first = told("therapy.pause", id=40)
        rig.start()
        assert told("therapy.pause", id=40) == first and rig.therapy.infusing()
        if person:
            rig.tell("access.log_off")
            assert told("therapy.pause", id=40) == first and rig.therapy.infusing()
        assert "result" in told("therapy.pause", id=41) and not rig.therapy.infusing()


def test_questions_are_answered_afresh():
    """COM-04: they change nothing, so the newest answer is the right one; nor do they use up ids."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.ask("state", id=40)["result"]
    rig.at(1_005)
    assert rig.ask("state", id=40)["result"]["mono_s"] == first["mono_s"] + 5
    assert rig.ask("hello", id=40)["result"]["mono_s"] == 1_005
    assert "result" in rig.tell("clock.set", CLOCK, id=40)


def test_a_refused_access_is_no_answer_to_a_command():
    """COM-04, SEC-01: a forged line with the id that comes next does not block it."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert code_of(rig.ask("clock.set", CLOCK, id=40)) == "session_none"
    forged = "%s.1.%s" % (rig.session, "0" * 64)
    assert code_of(rig.ask("clock.set", CLOCK, auth=forged, id=40)) == "session_token"
    assert rig.tell("clock.set", CLOCK, id=40)["result"] == CLOCK


def test_a_repeated_command_carries_and_uses_up_a_token():
    """COM-04, SEC-01, SEC-08: so an eavesdropper cannot use that token for another command."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("clock.set", CLOCK, id=40)
    assert code_of(rig.ask("clock.set", CLOCK, auth=None, id=40)) == "session_none"
    assert code_of(rig.ask("clock.set", CLOCK, auth="%s.2.%s" % (rig.session, "0" * 64), id=40)) == "session_token"
    auth = rig.auth()
    assert rig.ask("clock.set", CLOCK, auth=auth, id=40) == first
    assert code_of(rig.ask("clock.set", {"utc_s": 1}, auth=auth, id=41)) == "session_replayed"
    assert len(rig.noted("time_set")) == len(rig.noted("command")) == 1


# Commands that end their own session


def test_a_log_off_whose_answer_was_lost():
    """COM-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = rig.tell("access.log_off", id=40)
    assert rig.tell("access.log_off", id=40) == first == {"jsonrpc": "2.0", "id": 40, "result": {}}
    assert code_of(rig.tell("access.log_off", id=41)) == "session_expired"


def send_people(rig, told, number):
    """New people but for the commit."""
    text = signed_vectors.people(number)
    signature = {3: signed_vectors.PEOPLE_3_SIGNATURE, 4: signed_vectors.PEOPLE_4_SIGNATURE}[number]
    begin = {"kind": "people", "length": len(text), "sha256": sha256_hex(text.encode()), "signature": signature}
    assert told("document.begin", begin)["result"] == {}
    for offset in range(0, len(text), 2_048):
        assert "result" in told("document.put", {"offset": offset, "data": text[offset : offset + 2_048]})


def test_new_people_whose_answer_was_lost():
    """COM-04: they ended the session; who sent them still hears that they are in."""
    rig = PumpRig()
    rig.log_on("lind")
    send_people(rig, rig.tell, 4)
    first = rig.tell("document.commit", id=40)
    assert first["result"] == {"kind": "people", "number": 4}
    assert rig.tell("document.commit", id=40) == first
    assert len(rig.noted("document")) == 1
    assert code_of(rig.tell("document.commit", id=41)) == "session_expired"


def test_the_first_people_whose_answer_was_lost():
    """COM-04: the first time no log-on was needed; the second time it would be."""
    rig = PumpRig(people=None)
    send_people(rig, rig.ask, 3)
    first = rig.ask("document.commit", id=40)
    assert first["result"] == {"kind": "people", "number": 3}
    assert rig.ask("document.commit", id=40) == first
    assert code_of(rig.ask("document.commit", id=41)) == "session_none"


# What is remembered


def test_fewer_long_answers_are_kept():
    """COM-04, SEC-10: all that is kept has 4 kB; the newest that fits in is always there."""
    rig = PumpRig()
    rig.server._methods.commands["access.challenge"] = ((), lambda params: {"challenge": "x" * params["size"]})
    for size, kept in ((100, 4), (1_300, 3), (3_000, 1), (5_000, 0)):
        rig.reconnect()
        said = [rig.ask("access.challenge", {"size": size}, id=id) for id in range(41, 51)]
        again = [rig.ask("access.challenge", {"size": size}, id=id) for id in range(41, 51)]
        assert [code_of(one) for one in again] == ["id_done"] * (10 - kept) + [None] * kept, size
        assert again[10 - kept :] == said[10 - kept :]


def test_the_answer_to_a_prescription_is_kept():
    """COM-04: also to the longest there is."""
    rig = PumpRig()
    rig.log_on("okafor")
    said = rig.server.answer(rig.line(rig.request("rx.load", SIGNED_RX, rig.auth(), 40)))
    assert 500 < len(said) < 1_500
    again = rig.server.answer(rig.line(rig.request("rx.load", SIGNED_RX, rig.auth(), 40)))
    assert framing.unseal(again)[1] == framing.unseal(said)[1]


def test_requests_leave_no_memory_in_use():
    """SEC-10: 11 lines like these once took all of it."""
    rig = PumpRig()
    for id in range(1, 33):
        rig.ask("access.challenge", {"person": 1}, id="%032d" % id)
    held = sizes_of(rig)
    for id in range(1_000, 1_040):
        rig.ask("access.challenge", {"person": "x" * 5_600}, id="%032d" % id)
        rig.ask("document.begin", {"kind": "x" * 5_600}, id="%032d" % id)
        rig.ask("access.challenge", {"person": 1}, id="x" * 5_600)
    assert held < 4_000 and sizes_of(rig) < 4_000


def sizes_of(rig):
    """Bytes of the ids and answers that are remembered."""
    replies = rig.server._connection_replies
    return sum(len(kept or b"") for kept in replies._ids + replies._replies)


def test_the_same_request_is_known_by_its_bytes():
    """COM-04: all but the auth, which comes last; with it or without."""
    body = b'{"jsonrpc":"2.0","id":40,"method":"therapy.stop","params":{}'
    digests = [Request(body + rest).digest() for rest in (b"}", b',"auth":"a.1.b"}', b', "auth": "c.22.d"}')]
    assert digests[0] == digests[1] == digests[2]
    assert Request(body[:-1] + b'"auth":1}}').digest() != digests[0]
    inside = b'{"jsonrpc":"2.0","id":40,"method":"auth","params":{"auth":"auth","x":"\\"auth\\":\\"a.1.b\\"}"}'
    assert Request(inside + b"}").digest() == Request(inside + b',"auth":"a.1.b"}').digest()


def test_the_auth_is_the_last_member():
    """COM-04, SEC-08: elsewhere it is no request, and nothing is done."""
    rig = PumpRig()
    rig.log_on("okafor")
    auth = rig.auth().encode()
    for body in (
        b'{"jsonrpc":"2.0","auth":"%s","id":90,"method":"clock.set","params":{"utc_s":1800000000}}',
        b'{"jsonrpc":"2.0","id":90,"method":"therapy.stop","auth":"%s","params":{}}',
        b'{"jsonrpc":"2.0","id":90,"auth":"%s","method":"therapy.stop"}',
        b'{"jsonrpc":"2.0","id":90,"method":"therapy.stop","auth":"%s","x":{"auth":"%s"}}',
        b'{"jsonrpc":"2.0","id":90,"method":"therapy.stop","auth":["%s"]}',
        b'{"jsonrpc":"2.0","id":90,"method":"therapy.stop","auth":1}',
    ):
        rig._number += 1
        said = rig.server.answer(framing.seal(rig._number, body.replace(b"%s", auth)))
        assert code_of(json.loads(framing.unseal(said)[1])) == "request_form", body
    assert rig.noted("command") == []
    rig._number += 1
    good = b'{"jsonrpc":"2.0","id":90,"method":"clock.set","params":{"utc_s":1800000000},"auth":"%s"}'
    assert b"result" in rig.server.answer(framing.seal(rig._number, good.replace(b"%s", auth)))


# Work in pieces


def pieces_of(rig, request):
    """(answer, pieces): the pump turns to its motor between two of them."""
    said = rig.server.begin(rig.line(request))
    pieces = 0
    while said is None:
        assert rig.server.busy
        pieces += 1
        rig.therapy.clock.advance(20)
        rig.pump.step()
        said = rig.server.go_on()
    assert not rig.server.busy
    return json.loads(framing.unseal(said)[1]), pieces


def test_a_long_command_is_answered_when_it_is_done():
    """COM-04: two signatures are 34 pieces; sent again it is one answer, at once."""
    rig = PumpRig()
    rig.log_on("okafor")
    first, pieces = pieces_of(rig, rig.request("rx.load", SIGNED_RX, rig.auth(), 40))
    assert first["result"]["hash"] == rig.pump.prescription_change.staged.hash8 and pieces >= 34
    again, pieces = pieces_of(rig, rig.request("rx.load", SIGNED_RX, rig.auth(), 40))
    assert again == first and pieces == 0
    assert len(rig.noted("rx_load")) == 1


def test_nothing_changes_before_the_last_piece():
    """RX-03: a prescription is staged whole or not at all."""
    rig = PumpRig()
    rig.log_on("okafor")
    said = rig.server.begin(rig.line(rig.request("rx.load", SIGNED_RX, rig.auth())))
    while said is None:
        assert rig.pump.prescription_change.staged is None and rig.noted("rx_load") == []
        said = rig.server.go_on()
    assert rig.pump.prescription_change.staged is not None


def test_a_refusal_in_the_last_piece():
    """COM-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    damaged = dict(SIGNED_RX)
    damaged["document"] = signed_vectors.RX.replace('"bolus_ug":20', '"bolus_ug":21')
    first, pieces = pieces_of(rig, rig.request("rx.load", damaged, rig.auth(), 40))
    assert code_of(first) == "rx_signature" and pieces >= 17
    assert pieces_of(rig, rig.request("rx.load", damaged, rig.auth(), 40)) == (first, 0)
    assert len(rig.noted("rx_refused")) == 1


def test_a_clinicians_bolus_is_staged_once():
    """COM-04, DEL-14: sent again it is no second one, and given it is not given again."""
    rig = PumpRig()
    rig.infuse()
    first = rig.tell("bolus.clinician", SIGNED_ORDER, id=40)
    assert first["result"]["staged"] is True
    assert rig.tell("bolus.clinician", SIGNED_ORDER, id=40) == first
    rig.start()
    assert len(rig.noted("bolus_start")) == 1
    assert rig.tell("bolus.clinician", SIGNED_ORDER, id=40) == first
    assert rig.pump.clinician_actions.staged_order is None
    rig.start()
    assert len(rig.noted("bolus_start")) == 1
    assert code_of(rig.tell("bolus.clinician", SIGNED_ORDER, id=41)) == "order_sequence"


def test_a_repeated_piece_of_a_document_is_answered_again():
    """COM-04: it stands in the document once."""
    rig = PumpRig()
    rig.log_on("lind")
    text = signed_vectors.library(5, 500)
    begin = {"kind": "library", "length": len(text), "sha256": "0" * 64, "signature": "0" * 768}
    rig.tell("document.begin", begin)
    piece = {"offset": 0, "data": text[:100]}
    for _ in range(2):
        assert rig.tell("document.put", piece, id=40)["result"] == {"filled": 100}
    assert code_of(rig.tell("document.put", piece, id=41)) == "document_offset"
    assert rig.tell("document.put", {"offset": 100, "data": text[100:200]}, id=42)["result"] == {"filled": 200}


# What goes wrong inside


def no_memory(*args):
    raise MemoryError


def no_memory_later(params):
    yield
    raise MemoryError


def test_no_memory_is_a_refusal():
    """SEC-10: of a question, of a command, and of work that has begun; the pump continues."""
    rig = PumpRig()
    rig.log_on("okafor")
    methods = rig.server._methods
    methods.questions["state"] = no_memory
    assert code_of(rig.ask("state")) == "memory"
    for id, method in ((40, no_memory), (50, no_memory_later)):
        methods.commands["clock.set"] = (methods.commands["clock.set"][0], method)
        said = rig.tell("clock.set", {"utc_s": 1_700_000_000}, id=id)
        assert code_of(said) == "memory" and not rig.server.busy
        assert rig.tell("clock.set", {"utc_s": 1_700_000_000}, id=id) == said
        assert "result" in rig.tell("therapy.pause", id=id + 1)


def test_no_memory_anywhere():
    """SEC-10, COM-04: wherever it ends, there is an answer, nothing is raised, and no command is done twice."""
    rig = PumpRig()
    rig.log_on("okafor")
    server, access = rig.server, rig.access
    for holder, name in (
        (server._order, "take"), (server._session_replies, "find"), (server._session_replies, "begin"),
        (access, "check"),
        (server, "_dispatch"), (rig.therapy.event_log, "note"), (server, "_refuse"),
    ):  # fmt: skip
        setattr(holder, name, no_memory)
        said = rig.server.answer(rig.line(rig.request("clock.set", {"utc_s": 1}, rig.auth())))
        delattr(holder, name)
        assert b'"code": "memory"' in said and not server.busy, name
    assert "result" in rig.tell("therapy.pause")


def test_no_memory_for_an_answer():
    """SEC-10, COM-04: what was done stays done; the host is told so when it asks again, and is answered with a text
    that was made before."""
    rig = PumpRig()
    rig.log_on("okafor")
    for method, params in (("clock.set", CLOCK), ("rx.load", SIGNED_RX)):
        rig.server._sealed = no_memory
        said = rig.server.answer(rig.line(rig.request(method, params, rig.auth(), 40)))
        assert said == NO_MEMORY and not rig.server.busy
        del rig.server._sealed
        assert code_of(rig.tell(method, params, id=40)) == "id_done"
        rig.server._session_replies.forget()
    assert len(rig.noted("time_set")) == 1 and rig.pump.prescription_change.staged is not None


def test_no_memory_for_an_answer_until_garbage_is_collected():
    """SEC-10, COM-04: the answer is then that of what was done, not a refusal."""
    rig = PumpRig()
    rig.log_on("okafor")
    sealed, tries = rig.server._sealed, []

    def second_time(reply):
        tries.append(reply)
        return sealed(reply) if len(tries) == 2 else no_memory()

    rig.server._sealed = second_time
    assert rig.tell("clock.set", CLOCK, id=40)["result"] == CLOCK
    assert len(tries) == 2


def test_a_command_has_an_id():
    """COM-04: without one it could not be distinguished from the next of its kind."""
    rig = PumpRig()
    rig.log_on("okafor")
    request = rig.request("clock.set", CLOCK, auth=rig.auth())
    request["id"] = None
    assert code_of(rig.send(request)) == "request_form"
    request.pop("id")
    assert code_of(rig.send(request)) == "request_form"
    assert rig.noted("command") == []
