"""Who may command the pump, and for how long (SEC-01, SEC-02, SEC-03, SEC-04)."""

from pump.authority.access import CLINICIAN, PATIENT, SERVICE
from pump.base.pieces import finish
from pump.monitoring.alarms import LINK
from pump.storage import records
from support.portable import signed_vectors
from support.portable.pump_rig import BORN_S, CLOCK, SERIAL, SIGNED_RX, PumpRig, code_of
from support.portable.refusals import refusal, refusal_code

ANCHOR = "ab" * 32
BOTH = (CLINICIAN, SERVICE)


def log_on_text(challenge, serial=SERIAL, person="okafor", role="clinician", anchor=ANCHOR):
    """An unsigned log-on."""
    return ('{"type":"log_on","version":1,"serial":"%s","challenge":"%s","person":"%s","role":"%s","anchor":"%s"}') % (
        serial,
        challenge,
        person,
        role,
        anchor,
    )


def try_log_on(rig, document, signature="0" * 768):
    """The code with which a log-on is refused; None if it is not."""
    return refusal_code(lambda: finish(rig.access.log_on_in_pieces(document, signature)))


def fail(rig, times=1):
    """So many failed log-ons in a row; the last code."""
    for _ in range(times):
        code = try_log_on(rig, "{}")
    return code


def check(rig, auth, roles=BOTH):
    """The code with which a command that shows `auth` is refused; None if it may go on."""
    return refusal_code(rig.access.check, auth, roles)


def shown(rig, n, seed="a"):
    """What command `n` of the session shows."""
    return "%s.%d.%s" % (rig.access.session, n, signed_vectors.token(seed, n))


# Log-on


def test_a_person_logs_on_by_signing_the_challenge():
    """SEC-01: name and role are his, and recorded; the session has a name of its own."""
    rig = PumpRig()
    said = rig.log_on("okafor")
    assert said["role"] == "clinician" and len(said["session"]) == 8
    assert (rig.access.role, rig.access.person, rig.access.number) == (CLINICIAN, "okafor", 3)
    assert rig.noted("log_on") == [(3, CLINICIAN, 0, 0, 0, 0, 0)]
    assert rig.ask("hello")["result"]["session"] == {"person": "okafor", "role": "clinician"}


def test_service_is_another_role():
    """SEC-02."""
    rig = PumpRig()
    assert rig.log_on("lind")["role"] == "service"
    assert rig.access.role == SERVICE


def test_every_reason_to_refuse_a_log_on():
    """SEC-01, SEC-10: each has its code, is recorded, and opens no session."""
    for change, code in (
        ({"serial": "CB-0002"}, "log_on_serial"),
        ({"challenge": "0" * 32}, "log_on_challenge"),
        ({"role": "patient"}, "log_on_role"),
        ({"role": "prescriber"}, "log_on_role"),
        ({"role": "second"}, "log_on_role"),
        ({"role": "Clinician"}, "log_on_role"),
        ({"anchor": ANCHOR[:-1]}, "log_on_anchor"),
        ({"anchor": "AB" * 32}, "log_on_anchor"),
        ({"anchor": "zz" * 32}, "log_on_anchor"),
        ({"person": "moreau"}, "person_unknown"),
        ({"person": "lind"}, "person_role"),
        ({"person": "rossi"}, "person_role"),
        ({"role": "service"}, "person_role"),
        ({}, "log_on_signature"),
    ):
        rig = PumpRig()
        values = {"challenge": rig.access.challenge("okafor")}
        values.update(change)
        assert try_log_on(rig, log_on_text(**values)) == code, change
        assert rig.access.role == PATIENT
        assert rig.noted("log_on_refused") == [(records.word_of(code), 1, 0, 0, 0, 0, 0)]


def test_form_of_a_log_on():
    """SEC-10: exactly these keys."""
    rig = PumpRig()
    whole = log_on_text(rig.access.challenge("okafor"))
    for document, code in (
        ("", "log_on_not_json"),
        (signed_vectors.RX, "log_on_type"),
        (whole.replace('"version":1', '"version":2'), "log_on_version"),
        (whole.replace('"person":"okafor",', ""), "log_on_key_missing"),
        (whole[:-1] + ',"admin":"yes"}', "log_on_key_unknown"),
        (whole.replace('"okafor"', "1"), "log_on_value_type"),
    ):
        rig.therapy.log_on_attempts.failures = 0
        assert try_log_on(rig, document) == code


