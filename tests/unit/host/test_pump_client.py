"""`PumpClient` on simulated firmware, over a line that loses, damages, delays and doubles what it carries."""

import pytest
from cisterna.bench.target_transport import TargetTransport
from cisterna.bench.unix_target import UnixTarget
from cisterna.errors import CisternaError, LinkError, LinkSilent, PumpRefused
from cisterna.link import workflows
from cisterna.link.protocol import frame, unframe
from cisterna.link.pump_client import LinkUncertain, PumpClient
from cisterna.link.records import Chain
from cisterna.pharmacy import documents, keys, provision, sign
from support.simulated import reading_hand

SERIAL = "CB-0007"


class BadLine(TargetTransport):
    """lose_sent, lose_heard: how many lines are lost from now on."""

    def __init__(self, target):
        super().__init__(target)
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self.lose_sent = self.lose_heard = 0
        self.damage = None  # of the next answer
        self.first: list[bytes] = []  # received before anything else

    def _next(self, line, timeout_s):
        if line.strip():
            self.sent.append(line)
            if self.lose_sent:
                self.lose_sent -= 1
                line = b""
        if self.first:
            self.target.send(line)
            return self.first.pop(0)
        answer = super()._next(line, timeout_s)
        self.heard.append(answer)
        if self.lose_heard:
            self.lose_heard -= 1
            return super()._next(b"", timeout_s)
        if self.damage:
            answer, self.damage = self.damage(answer), None
        return answer


@pytest.fixture
def target():
    target = UnixTarget()
    target.start({"seed": 1, **provision.bench_target_config(SERIAL, keys.bench_keys())})
    target.run_until(5_000)
    yield target
    target.close()


@pytest.fixture
def line(target):
    return BadLine(target)


@pytest.fixture
def pump(line):
    pump = PumpClient(line)
    pump.connect()
    return pump


@pytest.fixture
def clinician(pump):
    pump.log_on("clinician", keys.bench_keys().clinician, "clinician")
    return pump


def commands_of(pump: PumpClient) -> int:
    """How many commands the pump has noted."""
    chain = Chain()
    for _, data in pump.records():
        chain.add(data)
    assert chain.verified
    return sum(record.name == "command" for record in chain.records)


# --- lines that get lost


