"""A pump's first day with a clinic on any target: provisioning, people, prescription, therapy, log."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cisterna.bench.target import Target
from cisterna.bench.target_transport import TargetTransport
from cisterna.errors import PumpRefused
from cisterna.link import workflows
from cisterna.link.pump_client import PumpClient
from cisterna.link.records import Chain
from cisterna.pharmacy import documents, keys, provision, rx_files, sign, source_files
from pump.base.states import NAMES as STATES

from support.simulated import reading_hand

SERIAL = "CB-0042"
PEOPLE = {  # (role, bench key) of each person
    "rossi": ("prescriber", "prescriber"),
    "weber": ("second", "second"),
    "okafor": ("clinician", "clinician"),
    "lind": ("service", "service"),
}
RX: dict[str, Any] = {
    "drug": "morphine",
    "concentration_ug_per_ml": 500,
    "route": "intrathecal",
    "site": "lumbar",
    "basal_ug_per_day": 500,
    "bolus_ug": 50,
    "bolus_duration_s": 120,
    "lockout_s": 1800,
    "max_boluses_per_24h": 5,
    "limit_24h_ug": 800,
    "syringe": "bd-10",
    "fill_ul": 10_000,
    "deadspace_ul": 100,
    "compliance_nl_per_kpa": 2_000,
}
CONFIG = {
    "seed": 4,
    "rtc_unix_s": 1_800_000_000,
    "pump": {"syringe": "bd-10", "fill_ml": 10.0, "deadspace_ul": 100, "compliance_ul_per_kpa": 2.0},
    "drug": "morphine",
    "concentration_ug_per_ml": 500,
}
ROTOR_JUMP_UL = 1.5  # at power on or off: two full steps [the contract's mechanical error]
LOOK_MS = 600
BOOT_MS = 10_000
PRIME_MS = 90_000
BOLUS_MS = 150_000


@dataclass
class Clinic:
    """The people, their keys, and the pump on its link."""

    target: Target
    keys: keys.ClinicKeys
    pump: PumpClient
    announced: list[str] = field(default_factory=list)
    sequence: int = 0

    def key(self, name: str) -> keys.Signer:
        return getattr(self.keys, PEOPLE[name][1])

    def logged_on(self, name: str, role: str) -> Any:
        return self.pump.logged_on(name, self.key(name), role)

    def wait(self, ms: int) -> None:
        self.target.run_until(self.target.now_ms + ms)

    def press(self, button: str, hold_ms: int = 200) -> None:
        """Press a key once the display has been seen long enough."""
        reading_hand.press(self.target, button, hold_ms)

    def hold_start(self, announced: str = "") -> None:
        self.announced.append(announced)
        self.wait(LOOK_MS)  # until it is on the display
        reading_hand.hold_start(self.target)

    def documents(self, number: int) -> tuple[str, str]:
        """People document and library, to be signed by the authority."""
        persons = [{"name": name, "roles": [role], "key": self.key(name).modulus_hex}
                   for name, (role, _) in PEOPLE.items()]  # fmt: skip
        drugs = source_files.library(source_files.BENCH_LIBRARY)
        return (
            documents.people(number=number, clinic="Ward 3", persons=persons),
            documents.library(number=number, title="Ward 3", drugs=drugs),
        )

    def signed(self, text: str) -> str:
        return sign.signature_hex(text, self.keys.authority)

    def prescription(self, serial: str = SERIAL, **changes: Any) -> rx_files.RxFile:
        """A prescription with both signatures."""
        self.sequence += 1
        values = {**RX, **changes}
        text = documents.prescription(values, serial=serial, patient="P-1", sequence=self.sequence)
        rx = rx_files.new(text)
        for role, name in (("prescriber", "rossi"), ("second", "weber")):
            rx = rx_files.add_signature(rx, role, name, self.key(name))
        return rx

    def refused(self, do: Callable[[], Any]) -> str:
        """Code with which the pump refuses `do()`."""
        with pytest.raises(PumpRefused) as caught:
            do()
        return caught.value.code


def begin(target: Target) -> Clinic:
    """A new pump, not provisioned."""
    target.start(CONFIG)
    target.run_until(BOOT_MS)
    return Clinic(target, keys.bench_keys(), PumpClient(TargetTransport(target)))


def enrol(clinic: Clinic) -> None:
    """Provision, load people and library; each in order and once."""
    pump, authority = clinic.pump, clinic.keys.authority
    people, library = clinic.documents(number=1)
    hello = pump.connect()
    assert (hello["serial"], hello["people"], hello["self_test"]) == (None, None, "passed")
    load_people = lambda: workflows.load_document(pump, "people", people, clinic.signed(people))  # noqa: E731
    assert clinic.refused(load_people) == "document_not_provisioned"

    block = provision.block_text(SERIAL, authority.modulus_hex, bench=False)
    fingerprint = keys.fingerprint(authority.modulus_hex)
    assert workflows.provision(pump, SERIAL, block, fingerprint, clinic.hold_start)
    assert not workflows.provision(pump, SERIAL, block, fingerprint, clinic.hold_start)
    assert len(clinic.announced) == 1 and SERIAL in clinic.announced[0]
    assert clinic.refused(lambda: pump.command("provision.load", {"block": block})) == "provisioning_done"

    forged = sign.signature_hex(people, clinic.keys.service)
    assert clinic.refused(lambda: workflows.load_document(pump, "people", people, forged)) == "people_signature"
    persons = [{"name": "okafor", "roles": ["clinician"], "key": clinic.key("okafor").modulus_hex}]
    alone = documents.people(number=1, clinic="Ward 3", persons=persons)
    load_alone = lambda: workflows.load_document(pump, "people", alone, clinic.signed(alone))  # noqa: E731
    assert clinic.refused(load_alone) == "people_no_service"  # no one could ever load another people document
    assert load_people() == 1
    load_library = lambda: workflows.load_document(pump, "library", library, clinic.signed(library))  # noqa: E731
    assert clinic.refused(load_library) == "session_none"
    with clinic.logged_on("lind", "service"):
        assert load_library() == 1
        assert clinic.refused(load_library) == "library_rollback"
        assert not workflows.load_if_new(pump, "library", library, clinic.signed(library))  # already loaded
        other = library.replace("Ward 3", "Ward 4")
        with pytest.raises(workflows.NumberTaken, match="higher --number"):
            workflows.load_if_new(pump, "library", other, clinic.signed(other))
    hello = pump.connect()
    assert (hello["people"], hello["library"], hello["library_source"]) == (1, 1, "document")


def prescribe(clinic: Clinic) -> None:
    """Load a prescription signed by two people; confirm it by START."""
    pump = clinic.pump
    other = clinic.prescription(serial="CB-0043").params()
    early = clinic.prescription().params()
    rx = clinic.prescription()
    assert clinic.refused(lambda: workflows.load_prescription(pump, rx.params())) == "session_none"
    with clinic.logged_on("lind", "service"):
        assert clinic.refused(lambda: workflows.load_prescription(pump, rx.params())) == "role"
    with clinic.logged_on("okafor", "clinician"):
        one_hand = rx.model_copy(update={"signatures": rx.signatures.model_copy(update={"second": None})}).params()
        assert clinic.refused(lambda: workflows.load_prescription(pump, one_hand)) == "rx_unsigned"
        both_hands = rx.params()
        both_hands["signatures"]["second"] = both_hands["signatures"]["prescriber"]
        assert clinic.refused(lambda: workflows.load_prescription(pump, both_hands)) == "person_role"
        edited = rx.params()
        edited["document"] = edited["document"].replace('"bolus_ug":50', '"bolus_ug":51')
        assert clinic.refused(lambda: workflows.load_prescription(pump, edited)) == "rx_signature"
        assert clinic.refused(lambda: workflows.load_prescription(pump, other)) == "rx_serial"
        loaded = workflows.load_prescription(pump, rx.params())
        assert loaded.values["bolus_ug"] == 50 and loaded.hash8 == sign.hash8(rx.document)
        assert pump.state()["rx"] is None  # loaded is not confirmed
        clinic.hold_start()
        workflows.wait_confirmed(pump, loaded.hash8, wait_s=5)
        assert clinic.refused(lambda: workflows.load_prescription(pump, rx.params())) == "rx_sequence"
        assert clinic.refused(lambda: workflows.load_prescription(pump, early)) == "rx_sequence"


def treat(clinic: Clinic) -> None:
    """Prime, connect, start; a patient bolus, a clinician's bolus; pause; stop."""
    pump, target = clinic.pump, clinic.target
    with clinic.logged_on("okafor", "clinician"):
        assert clinic.refused(lambda: pump.command("prime", {})) == "prime_connected"
        pump.command("prime", {"disconnected": True})
    assert target.truth()["pumped_ul"] == 0  # the link alone moves nothing
    clinic.press("start")
    clinic.wait(PRIME_MS)
    assert pump.state()["primed"]
    target.act("connect")
    clinic.press("start")
    target.act("mark_start")
    assert pump.state()["state"] == "infusing"

    clinic.press("pca", 300)
    assert pump.state()["state"] == "bolus"
    clinic.wait(BOLUS_MS)
    state = pump.state()
    assert state["state"] == "infusing" and 99_000 < state["booked"]["pca_nl"] <= 100_000

    order(clinic, ug=20, reason="lockout")
    clinic.wait(1_800_000)
    order(clinic, ug=20, reason=None)
    with clinic.logged_on("okafor", "clinician"):
        assert workflows.pause(pump) == "stopped"
    clinic.press("start")
    assert pump.state()["state"] == "infusing"  # and the bolus does not come back
    with clinic.logged_on("okafor", "clinician"):
        assert workflows.stop(pump, "okafor", clinic.key("okafor")) == "stopped"
        assert pump.ask("hello")["session"] == {"person": "okafor", "role": "clinician"}
    clinic.press("start")
    state = pump.state()
    assert (state["state"], state["needs_rx"]) == ("stopped", True)
    assert pump.ask("hello")["session"] is None