def test_a_signature_of_another_person_or_for_another_challenge():
    """SEC-01."""
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    assert try_log_on(rig, params["document"], signed_vectors.LIND_SIGNATURE) == "log_on_signature"
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    digits = params["signature"]
    flipped = digits[:-1] + ("0" if digits[-1] != "0" else "1")
    assert try_log_on(rig, params["document"], flipped) == "log_on_signature"


def test_a_pump_without_people_or_owner_refuses_every_log_on():
    """SEC-06."""
    rig = PumpRig(people=None)
    assert try_log_on(rig, log_on_text(rig.access.challenge("okafor"))) == "people_absent"
    rig = PumpRig(None, people=None)
    assert refusal_code(rig.access.challenge, "okafor") == "access_not_provisioned"
    assert try_log_on(rig, log_on_text("0" * 32)) == "log_on_serial"


def test_a_challenge_is_good_for_one_attempt():
    """SEC-08: also when the attempt failed; what was recorded on the line is worth nothing."""
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    assert code_of(rig.ask("access.log_on", params)) is None
    assert code_of(rig.ask("access.log_on", params)) == "log_on_challenge"
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    assert try_log_on(rig, params["document"], signed_vectors.LIND_SIGNATURE) == "log_on_signature"
    assert try_log_on(rig, params["document"], params["signature"]) == "log_on_challenge"
    assert rig.access.role == PATIENT


def test_a_new_challenge_replaces_the_one_before():
    """SEC-08."""
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    assert rig.challenge("okafor") != rig.access.challenge("lind")
    assert try_log_on(rig, params["document"], params["signature"]) == "log_on_challenge"


def test_no_two_challenges_are_the_same():
    """SEC-08: nor after a reset, though the clock may then stand where it stood."""
    seen = []
    rig = PumpRig()
    for _ in range(3):
        for person in ("okafor", "lind"):
            seen.append(rig.access.challenge(person))
        rig.power_on()
    assert len(set(seen)) == len(seen) and all(len(text) == 32 for text in seen)


def test_a_challenge_expires_after_a_minute():
    """SEC-03."""
    for waited_s, code in ((60, None), (61, "log_on_challenge")):
        rig = PumpRig()
        params = rig.log_on_params("okafor")
        rig.at(BORN_S + waited_s)
        assert try_log_on(rig, params["document"], params["signature"]) == code


def test_a_challenge_that_expires_during_the_signature_check_is_refused():
    """SEC-03."""
    rig = PumpRig()
    params = rig.log_on_params("okafor")
    work = rig.access.log_on_in_pieces(params["document"], params["signature"])
    next(work)
    rig.at(BORN_S + 61)
    assert refusal_code(finish, work) == "log_on_challenge"
    assert rig.access.role == PATIENT


# Failed log-ons


def closed_for_s(rig):
    """Seconds for which there is no log-on now."""
    refused = refusal(rig.access.challenge, "okafor")
    return refused.detail["wait_s"] if refused else 0


def test_five_failures_block_log_on_for_a_minute():
    """SEC-03, H42: during it a correct one is not checked either; the refusal states the remaining time."""
    rig = PumpRig()
    fail(rig, 4)
    params = rig.log_on_params("okafor")
    assert fail(rig) == "log_on_key_missing"
    assert closed_for_s(rig) == 60
    assert try_log_on(rig, params["document"], params["signature"]) == "access_closed"
    said = rig.ask("access.challenge", {"person": "okafor"})
    assert code_of(said) == "access_closed" and said["error"]["data"]["do"] == "wait 60 s"
    rig.at(BORN_S + 59)
    assert closed_for_s(rig) == 1
    rig.at(BORN_S + 60)
    assert closed_for_s(rig) == 0
    assert rig.noted("log_on_refused")[-1][1:3] == (5, 60)


