"""How a pump learns whose it is, who its people are, which drugs there are (SEC-06, LIB-07, LIB-09)."""

import _vectors
from _check import refusal_code
from _flash import PowerCut
from _rig import BORN_S, SIGNED_RX, Fram, Rig, block_text, code_of
from pump import provisioning
from pump.signature import sha256_hex
from pump.vault import MAX_TEXT, SLOT_BYTES

NEWER = ("people", _vectors.people(4), _vectors.PEOPLE_4_SIGNATURE)
SAME = ("people", _vectors.people(3), _vectors.PEOPLE_3_SIGNATURE)
OLDER = ("people", _vectors.people(2), _vectors.PEOPLE_2_SIGNATURE)
LIBRARY = ("library", _vectors.library(5, 500), _vectors.LIBRARY_5_SIGNATURE)
STRICTER = ("library", _vectors.library(6, 150), _vectors.LIBRARY_6_SIGNATURE)


def blank():
    """A pump that has just been built."""
    return Rig(None, people=None)


def serviced(**pump):
    """A pump at which lind has logged on."""
    rig = Rig(**pump)
    rig.log_on("lind")
    return rig


def held(rig):
    """Numbers of the people and of the library that the pump has, and would have after a power cut."""
    now = (rig.pump.trust.people_number, rig.pump.trust.library_number)
    rig.power_on()
    after = (rig.pump.trust.people_number, rig.pump.trust.library_number)
    assert now == after
    return now


# Provisioning


def test_a_new_pump_is_provisioned_by_a_finger_on_it():
    """SEC-06: the link stages it, START held writes it; hash and serial are there to be compared."""
    rig = blank()
    said = rig.ask("provision.load", {"block": block_text()})
    assert said["result"] == {"hash": sha256_hex(block_text().encode())[:8]}
    assert rig.pump.enrolment.staged.serial == "CB-0001"
    assert rig.pump.trust.provisioning is None
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"
    rig.hold_start()
    assert rig.pump.trust.provisioning.serial == "CB-0001"
    assert rig.noted("provisioned") == [(1, 0, 0, 0, 0, 0, 0)]
    rig.power_on()
    hello = rig.ask("hello")["result"]
    assert (hello["serial"], hello["bench"], hello["people"]) == ("CB-0001", True, None)
    assert hello["authority"] == provisioning.fingerprint(int(_vectors.AUTHORITY, 16))


def test_no_other_key_writes_it():
    """SEC-06."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.start()
    rig.stop()
    rig.run(60_000)
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"


def test_it_waits_for_three_minutes():
    """SEC-06, ALM-21."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.at(BORN_S + 181)
    assert rig.pump.enrolment.staged is None
    rig.hold_start()
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"


def test_what_was_staged_last_is_what_is_written():
    """SEC-06."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text("CB-0009")})
    assert code_of(rig.ask("provision.load", {"block": block_text(authority="00")})) == "provisioning_key"
    assert rig.pump.enrolment.staged.serial == "CB-0009"
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    assert rig.pump.trust.provisioning.serial == "CB-0001"


def test_it_is_written_once():
    """SEC-06: nobody takes a pump from its clinic over the link, not even with the clinic's own block."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    before = provisioning.read(rig.fram).authority
    for block in (block_text(authority=_vectors.SERVICE), block_text(), "{}"):
        said = rig.ask("provision.load", {"block": block})
        assert code_of(said) == "provisioning_done"
        rig.hold_start()
    assert provisioning.read(rig.fram).authority == before
    assert len(rig.noted("provisioned")) == 1


def test_a_bad_block_is_refused():
    """SEC-06, SEC-10."""
    rig = blank()
    for block, code in (
        ("", "provisioning_not_json"),
        (block_text(bench="1"), "provisioning_value_type"),
        (block_text(serial="C" * 21), "provisioning_value_range"),
        (block_text(authority=_vectors.AUTHORITY[:-2]), "provisioning_key"),
        (block_text()[:-1] + "x", "provisioning_not_json"),
    ):
        assert code_of(rig.ask("provision.load", {"block": block})) == code, block
    assert rig.pump.enrolment.staged is None


