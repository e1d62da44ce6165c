"""START does what the display has shown long enough to be seen, one thing at a time (SEC-07, RX-01)."""

from pump.authority.access import SERVICE
from pump.base.contacts import DOOR, START_KEY
from pump.base.states import INFUSING
from pump.panel.pending_confirmation import NOTHING, ORDER, PRESCRIPTION, PRIMING, PROVISIONING, SEEN_MS
from pump.storage.records import word_of
from support.portable import signed_vectors
from support.portable.pump_rig import SIGNED_ORDER, SIGNED_RX, PumpRig, block_text, code_of


def down(rig):
    rig.pump.front_panel.edge(START_KEY, 0, rig.therapy.clock.s, rig.therapy.clock.ms)


def up(rig):
    rig.pump.front_panel.edge(START_KEY, 1, rig.therapy.clock.s, rig.therapy.clock.ms)
    rig.run(100)


def test_a_press_begun_before_the_question_is_ignored():
    """SEC-07, RX-01: the display showed something else when the press began."""
    rig = PumpRig()
    rig.infuse()
    down(rig)
    rig.run(300)
    assert rig.tell("bolus.clinician", SIGNED_ORDER)["result"]["staged"]
    up(rig)
    assert rig.noted("bolus_start") == []
    rig.start()
    assert len(rig.noted("bolus_start")) == 1


def test_a_hold_begun_before_the_question_confirms_nothing():
    """RX-01."""
    rig = PumpRig()
    rig.log_on("okafor")
    down(rig)
    rig.run(200)
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    rig.run(4_000)
    up(rig)
    assert rig.therapy.rx is None
    rig.hold_start()
    assert rig.therapy.rx is not None


def test_the_moment_from_which_a_press_counts():
    """SEC-07: a display takes some time to be seen."""
    for wait_ms, given in ((SEEN_MS - 50, 0), (SEEN_MS, 1)):
        rig = PumpRig()
        rig.infuse()
        rig.tell("bolus.clinician", SIGNED_ORDER)
        rig.run(wait_ms)
        down(rig)
        rig.run(200)
        up(rig)
        assert len(rig.noted("bolus_start")) == given, wait_ms


def test_a_short_press_does_nothing_while_a_prescription_waits():
    """RX-01: START let go early is no START: neither the bolus that waited before, nor the therapy that was stopped."""
    rig = PumpRig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.therapy.sequence = 6  # so that the same prescription is good once more
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    assert rig.therapy.confirmation.kind == PRESCRIPTION and rig.pump.clinician_actions.staged_order is None
    rig.start()
    assert rig.noted("bolus_start") == [] and rig.therapy.confirmation.kind == PRESCRIPTION
    rig.pump.start_stop.pause()
    rig.start()
    assert not rig.therapy.infusing()


def test_only_one_confirmation_is_pending():
    """SEC-07: what came last, for it is what is shown."""
    rig = PumpRig()
    rig.infuse()
    rig.therapy.sequence = 6
    rig.tell("rx.load", SIGNED_RX)
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert rig.therapy.confirmation.kind == ORDER and rig.pump.prescription_change.staged is None
    rig.hold_start()
    assert len(rig.noted("rx_confirm")) == 1  # of before


def test_pending_priming_is_dropped_with_its_prescription():
    """H13, DEL-31: another prescription, the end of it, another syringe, the stop key."""
    for drop in ("stop", "end", "refill", "rx"):
        rig = PumpRig()
        rig.prescribe()
        assert "result" in rig.tell("prime", {"disconnected": True})
        assert rig.therapy.confirmation.kind == PRIMING
        if drop == "stop":
            rig.stop()
        elif drop == "end":
            rig.end_therapy()
        elif drop == "refill":
            fluid = {"fill_ul": 9_000, "returned_ul": None, "drug": "morphine", "concentration_ug_per_ml": 200}
            fluid["syringe"] = rig.therapy.rx.syringe
            assert "result" in rig.tell("reservoir.refill", fluid)
        else:
            rig.therapy.sequence = 6
            rig.tell("rx.load", SIGNED_RX)
            rig.hold_start()
        assert rig.therapy.confirmation.kind == NOTHING
        rig.start()
        assert rig.motor.granted == 0, drop


def test_priming_is_checked_again_when_the_key_is_pressed():
    """H13: the door was opened since."""
    rig = PumpRig()
    rig.prescribe()
    rig.tell("prime", {"disconnected": True})
    rig.run(SEEN_MS)
    rig.pump.front_panel.edge(DOOR, 1, rig.therapy.clock.s, rig.therapy.clock.ms)
    rig.start()
    assert rig.motor.granted == 0
    rig = PumpRig()
    rig.prescribe()
    rig.tell("prime", {"disconnected": True})
    rig.start()
    assert rig.motor.granted > 0


def test_each_change_of_the_confirmation_is_reported_to_the_display():
    """SEC-07: the display is redrawn before START does anything else."""
    rig = PumpRig()
    rig.infuse()
    before = rig.therapy.confirmation.changes
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert rig.therapy.confirmation.changes == before + 1
    rig.start()
    assert rig.therapy.confirmation.changes == before + 2
    rig = PumpRig(None, people=None)
    rig.ask("provision.load", {"block": block_text()})
    assert (rig.therapy.confirmation.kind, rig.therapy.confirmation.changes) == (PROVISIONING, 1)