def test_each_further_five_failures_double_the_block_up_to_an_hour():
    """SEC-03."""
    rig = PumpRig()
    times = []
    for _ in range(10):
        fail(rig, 4)
        assert closed_for_s(rig) == 0
        fail(rig)
        times.append(closed_for_s(rig))
        rig.at(rig.therapy.clock.s + times[-1])
    assert times == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_an_attempt_during_the_block_is_not_counted():
    """SEC-03: attempts during the block cannot lengthen it."""
    rig = PumpRig()
    fail(rig, 5)
    rig.at(BORN_S + 30)
    assert fail(rig, 20) == "access_closed"
    assert closed_for_s(rig) == 30
    assert rig.therapy.log_on_attempts.failures == 5


def test_a_power_cut_does_not_end_the_block():
    """SEC-03: the count and the time are in the journal."""
    rig = PumpRig()
    rig.at(900)
    fail(rig, 5)
    rig.power_on()
    rig.at(910)
    assert (rig.therapy.log_on_attempts.failures, closed_for_s(rig)) == (5, 50)
    rig.at(960)
    fail(rig, 5)
    assert closed_for_s(rig) == 120


def test_a_good_log_on_clears_the_count():
    """SEC-03: before and after a power cut."""
    rig = PumpRig()
    rig.at(900)
    fail(rig, 5)
    rig.power_on()
    assert rig.therapy.log_on_attempts.failures == 5
    rig.log_on("okafor")
    assert (rig.therapy.log_on_attempts.failures, rig.therapy.log_on_attempts.closed_until_s) == (0, 0)
    rig.power_on()
    fail(rig, 4)
    assert closed_for_s(rig) == 0
    fail(rig)
    assert closed_for_s(rig) == 60


def test_failures_of_others_do_not_end_a_session():
    """SEC-03, H42: failing is no way to throw a clinician out of a running session."""
    rig = PumpRig()
    rig.log_on("okafor")
    fail(rig, 5)
    assert check(rig, shown(rig, 1)) is None


# Tokens


def test_each_command_carries_the_next_token():
    """SEC-01."""
    rig = PumpRig()
    rig.log_on("okafor")
    for n in range(1, 6):
        assert check(rig, shown(rig, n)) is None


def test_a_token_is_good_once():
    """SEC-08: no token that was on the line can be used again, nor an older one."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert check(rig, shown(rig, 3)) is None
    for n in (3, 2, 1, 0):
        assert check(rig, shown(rig, n)) == "session_replayed", n
    assert check(rig, shown(rig, 4)) is None


def test_up_to_64_lines_may_be_lost_in_a_row():
    """SEC-10: no more, so that a forger cannot make the pump hash for long."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert check(rig, shown(rig, 65)) == "session_token"
    assert check(rig, shown(rig, 64)) is None
    assert check(rig, shown(rig, 129)) == "session_token"
    assert check(rig, shown(rig, 128)) is None
    assert check(rig, shown(rig, 999_999)[:19] + "0" * 64) == "session_token"


def test_forged_tokens():
    """SEC-01: the anchor is known to everybody and gives nothing away; a bad one spoils nothing."""
    rig = PumpRig()
    rig.log_on("okafor")
    session, token = rig.access.session, signed_vectors.token("a", 1)
    flipped = token[:-1] + ("0" if token[-1] != "0" else "1")
    for n, forged in (
        (1, signed_vectors.token("a", 0)), (1, flipped), (1, signed_vectors.token("b", 1)), (2, token), (1, "0" * 64),
        (1, token.upper()), (1, token[:-1]), (1, token + "0"), (1, ""),
    ):  # fmt: skip
        assert check(rig, "%s.%d.%s" % (session, n, forged)) == "session_token", forged
    assert check(rig, shown(rig, 1)) is None


def test_malformed_auth_is_refused():
    """SEC-10: any other content is a refusal."""
    rig = PumpRig()
    rig.log_on("okafor")
    token = signed_vectors.token("a", 1)
    for auth in (None, 1, [], {}, True):
        assert check(rig, auth) == "session_none"
    for auth in ("", ".", "..", "a.b.c", "a.1.b.c", rig.access.session, rig.access.session + ".1",
                 rig.access.session + ".-1." + token, rig.access.session + ".1234567." + token,
                 rig.access.session + ".\xb2." + token, rig.access.session + ".1." + token + ".1"):  # fmt: skip
        assert check(rig, auth) == "session_token", auth
    assert check(rig, shown(rig, 1)) is None