def without_its_memory(rig):
    """The pump comes back from repair with another FRAM, but with the vault as it was."""
    rig.fram = Fram()
    return rig.power_on()


def test_people_of_another_owner_are_nobody_here():
    """SEC-06: whom one clinic's authority has signed cannot log on at the next clinic's pump."""
    rig = without_its_memory(Rig())
    said = rig.ask("provision.load", {"block": block_text(authority=_vectors.SERVICE)})
    assert code_of(said) == "provisioning_foreign" and said["error"]["data"]["held"] == "people"
    rig.hold_start()
    assert rig.power_on().pump.trust.people is None
    rig = without_its_memory(Rig(people=None, library=5))
    said = rig.ask("provision.load", {"block": block_text(authority=_vectors.SERVICE)})
    assert code_of(said) == "provisioning_foreign" and said["error"]["data"]["held"] == "library"


def test_a_repaired_pump_of_the_same_owner_knows_its_people_again():
    """SEC-06."""
    rig = without_its_memory(Rig(library=5))
    assert "result" in rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    assert held(rig) == (3, 5)


def test_power_fails_while_it_is_written():
    """PWR-08, SEC-06: there is a whole block or none, and one can be written then."""
    whole = 16 + len(block_text())
    for budget in (0, 5, 8, 9, 100, whole - 8, whole - 1, whole):
        rig = blank()
        rig.ask("provision.load", {"block": block_text()})
        rig.fram.budget = budget
        rig.pump.enrolment.confirm()
        rig.fram.budget = None
        rig.power_on()
        written = rig.pump.trust.provisioning is not None
        assert written == (budget == whole), budget
        if not written:
            rig.ask("provision.load", {"block": block_text()})
            rig.hold_start()
            assert rig.pump.trust.provisioning.serial == "CB-0001"


# People and library: what is taken


def test_the_first_people_need_nobody():
    """SEC-06: the authority has signed them; there is nobody yet who could log on."""
    rig = Rig(people=None)
    assert rig.send_document(*SAME)["result"] == {"kind": "people", "number": 3}
    assert held(rig) == (3, 0)
    assert code_of(rig.send_document(*NEWER)) == "session_none"


def test_newer_people_need_service():
    """SEC-02, SEC-06."""
    rig = Rig()
    rig.log_on("okafor")
    assert code_of(rig.send_document(*NEWER)) == "role"
    rig = serviced()
    assert rig.send_document(*NEWER)["result"] == {"kind": "people", "number": 4}
    assert rig.noted("document") == [(0, 4, 0, 0, 0, 0, 0)]
    assert held(rig) == (4, 0)


def test_a_library_is_taken():
    """LIB-07."""
    rig = serviced()
    assert rig.send_document(*LIBRARY)["result"] == {"kind": "library", "number": 5}
    hello = rig.ask("hello")["result"]
    assert (hello["library"], hello["library_source"]) == (5, "document")
    assert rig.noted("document") == [(1, 5, 0, 0, 0, 0, 0)]
    assert held(rig) == (3, 5)


def test_the_new_library_is_what_counts():
    """LIB-07: the very next prescription is judged by it, also after a power cut."""
    for cut in (False, True):
        rig = serviced()
        rig.send_document(*STRICTER)
        if cut:
            rig.power_on()
        rig.log_on("okafor") if cut else rig.log_on("okafor", rig.log_on_params("okafor"))
        assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_first_dose"


# People and library: what is not


def test_an_older_one_or_the_same_again():
    """LIB-07: no rollback, whatever the authority once signed."""
    rig = serviced()
    assert code_of(rig.send_document(*SAME)) == "people_rollback"
    assert code_of(rig.send_document(*OLDER)) == "people_rollback"
    rig.send_document(*STRICTER)
    assert code_of(rig.send_document(*STRICTER)) == "library_rollback"
    assert code_of(rig.send_document(*LIBRARY)) == "library_rollback"
    assert held(rig) == (3, 6)


