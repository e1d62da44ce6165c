"""START does what the display says, for a finger that could see it, and one thing at a time (SEC-07, RX-01)."""

from _rig import SIGNED_ORDER, SIGNED_RX, Rig, block_text, code_of
from pump.access import SERVICE
from pump.core import INFUSING
from pump.pump import START_KEY
from pump.waiting import NOTHING, ORDER, PRESCRIPTION, PRIMING, PROVISIONING, SEEN_MS


def down(rig):
    rig.pump.edge(START_KEY, 0, rig.core.clock.s, rig.core.clock.ms)


def up(rig):
    rig.pump.edge(START_KEY, 1, rig.core.clock.s, rig.core.clock.ms)
    rig.run(100)


def test_a_press_that_began_before_is_not_meant_for_it():
    """SEC-07, RX-01: the key was on its way when the display said something else."""
    rig = Rig()
    rig.infuse()
    down(rig)
    rig.run(300)
    assert rig.tell("bolus.clinician", SIGNED_ORDER)["result"]["staged"]
    up(rig)
    assert rig.noted("bolus_start") == []
    rig.start()
    assert len(rig.noted("bolus_start")) == 1


def test_a_hold_that_began_before_confirms_nothing():
    """RX-01."""
    rig = Rig()
    rig.log_on("okafor")
    down(rig)
    rig.run(200)
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    rig.run(4_000)
    up(rig)
    assert rig.core.rx is None
    rig.hold_start()
    assert rig.core.rx is not None


def test_the_moment_from_which_a_press_counts():
    """SEC-07: a display takes some time to be seen."""
    for wait_ms, given in ((SEEN_MS - 50, 0), (SEEN_MS, 1)):
        rig = Rig()
        rig.infuse()
        rig.tell("bolus.clinician", SIGNED_ORDER)
        rig.run(wait_ms)
        down(rig)
        rig.run(200)
        up(rig)
        assert len(rig.noted("bolus_start")) == given, wait_ms


def test_a_short_press_does_nothing_while_a_prescription_waits():
    """RX-01: START let go early is no START: neither the bolus that waited before, nor the therapy that was stopped."""
    rig = Rig()
    rig.infuse()
    rig.tell("bolus.clinician", SIGNED_ORDER)
    rig.core.sequence = 6  # so that the same prescription is good once more
    assert "result" in rig.tell("rx.load", SIGNED_RX)
    assert rig.core.waiting.kind == PRESCRIPTION and rig.pump.intake.staged_order is None
    rig.start()
    assert rig.noted("bolus_start") == [] and rig.core.waiting.kind == PRESCRIPTION
    rig.pump.pause()
    rig.start()
    assert not rig.core.infusing()


def test_one_thing_waits_at_a_time():
    """SEC-07: what came last, for it is what is shown."""
    rig = Rig()
    rig.infuse()
    rig.core.sequence = 6
    rig.tell("rx.load", SIGNED_RX)
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert rig.core.waiting.kind == ORDER and rig.pump.intake.staged is None
    rig.hold_start()
    assert len(rig.noted("rx_confirm")) == 1  # of before


def test_what_waits_for_the_line_is_dropped_with_its_prescription():
    """H13, DEL-31: another prescription, the end of it, another syringe, the stop key."""
    for drop in ("stop", "end", "refill", "rx"):
        rig = Rig()
        rig.prescribe()
        assert "result" in rig.tell("prime", {"disconnected": True})
        assert rig.core.waiting.kind == PRIMING
        if drop == "stop":
            rig.stop()
        elif drop == "end":
            rig.tell("therapy.stop")
        elif drop == "refill":
            fluid = {"fill_ul": 9_000, "returned_ul": None, "drug": "morphine", "concentration_ug_per_ml": 200}
            assert "result" in rig.tell("reservoir.refill", fluid)
        else:
            rig.core.sequence = 6
            rig.tell("rx.load", SIGNED_RX)
            rig.hold_start()
        assert rig.core.waiting.kind == NOTHING
        rig.start()
        assert rig.motor.granted == 0, drop