def test_the_token_of_another_session_is_refused():
    """SEC-01."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert check(rig, "00000000.1." + signed_vectors.token("a", 1)) == "session_other"
    assert check(rig, "." + "1." + signed_vectors.token("a", 1)) == "session_other"


def test_a_command_without_a_session_is_refused():
    """SEC-02."""
    rig = PumpRig()
    assert check(rig, None) == "session_none"
    assert check(rig, "00000000.1." + signed_vectors.token("a", 1)) == "session_none"
    assert check(rig, "." + "1." + signed_vectors.token("a", 1)) == "session_none"


def test_a_command_of_another_role_is_refused():
    """SEC-02: it uses up the token; the session stays open."""
    rig = PumpRig()
    rig.log_on("lind")
    assert check(rig, shown(rig, 1, "c"), (CLINICIAN,)) == "role"
    assert check(rig, shown(rig, 1, "c"), (SERVICE,)) == "session_replayed"
    assert check(rig, shown(rig, 2, "c"), (SERVICE,)) is None
    rig = PumpRig()
    rig.log_on("okafor")
    assert check(rig, shown(rig, 1), (SERVICE,)) == "role"


# The end of a session


def test_a_session_ends_after_three_minutes_without_a_command():
    """SEC-04: each of its commands restarts the timeout; a question or a refused command does not."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.at(BORN_S + 180)
    assert check(rig, shown(rig, 1)) is None
    rig.at(BORN_S + 300)
    rig.ask("state")
    assert check(rig, shown(rig, 2), (SERVICE,)) == "role"
    assert check(rig, shown(rig, 1)) == "session_replayed"
    rig.at(BORN_S + 360)
    rig.access.poll()
    assert rig.access.role == CLINICIAN
    rig.at(BORN_S + 361)
    rig.access.poll()
    assert (rig.access.role, rig.access.person, rig.access.is_timed_out) == (PATIENT, "", True)
    assert check(rig, shown(rig, 3)) == "session_expired"
    assert rig.noted("log_off") == [(3, CLINICIAN, 2, 0, 0, 0, 0)]


def test_a_command_after_the_timeout_ends_the_session():
    """SEC-04: also when the pump has not looked since."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.at(BORN_S + 181)
    assert check(rig, shown(rig, 1)) == "session_expired"
    assert rig.access.role == PATIENT


def test_the_session_timeout_is_checked_at_every_wake_up():
    """SEC-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.run(180_000)
    assert rig.access.role == CLINICIAN
    rig.run(6_000)
    assert rig.access.role == PATIENT


def test_log_off_ends_the_session():
    """SEC-04."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert rig.tell("access.log_off")["result"] == {}
    assert (rig.access.role, rig.access.is_timed_out) == (PATIENT, False)
    assert code_of(rig.tell("clock.set", CLOCK)) == "session_expired"
    assert rig.noted("log_off") == [(3, CLINICIAN, 1, 0, 0, 0, 0)]


def test_another_log_on_ends_the_first_session():
    """SEC-01: one person at a time; the tokens of the first are worth nothing then."""
    rig = PumpRig()
    rig.log_on("okafor")
    first = shown(rig, 1)
    rig.log_on("okafor")
    assert check(rig, first) == "session_other"
    assert check(rig, shown(rig, 1, "a")) == "session_token"
    assert check(rig, shown(rig, 1, "b")) is None
    assert [name for name, _ in rig.records()][-3:] == ["log_on", "log_off", "log_on"]


def test_a_failed_log_on_ends_no_session():
    """SEC-03."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.challenge("lind")
    fail(rig)
    assert check(rig, shown(rig, 1)) is None


