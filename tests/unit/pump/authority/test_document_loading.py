"""Loading of provisioning, people and library (SEC-06, LIB-07, LIB-09)."""

from pump.documents import provisioning
from pump.documents.signature import sha256_hex
from pump.storage.vault import MAX_TEXT_BYTES, SLOT_BYTES
from support.portable import signed_vectors
from support.portable.nor_flash import PowerCut
from support.portable.pump_rig import BORN_S, SIGNED_RX, FakeFram, PumpRig, block_text, code_of
from support.portable.refusals import refusal_code

NEWER = ("people", signed_vectors.people(4), signed_vectors.PEOPLE_4_SIGNATURE)
SAME = ("people", signed_vectors.people(3), signed_vectors.PEOPLE_3_SIGNATURE)
OLDER = ("people", signed_vectors.people(2), signed_vectors.PEOPLE_2_SIGNATURE)
LIBRARY = ("library", signed_vectors.library(5, 500), signed_vectors.LIBRARY_5_SIGNATURE)
STRICTER = ("library", signed_vectors.library(6, 150), signed_vectors.LIBRARY_6_SIGNATURE)


def blank():
    """A pump that has just been built."""
    return PumpRig(None, people=None)


def serviced(**pump):
    """A pump at which lind has logged on."""
    rig = PumpRig(**pump)
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
    assert rig.pump.document_loading.staged.serial == "CB-0001"
    assert rig.pump.trust.provisioning is None
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"
    rig.hold_start()
    assert rig.pump.trust.provisioning.serial == "CB-0001"
    assert rig.noted("provisioned") == [(1, 0, 0, 0, 0, 0, 0)]
    rig.power_on()
    hello = rig.ask("hello")["result"]
    assert (hello["serial"], hello["bench"], hello["people"]) == ("CB-0001", True, None)
    assert hello["authority"] == provisioning.fingerprint(int(signed_vectors.AUTHORITY, 16))


def test_no_other_key_confirms_provisioning():
    """SEC-06."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.start()
    rig.stop()
    rig.run(60_000)
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"


def test_a_staged_block_expires_after_three_minutes():
    """SEC-06, ALM-21."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.at(BORN_S + 181)
    assert rig.pump.document_loading.staged is None
    rig.hold_start()
    assert refusal_code(provisioning.read, rig.fram) == "provisioning_absent"


def test_the_block_staged_last_is_written():
    """SEC-06."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text("CB-0009")})
    assert code_of(rig.ask("provision.load", {"block": block_text(authority="00")})) == "provisioning_key"
    assert rig.pump.document_loading.staged.serial == "CB-0009"
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    assert rig.pump.trust.provisioning.serial == "CB-0001"


def test_a_block_is_written_once():
    """SEC-06: the link cannot replace the owner of a pump, not even with the clinic's own block."""
    rig = blank()
    rig.ask("provision.load", {"block": block_text()})
    rig.hold_start()
    before = provisioning.read(rig.fram).authority
    for block in (block_text(authority=signed_vectors.SERVICE), block_text(), "{}"):
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
        (block_text(authority=signed_vectors.AUTHORITY[:-2]), "provisioning_key"),
        (block_text()[:-1] + "x", "provisioning_not_json"),
    ):
        assert code_of(rig.ask("provision.load", {"block": block})) == code, block
    assert rig.pump.document_loading.staged is None


def without_its_memory(rig):
    """The pump comes back from repair with another FRAM, but with the vault as it was."""
    rig.fram = FakeFram()
    return rig.power_on()


def test_people_of_another_owner_are_refused():
    """SEC-06: whom one clinic's authority has signed cannot log on at the next clinic's pump."""
    rig = without_its_memory(PumpRig())
    said = rig.ask("provision.load", {"block": block_text(authority=signed_vectors.SERVICE)})
    assert code_of(said) == "provisioning_foreign" and said["error"]["data"]["held"] == "people"
    rig.hold_start()
    assert rig.power_on().pump.trust.people is None
    rig = without_its_memory(PumpRig(people=None, library=5))
    said = rig.ask("provision.load", {"block": block_text(authority=signed_vectors.SERVICE)})
    assert code_of(said) == "provisioning_foreign" and said["error"]["data"]["held"] == "library"