def test_priming_goes_by_what_is_true_when_the_key_is_pressed():
    """H13: the door was opened since."""
    rig = Rig()
    rig.prescribe()
    rig.tell("prime", {"disconnected": True})
    rig.run(SEEN_MS)
    rig.pump.door_open = True
    rig.start()
    assert rig.motor.granted == 0
    rig = Rig()
    rig.prescribe()
    rig.tell("prime", {"disconnected": True})
    rig.start()
    assert rig.motor.granted > 0


def test_each_change_is_told_to_whoever_shows_it():
    """SEC-07: the display is written anew before START does anything else."""
    rig = Rig()
    rig.infuse()
    before = rig.core.waiting.changes
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert rig.core.waiting.changes == before + 1
    rig.start()
    assert rig.core.waiting.changes == before + 2
    rig = Rig(None, people=None)
    rig.ask("provision.load", {"block": block_text()})
    assert (rig.core.waiting.kind, rig.core.waiting.changes) == (PROVISIONING, 1)


def test_an_owner_is_written_in_one_way_only():
    """SEC-06: blanks would let somebody in the cable try texts until what is shown is the same."""
    rig = Rig(None, people=None)
    good = block_text()
    for text in (good + " ", " " + good, good.replace(":", ": "), good.replace(',"bench":true', "", 1)):
        assert code_of(rig.ask("provision.load", {"block": text})) is not None, text
    swapped = '{"bench":true,' + good[1:].replace('"bench":true,', "")
    assert code_of(rig.ask("provision.load", {"block": swapped})) == "provisioning_form"
    assert rig.core.waiting.kind == NOTHING


def test_nothing_starts_once_the_pump_makes_way():
    """H42: between the answer and the boot loader somebody presses START."""
    from test_image_order import THERAPY

    rig = Rig()
    rig.infuse()
    rig.tell("therapy.pause")
    rig.tell("therapy.stop")
    rig.access.role = SERVICE
    assert "result" in rig.tell("image.bootsel", {"document": THERAPY[0], "signature": THERAPY[1]})
    rig.start()
    assert rig.pump.wants_boot_loader and not rig.core.infusing() and rig.core.needs_rx


def test_numbers_do_not_leap():
    """SEC-08, RX-03: after 1000000000 there would be none, and never a prescription again."""
    rig = Rig()
    rig.log_on("okafor")
    rig.core.sequence = 7 - 1_001
    assert code_of(rig.tell("rx.load", SIGNED_RX)) == "rx_sequence"
    rig.core.sequence = 7 - 1_000
    assert code_of(rig.tell("rx.load", SIGNED_RX)) is None


def test_an_order_under_a_drug_that_the_library_no_longer_has():
    """LIB-08, DEL-14."""
    rig = Rig()
    rig.infuse()
    assert rig.core.state == INFUSING
    rig.pump.trust.library = {key: entry for key, entry in rig.pump.trust.library.items() if key[0] != "morphine"}
    assert code_of(rig.tell("bolus.clinician", SIGNED_ORDER)) == "order_drug_unknown"


def test_a_document_stops_coming_when_the_pump_begins_to_infuse():
    """LIB-09: what comes then takes the time of the motion."""
    rig = Rig()
    rig.prescribe()
    rig.core.primed = True
    rig.access.role = SERVICE
    assert "result" in rig.tell("document.begin", {"kind": "library", "length": 10, "sha256": "", "signature": ""})
    rig.start()
    assert rig.core.infusing()
    for method, params in (("document.put", {"offset": 0, "data": "{}"}), ("document.commit", {})):
        assert code_of(rig.tell(method, params)) in ("document_infusing", "document_incomplete"), method
    assert code_of(rig.tell("document.put", {"offset": 0, "data": "{}"})) == "document_infusing"


def test_a_vault_of_another_image_is_no_end():
    """LIB-07: what this firmware cannot read is not there, and the library is missed."""
    rig = Rig(library=5)
    held = rig.vault_flash
    text = b'{"type":"library","version":1,"number":6,"title":"x"}\n{"drug":"morphine"}\n'
    from pump.vault import LIBRARY, Vault

    Vault(held).write(LIBRARY, 6, text, bytes(384))
    rig.power_on()
    assert rig.pump.trust.is_library_lost and "library" in rig.core.alarms.active_codes()