def test_an_owner_is_written_in_one_way_only():
    """SEC-06: with blanks, an attacker on the cable could try texts until the shown fingerprint is the same."""
    rig = PumpRig(None, people=None)
    good = block_text()
    for text in (good + " ", " " + good, good.replace(":", ": "), good.replace(',"bench":true', "", 1)):
        assert code_of(rig.ask("provision.load", {"block": text})) is not None, text
    swapped = '{"bench":true,' + good[1:].replace('"bench":true,', "")
    assert code_of(rig.ask("provision.load", {"block": swapped})) == "provisioning_form"
    assert rig.therapy.confirmation.kind == NOTHING


def test_nothing_starts_once_the_boot_loader_is_due():
    """H42: START is pressed between the answer and the boot loader."""
    rig = PumpRig()
    rig.infuse()
    rig.tell("therapy.pause")
    rig.end_therapy()
    rig.access.role = SERVICE
    assert "result" in rig.tell(
        "image.bootsel", {"document": signed_vectors.image("therapy"), "signature": signed_vectors.THERAPY_SIGNATURE}
    )
    rig.start()
    assert rig.pump.image_update.wants_boot_loader and not rig.therapy.infusing() and rig.therapy.needs_rx


def test_a_sequence_number_cannot_jump():
    """SEC-08, RX-03: after 1000000000 there would be none, and never a prescription again."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.therapy.sequence = 7 - 1_001
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_sequence"
    rig.therapy.sequence = 7 - 1_000
    assert code_of(rig.tell("rx.load", SIGNED_RX)) is None


def test_an_order_under_a_drug_that_the_library_no_longer_has():
    """LIB-08, DEL-14."""
    rig = PumpRig()
    rig.infuse()
    assert rig.therapy.state == INFUSING
    rig.pump.trust.library = {key: entry for key, entry in rig.pump.trust.library.items() if key[0] != "morphine"}
    assert code_of(rig.tell("bolus.clinician", SIGNED_ORDER)) == "order_drug_unknown"


def test_a_document_stops_coming_when_the_pump_begins_to_infuse():
    """LIB-09: what comes then takes the time of the motion."""
    rig = PumpRig()
    rig.prescribe()
    rig.therapy.primed = True
    rig.access.role = SERVICE
    assert "result" in rig.tell("document.begin", {"kind": "library", "length": 10, "sha256": "", "signature": ""})
    rig.start()
    assert rig.therapy.infusing()
    for method, params in (("document.put", {"offset": 0, "data": "{}"}), ("document.commit", {})):
        assert code_of(rig.tell(method, params)) in ("document_infusing", "document_incomplete"), method
    assert code_of(rig.tell("document.put", {"offset": 0, "data": "{}"})) == "document_infusing"


def test_a_vault_of_another_image_does_not_stop_the_pump():
    """LIB-07: what this firmware cannot read is not there, and the library is missed."""
    rig = PumpRig(library=5)
    held = rig.vault_flash
    text = b'{"type":"library","version":1,"number":6,"title":"x"}\n{"drug":"morphine"}\n'
    from pump.storage.vault import LIBRARY, Vault

    Vault(held).write(LIBRARY, 6, text, bytes(384))
    rig.power_on()
    assert rig.pump.trust.is_library_lost and "library" in rig.therapy.alarms.active_codes()


def test_what_was_not_drawn_is_refused():
    """RX-01: a dark display shows nothing that START could confirm; the host is told the code."""
    rig = PumpRig()
    rig.log_on("okafor")
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    while not rig.therapy.confirmation.is_on_last_page():
        rig.start()
    assert rig.ask("state")["result"]["refused"] is None
    rig.therapy.confirmation.drawn = lambda changes: None
    rig.therapy.confirmation.vanished()
    rig.press(START_KEY, 2_500)
    assert rig.therapy.rx is None and rig.therapy.confirmation.kind == NOTHING
    assert rig.ask("state")["result"]["refused"] == "display"
    assert rig.noted("rx_refused")[-1][1] == word_of("display")


def test_half_a_second_counts_from_the_drawing():
    """SEC-07, RX-01: rows that wait for the motion are seen later."""
    rig = PumpRig()
    confirmation = rig.therapy.confirmation
    confirmation.put(ORDER)
    changes = confirmation.changes
    rig.therapy.clock.advance(300)
    confirmation.drawn(changes - 1)
    assert not confirmation.is_drawn
    confirmation.drawn(changes)
    drawn_ms = rig.therapy.clock.s * 1000 + rig.therapy.clock.ms
    for after_ms, seen in ((SEEN_MS - 1, False), (SEEN_MS, True)):
        assert confirmation.shown_before_press(*divmod(drawn_ms + after_ms, 1000)) is seen


def test_nothing_is_loaded_while_the_display_is_dark():
    """RX-01: the host is refused at once, with the code `display`; a clinician's bolus and the filling, too."""
    rig = PumpRig()
    rig.infuse()
    for _ in range(2):
        rig.pump.front_panel.display_works(False)
    assert rig.therapy.alarms.active_codes() == ["display"] and rig.therapy.infusing()
    rig.therapy.sequence = 6
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "display"
    assert code_of(rig.tell("bolus.clinician", SIGNED_ORDER)) == "display"
    rig.stop()
    assert code_of(rig.tell("prime", {"disconnected": True})) == "display"
    rig.pump.front_panel.display_works(True)
    assert rig.therapy.alarms.active_codes() == []
    assert "result" in rig.tell("rx.load", SIGNED_RX)