def test_another_text_than_was_signed():
    """LIB-07: a digest that is right does not help, nor the signature of another document or person."""
    rig = serviced()
    changed = _vectors.library(5, 500).replace('"bolus_max_ug":500', '"bolus_max_ug":900')
    assert changed != LIBRARY[1]
    for kind, text, signature, code in (
        ("library", changed, LIBRARY[2], "library_signature"),
        ("library", LIBRARY[1], STRICTER[2], "library_signature"),
        ("library", LIBRARY[1], _vectors.RX_SIGNATURE, "library_signature"),
        ("library", LIBRARY[1], "", "library_signature"),
        ("library", NEWER[1], NEWER[2], "library_type"),
        ("people", LIBRARY[1], LIBRARY[2], "people_type"),
    ):
        assert code_of(rig.send_document(kind, text, signature)) == code
    assert held(rig) == (3, 0)


def test_the_authority_is_no_person():
    """SEC-06, H06: who says who the people are must not be one of them."""
    rig = serviced()
    said = rig.send_document("people", _vectors.people(4, _vectors.OWNER), _vectors.OWNER_SIGNATURE)
    assert code_of(said) == "people_authority"
    assert held(rig) == (3, 0)


def test_a_byte_that_came_wrong():
    """SEC-10: told from a bad signature, so that the host sends it again."""
    rig = serviced()
    assert code_of(rig.send_document(*LIBRARY, digest="0" * 64)) == "document_digest"
    assert code_of(rig.send_document(*LIBRARY, digest="")) == "document_digest"
    assert "result" in rig.send_document(*LIBRARY)


def begin(rig, kind="library", length=None, text=LIBRARY[1], signature=LIBRARY[2]):
    params = {"kind": kind, "length": len(text) if length is None else length, "signature": signature}
    params["sha256"] = sha256_hex(text.encode())
    return rig.tell("document.begin", params)


def put(rig, offset, data):
    return rig.tell("document.put", {"offset": offset, "data": data})


def test_pieces_come_in_their_order():
    """SEC-10: each says where it belongs; one that was lost is missed at once."""
    rig = serviced()
    begin(rig)
    assert put(rig, 0, "abc")["result"] == {"filled": 3}
    for offset in (0, 2, 4, -1, 100_000):
        refused = put(rig, offset, "def")
        assert code_of(refused) == "document_offset" and refused["error"]["data"]["allowed"] == 3
    assert put(rig, 3, "def")["result"] == {"filled": 6}


def test_lengths_of_pieces_and_documents():
    """SEC-10."""
    rig = serviced()
    for length in (0, -1, MAX_TEXT + 1, 1_000_000_000):
        assert code_of(begin(rig, length=length)) == "document_length"
    for kind in ("", "image", "People"):
        assert code_of(begin(rig, kind)) == "document_kind"
    assert code_of(put(rig, 0, "a")) == "document_none"
    assert begin(rig, length=2_050)["result"] == {}
    assert code_of(put(rig, 0, "")) == "document_block"
    assert code_of(put(rig, 0, "a" * 2_049)) == "document_block"
    assert put(rig, 0, "a" * 2_048)["result"] == {"filled": 2_048}
    assert code_of(put(rig, 2_048, "aaa")) == "document_block"
    assert put(rig, 2_048, "aa")["result"] == {"filled": 2_050}
    assert code_of(put(rig, 2_050, "a")) == "document_block"


def test_a_document_that_is_not_whole():
    """SEC-10: and it is gone then."""
    rig = serviced()
    assert code_of(rig.tell("document.commit")) == "document_incomplete"
    begin(rig)
    put(rig, 0, LIBRARY[1][:-1])
    assert code_of(rig.tell("document.commit")) == "document_incomplete"
    assert code_of(put(rig, len(LIBRARY[1]) - 1, "\n")) == "document_none"