def test_a_repaired_pump_of_the_same_owner_keeps_its_people():
    """SEC-06."""
    rig = without_its_memory(PumpRig(library=5))
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
        rig.pump.document_loading.confirm()
        rig.fram.budget = None
        rig.power_on()
        written = rig.pump.trust.provisioning is not None
        assert written == (budget == whole), budget
        if not written:
            rig.ask("provision.load", {"block": block_text()})
            rig.hold_start()
            assert rig.pump.trust.provisioning.serial == "CB-0001"


# People and library: what is taken


def test_the_first_people_document_needs_no_session():
    """SEC-06: the authority has signed it; no person can log on yet."""
    rig = PumpRig(people=None)
    assert rig.send_document(*SAME)["result"] == {"kind": "people", "number": 3}
    assert held(rig) == (3, 0)
    assert code_of(rig.send_document(*NEWER)) == "session_none"


def test_a_newer_people_document_needs_service():
    """SEC-02, SEC-06."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert code_of(rig.send_document(*NEWER)) == "role"
    rig = serviced()
    assert rig.send_document(*NEWER)["result"] == {"kind": "people", "number": 4}
    assert rig.noted("document") == [(0, 4, 0, 0, 0, 0, 0)]
    assert held(rig) == (4, 0)


def test_a_library_is_accepted():
    """LIB-07."""
    rig = serviced()
    assert rig.send_document(*LIBRARY)["result"] == {"kind": "library", "number": 5}
    hello = rig.ask("hello")["result"]
    assert (hello["library"], hello["library_source"]) == (5, "document")
    assert rig.noted("document") == [(1, 5, 0, 0, 0, 0, 0)]
    assert held(rig) == (3, 5)


def test_the_new_library_is_in_force():
    """LIB-07: the next prescription is checked against it, also after a power cut."""
    for cut in (False, True):
        rig = serviced()
        rig.send_document(*STRICTER)
        if cut:
            rig.power_on()
        rig.log_on("okafor") if cut else rig.log_on("okafor", rig.log_on_params("okafor"))
        assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_first_dose"


# People and library: what is not


def test_an_older_or_equal_number_is_refused():
    """LIB-07: no rollback, although the authority once signed it."""
    rig = serviced()
    assert code_of(rig.send_document(*SAME)) == "people_rollback"
    assert code_of(rig.send_document(*OLDER)) == "people_rollback"
    rig.send_document(*STRICTER)
    assert code_of(rig.send_document(*STRICTER)) == "library_rollback"
    assert code_of(rig.send_document(*LIBRARY)) == "library_rollback"
    assert held(rig) == (3, 6)


def test_a_text_other_than_the_signed_one_is_refused():
    """LIB-07: a digest that is right does not help, nor the signature of another document or person."""
    rig = serviced()
    changed = signed_vectors.library(5, 500).replace('"bolus_max_ug":500', '"bolus_max_ug":900')
    assert changed != LIBRARY[1]
    for kind, text, signature, code in (
        ("library", changed, LIBRARY[2], "library_signature"),
        ("library", LIBRARY[1], STRICTER[2], "library_signature"),
        ("library", LIBRARY[1], signed_vectors.RX_SIGNATURE, "library_signature"),
        ("library", LIBRARY[1], "", "library_signature"),
        ("library", NEWER[1], NEWER[2], "library_type"),
        ("people", LIBRARY[1], LIBRARY[2], "people_type"),
    ):
        assert code_of(rig.send_document(kind, text, signature)) == code
    assert held(rig) == (3, 0)


def test_the_authority_cannot_sign_as_a_person():
    """SEC-06, H06: who says who the people are must not be one of them."""
    rig = serviced()
    said = rig.send_document("people", signed_vectors.people(4, signed_vectors.OWNER), signed_vectors.OWNER_SIGNATURE)
    assert code_of(said) == "people_authority"
    assert held(rig) == (3, 0)


def test_a_wrong_byte_is_refused():
    """SEC-10: distinguished from a bad signature, so that the host sends it again."""
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


def test_pieces_out_of_order_are_refused():
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
    for length in (0, -1, MAX_TEXT_BYTES + 1, 1_000_000_000):
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


def test_another_begin_discards_the_document_so_far():
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
    rig = PumpRig()
    rig.log_on("okafor")
    return rig, rig.log_on_params("lind")


def test_no_document_is_loaded_during_infusion():
    """LIB-09: neither begun nor ended; nothing moves while the flash is written."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.log_on("lind", of_service)
    assert code_of(begin(rig)) == "document_infusing"
    rig.stop()
    assert "result" in rig.send_document(*LIBRARY)