def test_a_new_connection_ends_no_session():
    """SEC-04: any host may send line 1; commands still need the tokens of the session."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.reconnect()
    assert rig.ask("hello")["result"]["session"] == {"person": "okafor", "role": "clinician"}
    assert rig.noted("log_off") == []
    assert code_of(rig.ask("clock.set", CLOCK)) == "session_none"
    assert "result" in rig.tell("clock.set", CLOCK)


def test_a_reset_ends_the_session():
    """SEC-04, SEC-08."""
    rig = PumpRig()
    rig.log_on("okafor")
    auth = rig.auth()
    rig.power_on()
    assert code_of(rig.ask("clock.set", CLOCK, auth=auth)) == "session_none"


def test_a_new_people_document_ends_the_session():
    """SEC-04: who was let in by the old ones may be none of the new."""
    rig = PumpRig()
    rig.log_on("lind")
    said = rig.send_document("people", signed_vectors.people(4), signed_vectors.PEOPLE_4_SIGNATURE)
    assert said["result"] == {"kind": "people", "number": 4}
    assert rig.access.role == PATIENT
    assert rig.noted("log_off") == [(4, SERVICE, 4, 0, 0, 0, 0)]


# What access does not touch


def test_a_session_ends_without_effect_on_therapy():
    """SEC-04, H42: infusion continues through log-ons, failures, silence and the end of the session."""
    rig = PumpRig()
    rig.infuse()
    before = rig.motor.granted
    fail(rig, 7)
    rig.run(400_000)
    assert rig.access.role == PATIENT
    assert rig.therapy.infusing() and rig.therapy.alarms.active_codes() == []
    assert 110 <= rig.motor.granted - before <= 130  # 41.7 uL/h: a microstep every 3.6 s


def test_log_on_changes_nothing_in_the_pump():
    """SEC-07."""
    rig = PumpRig()
    before = rig.ask("state")["result"]
    rig.log_on("okafor")
    fail(rig, 2)
    after = rig.ask("state")["result"]
    for told in (before, after):
        told.pop("next_seq")
    assert after == before


# Silence after something was begun


def test_a_host_that_falls_silent_with_something_staged_is_an_alarm():
    """ALM-27: a key at the pump or a new log-on ends it."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.run(20_000)
    rig.tell("rx.load", SIGNED_RX)
    rig.run(179_000)
    assert rig.therapy.alarms.active_codes() == []
    rig.run(10_000)
    assert "link" in rig.therapy.alarms.active_codes()
    rig.stop()
    assert "link" not in rig.therapy.alarms.active_codes()
    rig.run(60_000)
    assert "link" not in rig.therapy.alarms.active_codes()


def test_a_session_timeout_found_by_a_command_is_an_alarm_too():
    """ALM-27."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.tell("rx.load", SIGNED_RX)
    rig.at(rig.therapy.clock.s + 181)
    assert code_of(rig.tell("clock.set", {"utc_s": 1_800_000_000})) == "session_expired"
    rig.run(1_000)
    assert "link" in rig.therapy.alarms.active_codes()


def test_a_new_log_on_ends_the_link_alarm():
    """ALM-27."""
    rig = PumpRig()
    rig.therapy.alarms.raise_(LINK)
    rig.log_on("okafor")
    assert rig.therapy.alarms.active_codes() == []


def test_a_session_timeout_with_nothing_staged_is_no_alarm():
    """ALM-27."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.run(200_000)
    assert rig.access.role == PATIENT and rig.therapy.alarms.active_codes() == []


def test_a_prescription_that_nobody_confirms_is_an_alarm():
    """ALM-21: after three minutes it is dropped, also if a host reads the staged prescription meanwhile."""
    for asking in (False, True):
        rig = PumpRig()
        rig.log_on("okafor")
        assert "result" in rig.tell("rx.load", SIGNED_RX)
        rig.run(178_000)
        assert rig.pump.prescription_change.staged and rig.therapy.alarms.active_codes() == []
        for _ in range(10):
            if asking:
                rig.at(rig.therapy.clock.s + 1)
                rig.ask("state")
        rig.run(6_000)
        assert "unconfirmed" in rig.therapy.alarms.active_codes(), asking
        assert code_of(rig.ask("rx.read")) == "rx_none_staged"
        rig.hold_start()
        assert rig.therapy.rx is None
        assert "unconfirmed" not in rig.therapy.alarms.active_codes()
        rig.run(20_000)
        assert "unconfirmed" not in rig.therapy.alarms.active_codes()