def test_a_document_is_taken_once():
    """SEC-10."""
    rig = serviced()
    assert "result" in rig.send_document(*LIBRARY)
    assert code_of(rig.tell("document.commit")) == "document_incomplete"
    assert code_of(put(rig, 0, "a")) == "document_none"


def test_another_begin_begins_anew():
    """SEC-10."""
    rig = serviced()
    begin(rig)
    put(rig, 0, "rubbish")
    assert "result" in rig.send_document(*LIBRARY)


def test_a_pump_without_an_owner_takes_no_document():
    """SEC-06: whose signature should count?"""
    rig = blank()
    assert code_of(rig.send_document(*SAME)) == "document_not_provisioned"


# When


def with_service_waiting():
    """okafor has logged on, and what lind has signed will do for a minute."""
    rig = Rig()
    rig.log_on("okafor")
    return rig, rig.log_on_params("lind")


def test_not_while_it_infuses():
    """LIB-09: neither begun nor ended; nothing moves while the flash is written."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.log_on("lind", of_service)
    assert code_of(begin(rig)) == "document_infusing"
    rig.stop()
    assert "result" in rig.send_document(*LIBRARY)


def test_not_when_it_was_begun_before():
    """LIB-09: START is stronger; also while the signature is being checked."""
    for pieces in (0, 5):
        rig, of_service = with_service_waiting()
        rig.prescribe()
        rig.core.primed = True
        rig.log_on("lind", of_service)
        begin(rig)
        put(rig, 0, LIBRARY[1])
        written = rig.vault_flash.count
        if pieces == 0:
            rig.start()
        said = rig.server.begin(rig.line(rig.request("document.commit", auth=rig.auth())))
        for _ in range(pieces):
            assert said is None
            said = rig.server.go_on()
        if pieces:
            rig.start()
        assert rig.core.infusing()
        while said is None:
            said = rig.server.go_on()
        assert b"document_infusing" in said
        assert rig.vault_flash.count == written
        assert rig.core.infusing() and rig.pump.trust.library_number == 0


def test_a_new_library_wants_a_new_prescription():
    """LIB-09, LIB-06: the one in force was judged by the old one, and so was the one that is staged."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.stop()
    rig.log_on("lind", of_service)
    rig.send_document(*LIBRARY)
    rig.start()
    assert rig.core.needs_rx and not rig.core.infusing()
    rig, of_service = with_service_waiting()
    rig.tell("rx.load", SIGNED_RX)
    rig.log_on("lind", of_service)
    rig.send_document(*STRICTER)
    rig.hold_start()
    assert rig.pump.intake.staged is None and rig.core.rx is None


def test_new_people_want_what_is_staged_to_be_loaded_again():
    """SEC-06: who signed it may be none of them any more."""
    rig, of_service = with_service_waiting()
    rig.tell("rx.load", SIGNED_RX)
    rig.log_on("lind", of_service)
    rig.send_document(*NEWER)
    rig.hold_start()
    assert rig.core.rx is None