def test_a_document_begun_before_infusion_is_refused():
    """LIB-09: START is stronger; also while the signature is being checked."""
    for pieces in (0, 5):
        rig, of_service = with_service_waiting()
        rig.prescribe()
        rig.therapy.primed = True
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
        assert rig.therapy.infusing()
        while said is None:
            said = rig.server.go_on()
        assert b"document_infusing" in said
        assert rig.vault_flash.count == written
        assert rig.therapy.infusing() and rig.pump.trust.library_number == 0


def test_a_new_library_needs_a_new_prescription():
    """LIB-09, LIB-06: the prescription in force and the staged one were checked against the old library."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.stop()
    rig.log_on("lind", of_service)
    rig.send_document(*LIBRARY)
    rig.start()
    assert rig.therapy.needs_rx and not rig.therapy.infusing()
    rig, of_service = with_service_waiting()
    rig.tell("rx.load", SIGNED_RX)
    rig.log_on("lind", of_service)
    rig.send_document(*STRICTER)
    rig.hold_start()
    assert rig.pump.prescription_change.staged is None and rig.therapy.rx is None


def test_new_people_drop_what_is_staged():
    """SEC-06: who signed it may be none of them any more."""
    rig, of_service = with_service_waiting()
    rig.tell("rx.load", SIGNED_RX)
    rig.log_on("lind", of_service)
    rig.send_document(*NEWER)
    rig.hold_start()
    assert rig.therapy.rx is None


def test_new_people_leave_a_therapy_as_it_is():
    """LIB-09: what was confirmed was signed by people who were allowed to."""
    rig, of_service = with_service_waiting()
    rig.infuse()
    rig.stop()
    rig.log_on("lind", of_service)
    rig.send_document(*NEWER)
    rig.start()
    assert rig.therapy.infusing()


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
            assert rig.therapy.alarms.active_codes() == []
            rig.log_on("lind")
            assert rig.send_document(*NEWER)["result"]["number"] == 4


def test_power_fails_before_the_journal_knows():
    """LIB-07: the vault is what counts; an older document is not taken after it either."""
    rig = serviced()
    rig.therapy.save = lambda: None
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


def test_a_lost_library_is_reported():
    """LIB-07: an alarm says so, until the same or a newer one is loaded; an older one is no substitute."""
    rig = serviced()
    rig.send_document(*STRICTER)
    destroy(rig, 1)
    rig.power_on()
    assert "library" in rig.therapy.alarms.active_codes()
    hello = rig.ask("hello")["result"]
    assert (hello["library"], rig.pump.trust.is_library_lost) == (None, True)
    rig.log_on("lind")
    assert code_of(rig.send_document(*LIBRARY)) == "library_rollback"
    assert "library" in rig.therapy.alarms.active_codes()
    assert "result" in rig.send_document(*STRICTER)
    assert "library" not in rig.therapy.alarms.active_codes()
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
        assert rig.pump.trust.is_library_lost and "library" in rig.therapy.alarms.active_codes()
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


def test_lost_people_are_reported():
    """LIB-07, SEC-06: no command is possible until a people document that is new enough is loaded."""
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
    assert rig.therapy.infusing() and rig.therapy.alarms.active_codes() == []


# Whose library


def test_the_library_of_the_image_is_for_the_bench():
    """LIB-07: a clinic's pump prescribes by its own signed one."""
    rig = PumpRig("false")
    rig.log_on("okafor")
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_library_absent"
    rig = PumpRig("false", library=5)
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    rig = PumpRig("true")
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)