@pytest.mark.parametrize("harm", ["lose_sent", "lose_heard"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_question_is_asked_again(pump, line, harm, times):
    setattr(line, harm, times)
    assert pump.ask("state")["state"] == "stopped"


def test_an_unanswered_question_times_out(pump, line):
    line.lose_sent = 99
    with pytest.raises(LinkSilent, match="no answer within"):
        pump.ask("state")
    assert len(line.sent) == 1 + 3


@pytest.mark.parametrize("harm", ["lose_sent", "lose_heard"])
def test_a_command_is_done_once_however_often_it_is_sent(clinician, line, harm):
    """COM-01: the same id, a new line number, a new token; the pump notes one command."""
    before = commands_of(clinician)
    line.sent.clear()
    setattr(line, harm, 1)
    assert clinician.command("therapy.pause") == {"state": "stopped"}
    lines = [unframe(sent) for sent in line.sent]
    sent = [(number, message) for number, message in lines if message["method"] == "therapy.pause"]
    assert len(sent) == 2 and sent[0][0] < sent[1][0] and sent[0][1]["id"] == sent[1][1]["id"]
    assert sent[0][1]["auth"] != sent[1][1]["auth"]
    assert commands_of(clinician) == before + 1


def test_a_command_is_not_repeated_to_a_restarted_pump(clinician, line, target):
    """A lost answer is resolved by asking for the state, never by doing it twice."""
    take, line.lose_sent = line._next, 1

    def cut_and_wait(asked, timeout_s):
        if b"clock.set" in asked:
            target.act("power", off_for_s=0.2)
        return take(asked, timeout_s)

    line._next = cut_and_wait
    with pytest.raises(LinkUncertain, match="restarted meanwhile; now: stopped, booked 0.000 uL") as caught:
        clinician.command("clock.set", {"utc_s": 1_800_000_000})
    assert caught.value.state["boot"] == 2 and caught.value.exit_status == 70
    assert sum(b"clock.set" in sent for sent in line.sent) == 1


def test_a_pump_that_falls_silent_in_a_command(clinician, line):
    line.lose_sent = 99
    with pytest.raises(LinkUncertain, match="it may or may not have been done: .*look at the pump itself"):
        clinician.command("therapy.pause")
    assert sum(b"therapy.pause" in sent for sent in line.sent) == 1


# --- answers that are not the right ones


def test_late_answers_are_skipped(pump, line):
    pump.ask("records.read", {"from": 0, "max": 1})
    line.first = [line.heard[-1], line.heard[0]]
    assert pump.ask("state")["state"] == "stopped"


@pytest.mark.parametrize("damage", [lambda heard: heard[:-3], lambda heard: b"\xff" + heard, lambda heard: b"\n"])
def test_a_damaged_answer_is_ignored(pump, line, damage):
    line.damage = damage
    assert pump.ask("state")["state"] == "stopped"


def test_a_line_reported_damaged_is_sent_again_at_once(pump, line):
    """COM-01: the pump says so, under number 0."""
    began_s = line.now_s()
    take = line._next

    def harm(asked, timeout_s):
        line._next = take
        return take(asked.replace(b"state", b"stale"), timeout_s)

    line._next = harm
    assert pump.ask("state")["state"] == "stopped"
    assert line.now_s() - began_s < 0.5


def test_a_program_with_higher_line_numbers_delays_no_request(clinician, target, line):
    """COM-01: the pump refuses the next line for its number; it is sent again, with number 1 and under its id."""
    hello = {"jsonrpc": "2.0", "id": 1, "method": "hello"}
    began_s = line.now_s()
    for ask, expected in (
        (lambda: clinician.ask("state")["state"], "stopped"),
        (lambda: clinician.command("clock.set", {"utc_s": 1_800_000_000})["utc_s"], 1_800_000_000),
    ):
        number = unframe(line.sent[-1])[0]
        for ahead in (30, 60, 90):
            target.exchange(frame(number + ahead, hello))
        line.sent.clear()
        assert ask() == expected
        assert [unframe(sent)[0] for sent in line.sent][:2] == [number + 1, 1]
    assert line.now_s() - began_s < 2
    assert clinician.ask("hello")["session"] == {"person": "clinician", "role": "clinician"}


def test_a_pause_needs_no_log_on(pump):
    """SEC-02: the therapy can be reduced, but not ended."""
    assert workflows.pause(pump) == "stopped"
    with pytest.raises(PumpRefused, match="session_none"):
        pump.command("therapy.stop", {"document": "{}", "by": "clinician", "signature": ""})
    with pytest.raises(CisternaError, match="has no therapy to end; to stop the motor: `cisterna pause`"):
        workflows.stop(pump, "clinician", keys.bench_keys().clinician)


def test_lines_of_another_host_leave_the_session_and_its_numbers(clinician, target, line):
    """SEC-04, COM-01: `1 hello` ends no session; a number far ahead, a long line and blanks delay no other line."""
    hello = {"jsonrpc": "2.0", "id": 1, "method": "hello"}
    for other in (frame(1, hello), frame(999_999_999, hello), b"x" * 7_000 + b"\n", b" " * 5_999 + b"\n"):
        target.exchange(other)
        line.sent.clear()
        clinician.command("clock.set", {"utc_s": 1_800_000_000})
        assert len(line.sent) == 1
    assert clinician.command("therapy.pause") == {"state": "stopped"}


def test_a_leftover_partial_line_is_ended(target, line):
    target.send(b'5 {"jsonrpc":"2.0","id"')
    assert PumpClient(line).connect()["serial"] == SERIAL


# --- people


def test_a_log_on_has_to_be_signed_by_the_person(pump):
    """SEC-01."""
    bench = keys.bench_keys()
    for person, signer, role, code in (
        ("clinician", bench.service, "clinician", "log_on_signature"),
        ("clinician", bench.clinician, "service", "person_role"),
        ("nobody", bench.clinician, "clinician", "person_unknown"),
    ):
        with pytest.raises(PumpRefused) as caught:
            pump.log_on(person, signer, role)
        assert caught.value.code == code
    with pytest.raises(PumpRefused) as caught:
        pump.command("therapy.stop")
    assert caught.value.code == "session_none"


def test_a_log_on_ends_with_its_block_even_if_that_fails(pump):
    with pytest.raises(ZeroDivisionError), pump.logged_on("clinician", keys.bench_keys().clinician, "clinician"):
        assert pump.ask("hello")["session"] == {"person": "clinician", "role": "clinician"}
        raise ZeroDivisionError
    assert pump.ask("hello")["session"] is None


def test_a_log_on_ends_by_silence(clinician, line):
    """SEC-04."""
    line.pause(181)
    with pytest.raises(PumpRefused) as caught:
        clinician.command("therapy.stop")
    assert caught.value.code == "session_expired"


def test_a_role_has_only_its_own_commands(clinician):
    with pytest.raises(PumpRefused) as caught:
        clinician.command("document.commit")
    assert caught.value.code == "role"


def test_a_pump_without_an_owner_refuses_log_on():
    with UnixTarget() as target:
        target.start({"seed": 1})
        target.run_until(5_000)
        with pytest.raises(CisternaError, match="provision this pump first"):
            PumpClient(TargetTransport(target)).log_on("clinician", keys.bench_keys().clinician, "clinician")


# --- procedures


def call(**changes):
    """Parameters of `rx.load` with a prescription of the bench."""
    values = {
        "drug": "test-fluid", "concentration_ug_per_ml": 1000, "route": "intrathecal", "site": "lumbar",
        "basal_ug_per_day": 14400, "bolus_ug": 100, "bolus_duration_s": 120, "lockout_s": 1800,
        "limit_24h_ug": 20000, "syringe": "bd-10", "fill_ul": 10000, "deadspace_ul": 300,
        "compliance_nl_per_kpa": 9000, **changes,
    }  # fmt: skip
    text = documents.prescription(values, serial=SERIAL, patient="bench", sequence=1)
    return sign.rx_params(text, keys.bench_keys())


def test_a_prescription_is_in_force_only_by_a_finger(clinician, target):
    loaded = workflows.load_prescription(clinician, call())
    with pytest.raises(workflows.NotConfirmed, match="START was not held within 5 s"):
        workflows.wait_confirmed(clinician, loaded.hash8, 5)
    reading_hand.hold_start(target)
    workflows.wait_confirmed(clinician, loaded.hash8)
    assert clinician.state()["rx"] == loaded.hash8


def test_the_wait_ends_when_the_pump_drops_the_prescription(clinician, target):
    """The command does not report "not confirmed" while START would still confirm."""
    loaded = workflows.load_prescription(clinician, call())
    with pytest.raises(workflows.NotConfirmed, match="no longer waits at the pump"):
        workflows.wait_confirmed(clinician, loaded.hash8)
    target.act("press", button="start", hold_ms=2_500, count=1, gap_ms=300)
    target.run_until(target.now_ms + 5_000)
    assert clinician.state()["rx"] is None


def test_a_link_lost_during_the_wait_leaves_the_result_unknown(clinician, target):
    loaded = workflows.load_prescription(clinician, call())
    target.act("power", off_for_s=60)
    with pytest.raises(LinkUncertain, match=f"prescription {loaded.hash8}: it may or may not be in force"):
        workflows.wait_confirmed(clinician, loaded.hash8)


def test_a_wrong_read_back_is_found(clinician, monkeypatch):
    """H37: a pump that holds another value than was signed is not to be confirmed."""
    honest = clinician.readback
    monkeypatch.setattr(clinician, "readback", lambda: {**honest(), "values": {**honest()["values"], "bolus_ug": 1000}})
    with pytest.raises(workflows.ReadBackWrong, match="bolus_ug held 1000; allowed: 100, which was signed"):
        workflows.load_prescription(clinician, call())


def test_the_stated_flow_may_be_a_little_off(clinician):
    """The pump reads back the flow that it will give."""
    loaded = workflows.load_prescription(clinician, call(flow_nl_per_h=601_000))
    assert loaded.values["flow_nl_per_h"] == 600_000


def test_the_log_is_read_in_blocks(pump, target):
    for _ in range(60):
        target.act("press", button="ack", hold_ms=60, count=1, gap_ms=300)
        target.run_until(target.now_ms + 200)
    told = []
    chain = workflows.read_log(pump, told.append)
    assert chain.verified and len(chain.records) > 60 and chain.records[0].sequence == 0
    assert told == sorted(told) and told[-1] == 1.0 and len(told) >= 2


def test_a_log_that_ends_too_soon_is_not_verified(pump, monkeypatch):
    """LOG-07, H37: what is left of it hangs together: only the pump's own count tells that the newest are missing."""
    blocks = list(pump.records())
    first, data = blocks[0]
    monkeypatch.setattr(pump, "records", lambda: iter([(first, data[:64])]))
    assert workflows.read_log(pump).problems == [f"record 1 is missing; the pump has {pump.state()['next_seq']}"]
    monkeypatch.setattr(pump, "records", lambda: iter([]))
    assert not workflows.read_log(pump).verified


def test_a_log_whose_oldest_records_are_gone_is_verified_from_there(pump):
    chain, whole = Chain.beginning_at(2), Chain()
    for _, data in pump.records(2):
        chain.add(data)
    for _, data in pump.records():
        whole.add(data)
    assert chain.verified and chain.records == whole.records[2:]


def test_a_new_pump_gets_its_owner_by_a_finger():
    bench = keys.bench_keys()
    with UnixTarget() as target:
        target.start({"seed": 1})
        target.run_until(5_000)
        pump = PumpClient(TargetTransport(target))
        block = provision.block_text(SERIAL, bench.authority.modulus_hex, bench=True)
        fingerprint = keys.fingerprint(bench.authority.modulus_hex)
        with pytest.raises(workflows.NotConfirmed):
            workflows.provision(pump, SERIAL, block, fingerprint, lambda text: None, 3)
        assert pump.ask("hello")["serial"] is None

        def hold(_text):
            target.run_until(target.now_ms + 1_000)  # the display is looked at first
            reading_hand.hold_start(target)

        assert workflows.provision(pump, SERIAL, block, fingerprint, hold) is True
        assert workflows.provision(pump, SERIAL, block, fingerprint, hold) is False
        with pytest.raises(workflows.NotThisPump, match="for good"):
            workflows.provision(pump, "CB-9999", block, fingerprint, hold)
        ward = provision.block_text(SERIAL, bench.authority.modulus_hex, bench=False)
        with pytest.raises(workflows.NotThisPump, match="the pump is one of the bench, for good"):
            workflows.provision(pump, SERIAL, ward, fingerprint, hold)
        with pytest.raises(workflows.NotThisPump, match="obeys"):
            workflows.provision(pump, SERIAL, block, "0" * 16, hold)
        text = provision.bench_people_text(bench)
        assert workflows.load_if_new(pump, "people", text, sign.signature_hex(text, bench.authority)) is True
        assert workflows.load_if_new(pump, "people", text, sign.signature_hex(text, bench.authority)) is False


def test_a_document_of_somebody_elses_authority_is_refused(pump):
    """LIB-06: the number in force stays."""
    bench = keys.bench_keys()
    text = provision.bench_library_text().replace('"number":1', '"number":2')
    with pump.logged_on("service", bench.service, "service"), pytest.raises(PumpRefused) as caught:
        workflows.load_document(pump, "library", text, sign.signature_hex(text, bench.service))
    assert caught.value.code == "library_signature" and pump.ask("hello")["library"] == 1


def test_a_line_that_is_too_long_is_not_sent(clinician, line):
    sent = len(line.sent)
    with pytest.raises(LinkError, match="6000"):
        clinician.command("document.put", {"offset": 0, "data": "x" * 6000})
    assert len(line.sent) == sent