def order(clinic: Clinic, ug: int, reason: str | None) -> None:
    """Order a clinician's bolus and give it by START, or expect the refusal `reason`."""
    pump = clinic.pump
    with clinic.logged_on("okafor", "clinician"):
        call = written_order(clinic, ug)
        answer = pump.command("bolus.clinician", call)
        assert (answer["staged"], answer["reason"]) == (reason is None, reason)
        assert pump.state()["state"] == "infusing"  # staged only
        if reason:
            return
        assert clinic.refused(lambda: pump.command("bolus.clinician", call)) == "order_sequence"
        clinic.press("start")
        assert pump.state()["state"] == "infusing"  # a repeated order drops the staged one
        assert pump.command("bolus.clinician", written_order(clinic, ug))["staged"]
    clinic.press("start")
    assert pump.state()["state"] == "bolus"


def written_order(clinic: Clinic, ug: int) -> dict[str, Any]:
    clinic.sequence += 1
    rx = clinic.pump.state()["rx"]
    text = documents.clinician_bolus(serial=SERIAL, sequence=clinic.sequence, rx=rx, ug=ug, over_s=600)
    return {"document": text, **sign.signed_by("rossi", text, clinic.key("rossi"))}


def read_back(clinic: Clinic) -> Chain:
    """Check that the log names who did what and that its chain is whole."""
    chain = workflows.read_log(clinic.pump)
    assert chain.verified
    people = list(PEOPLE)
    rx = [record.payload for record in chain.records if record.name == "rx_signed"]
    assert [(people[one["prescriber"] - 1], people[one["second"] - 1], people[one["loaded_by"] - 1]) for one in rx] == [
        ("rossi", "weber", "okafor")
    ]
    names = [record.name for record in chain.records]
    for name in ("provisioned", "document", "log_on", "log_off", "command", "rx_refused", "rx_confirm", "prime",
                 "bolus_start", "bolus_end", "clinician_decision", "rx_end"):  # fmt: skip
        assert name in names, name
    states = [STATES[record.payload["to_state"]] for record in chain.records if record.name == "state"]
    assert states.count("infusing") >= 3 and states[-1] == "stopped"
    return chain


def whole(target: Target) -> None:
    """The whole day; no more was pumped than booked."""
    clinic = begin(target)
    enrol(clinic)
    prescribe(clinic)
    treat(clinic)
    read_back(clinic)
    truth, state = target.truth(), clinic.pump.state()
    assert truth["firmware_error"] is None, json.dumps(truth["firmware_error"])
    given_ul, booked_ul = truth["pumped_ul"], state["booked_nl"] / 1000
    assert 0 < given_ul <= booked_ul + ROTOR_JUMP_UL, (given_ul, booked_ul)