def test_new_people_leave_a_therapy_as_it_is():
    """LIB-09: what was confirmed was signed by people who were allowed to."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.stop()
    rig.log_on("lind", of_service)
    rig.send_document(*NEWER)
    rig.start()
    assert rig.core.infusing()


# Power cuts and what is lost


def test_power_fails_while_a_document_is_written():
    """PWR-08, LIB-07: the pump has the old one or the new one, and takes the new one afterwards."""
    probe = serviced()
    before = probe.vault_flash.count
    probe.send_document(*NEWER)
    after = probe.vault_flash.count
    assert after > before + 3
    for call in range(before, after):
        for done in (0, 100):
            rig = serviced()
            rig.vault_flash.cut = (call, done)
            try:
                rig.send_document(*NEWER)
                raise AssertionError(call)
            except PowerCut:
                rig.vault_flash.cut = None
            rig.power_on()
            assert rig.pump.trust.people_number == 3, (call, done)
            assert rig.core.alarms.active_codes() == []
            rig.log_on("lind")
            assert rig.send_document(*NEWER)["result"]["number"] == 4


def test_power_fails_before_the_journal_knows():
    """LIB-07: the vault is what counts; an older document is not taken after it either."""
    rig = serviced()
    rig.core.save = lambda: None
    rig.send_document(*STRICTER)
    rig.power_on()
    assert rig.pump.trust.library_number == 6
    rig.log_on("lind")
    assert code_of(rig.send_document(*LIBRARY)) == "library_rollback"


def destroy(rig, kind):
    """Both slots of a kind are no more what they were."""
    for place in range(2):
        at = (2 * place + kind) * SLOT_BYTES
        rig.vault_flash.put(at, bytes(40))


def test_a_library_that_got_lost():
    """LIB-07: an alarm says so, until the same or a newer one is loaded; an older one is no substitute."""
    rig = serviced()
    rig.send_document(*STRICTER)
    destroy(rig, 1)
    rig.power_on()
    assert "library" in rig.core.alarms.active_codes()
    hello = rig.ask("hello")["result"]
    assert (hello["library"], rig.pump.trust.is_library_lost) == (None, True)
    rig.log_on("lind")
    assert code_of(rig.send_document(*LIBRARY)) == "library_rollback"
    assert "library" in rig.core.alarms.active_codes()
    assert "result" in rig.send_document(*STRICTER)
    assert "library" not in rig.core.alarms.active_codes()
    assert rig.ask("hello")["result"]["library"] == 6
    assert held(rig) == (3, 6)


def test_nothing_is_prescribed_without_the_library():
    """LIB-07: also where the flash is as blank as a new one, or holds an older library."""
    for lose in (
        lambda rig: destroy(rig, 1),
        lambda rig: rig.vault_flash.put(SLOT_BYTES, b"\xff" * 512),
    ):
        rig = serviced()
        rig.send_document(*LIBRARY)
        lose(rig)
        rig.power_on()
        assert rig.pump.trust.is_library_lost and "library" in rig.core.alarms.active_codes()
        rig.log_on("okafor")
        assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_library_lost"


def test_an_older_library_in_the_flash_is_no_substitute():
    """LIB-07: the newer slot was damaged; the older one is whole and is not enough."""
    rig = serviced()
    rig.send_document(*LIBRARY)
    rig.send_document(*STRICTER)
    rig.vault_flash.flip(3 * SLOT_BYTES + 512 + 50)
    rig.power_on()
    assert rig.pump.trust.library_number == 5 and rig.pump.trust.is_library_lost
    rig.log_on("okafor")
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_library_lost"


def test_people_that_got_lost():
    """LIB-07, SEC-06: nobody can do anything until the authority's word is there again, and new enough."""
    rig = serviced()
    rig.send_document(*NEWER)
    rig.vault_flash.flip(2 * SLOT_BYTES + 512 + 50)
    rig.power_on()
    assert rig.pump.trust.people is None  # number 3 is still there, and it is too old
    assert code_of(rig.ask("access.log_on", rig.log_on_params("okafor"))) == "people_absent"
    assert code_of(rig.send_document(*SAME)) == "people_rollback"
    assert "result" in rig.send_document(*NEWER)
    assert held(rig) == (4, 0)


def test_a_lost_document_stops_no_pump():
    """LIB-09, H42: an alarm of medium priority, not the end of a therapy."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    destroy(rig, 1)
    destroy(rig, 0)
    rig.run(20_000)
    assert rig.core.infusing() and rig.core.alarms.active_codes() == []


# Whose library


def test_the_library_of_the_image_is_for_the_bench():
    """LIB-07: a clinic's pump prescribes by its own signed one."""
    rig = Rig("false")
    rig.log_on("okafor")
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_library_absent"
    rig = Rig("false", library=5)
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    rig = Rig("true")
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)
