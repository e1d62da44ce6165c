"""A clinic's first day with a pump by the command line and by hands: people, drugs, prescription, therapy, log."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from cisterna import paths
from pump.base.states import NAMES as STATES

from support.simulated.pump_process import PumpProcess, wait_until

SERIAL = "CB-0051"
PEOPLE = {  # role by name; the authority is none of them
    "rossi": "prescriber",
    "weber": "second",
    "okafor": "clinician",
    "lind": "service",
}
RX = """
[pump]
syringe = "bd-10"
fill_ml = 10.0
deadspace_ul = {deadspace_ul}
compliance_known_as = 2.0

[prescription]
drug = "{drug}"
concentration_ug_per_ml = 500
route = "intrathecal"
site = "lumbar"
basal_ug_per_day = 500
bolus_ug = 50
bolus_duration_s = 120
lockout_s = 1800
max_boluses_per_24h = 5
limit_24h_ug = 800
"""
ORDER_UG, ORDER_NL = 20, 40_000  # at 500 ug/mL
READ_S = 0.6  # for which the display must have been seen before a key counts
LASH_NL = 4_000  # backlash of the screw


@dataclass
class CommandLineDesk:
    """The computer with one pump on its link, and the files of the clinic in a folder.

    A bench pump takes test fluid, and a shorter line than any drug.
    """

    pump: PumpProcess
    folder: Path
    drug: str = "morphine"
    deadspace_ul: int = 100

    @property
    def bench(self) -> tuple[str, ...]:
        return ("--bench",) if self.drug == "test-fluid" else ()

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def by(self, name: str) -> tuple[str, ...]:
        return ("--by", name, *self.key(name))

    def key(self, name: str) -> tuple[str, ...]:
        return ("--key", self.file(f"{name}.key"), "--passphrase-file", self.file("passphrase"))

    def at_the_pump(self, hand: str, *arguments: str) -> tuple[str, str]:
        """Run a command that waits for a key at the pump. Returns its standard output and standard error.

        The key is pressed once the last page of the display shows what the command announced.
        """
        work = self.pump.start(*arguments)
        told = work.stderr.readline()
        if told.startswith("at the pump: "):
            self.pump.turn_pages()
            wait_until(lambda: self.shows(re.findall('"(.*?)"', told)))
            time.sleep(READ_S)
            self.pump.hand(hand)
        printed, complained = work.communicate(timeout=180)
        assert work.returncode == 0, told + complained
        return printed, told + complained

    def shows(self, words: list[str]) -> bool:
        """Whether the display shows all `words` and START."""
        rows = self.pump.display()
        return all(any(word in row for row in rows) for word in [*words, "START"])

    def refused(self, *arguments: str) -> str:
        """Error line of a command that must be refused: one line, status 2, nothing printed."""
        ran = self.pump.cisterna(*arguments)
        assert ran.returncode == 2 and ran.stdout == "" and len(ran.stderr.splitlines()) == 1, ran.stdout + ran.stderr
        return ran.stderr

    def state(self) -> dict:
        return self.pump.status()["state"]


def make_clinic(desk: CommandLineDesk) -> None:
    """Make keys with passphrases, the people document, and the bench's library as the clinic's; sign both."""
    secret = desk.folder / "passphrase"
    secret.touch(0o600)
    secret.write_text("a passphrase of the ward\n")
    for name in ("clinic", *PEOPLE):
        public = ("--public", desk.file(f"{name}.pem"))
        desk.pump.output_of("key", "new", name, "--out", desk.file(f"{name}.key"), *public, *desk.key(name)[2:])
    persons = [f'[[person]]\nname = "{name}"\nroles = ["{role}"]\nkey = "{name}.pem"' for name, role in PEOPLE.items()]
    (desk.folder / "people.toml").write_text("\n".join(['clinic = "Ward 3"', *persons]))
    made = ("--number", "1", *desk.key("clinic"), "--out")
    desk.pump.output_of("people", "make", desk.file("people.toml"), *made, desk.file("ward.people"))
    drugs = str(paths.PACKAGE / "pharmacy" / "bench_library.toml")
    desk.pump.output_of("library", "make", drugs, "--title", "Ward 3", *made, desk.file("ward.library"))


def prescribe(desk: CommandLineDesk) -> None:
    """Write, sign twice, verify, load, confirm by START."""
    (desk.folder / "rx.toml").write_text(RX.format(drug=desk.drug, deadspace_ul=desk.deadspace_ul))
    rx, signed = desk.file("x.rx"), ("--people", desk.file("ward.people"), "--library", desk.file("ward.library"))
    new = ("--serial", SERIAL, "--patient", "P-1", "--sequence", "1", "--out", rx)
    desk.pump.output_of("rx", "new", desk.file("rx.toml"), *new)
    for name in ("rossi", "weber"):
        desk.pump.output_of("rx", "sign", rx, "--as", PEOPLE[name], "--yes", *desk.by(name))
    desk.pump.output_of("rx", "verify", rx, *signed, "--authority", desk.file("clinic.pem"), *desk.bench)
    printed, told = desk.at_the_pump("press start 2.5", "rx", "load", desk.pump.link, rx, *desk.by("okafor"))
    assert "reads back exactly what was signed" in printed and "hold START" in told


def fill_the_line(desk: CommandLineDesk) -> None:
    """Prime with --disconnected and START; the booked volume is that of the line."""
    prime = ("prime", desk.pump.link, *desk.by("okafor"))
    assert "--disconnected is missing" in desk.refused(*prime)
    assert desk.state()["primed_nl"] == 0
    printed, told = desk.at_the_pump("press start", *prime, "--disconnected", "--json")
    said, state = json.loads(printed), desk.state()
    assert "press START" in told and said["primed"] and said["state"] == "stopped"
    assert state["primed"] and state["state"] == "stopped"
    nl = desk.deadspace_ul * 1000
    assert said["primed_nl"] == state["primed_nl"] and nl < said["primed_nl"] < 1.1 * nl + LASH_NL


def order_a_bolus(desk: CommandLineDesk) -> None:
    """Write an order for this pump, sign, load, give by START; each works once."""
    pump, order = desk.pump, desk.file("x.order")
    new = ("bolus", "new", pump.link, "--ug", str(ORDER_UG), "--over-s", "600", "--out")
    pump.output_of(*new, order)
    load = ("bolus", "load", pump.link)
    assert "order: not signed" in desk.refused(*load, order, *desk.by("okafor"))
    pump.output_of("bolus", "sign", order, "--yes", *desk.by("rossi"))
    shown = json.loads(pump.output_of("bolus", "show", order, "--json"))
    assert (shown["by"], shown["values"]["sequence"]) == ("rossi", desk.state()["rx_seq"] + 1)
    printed, told = desk.at_the_pump("press start", *load, order, *desk.by("okafor"), "--json")
    given = json.loads(printed)
    assert f"{ORDER_UG} mcg" in told and given["mass_ng"] == ORDER_UG * 1000
    assert ORDER_NL - 100 < given["nl"] <= ORDER_NL and desk.state()["state"] == "bolus"
    again = desk.file("again.order")
    pump.output_of(*new, again)
    pump.output_of("bolus", "sign", again, "--yes", *desk.by("rossi"))
    assert "not given: running" in desk.refused(*load, again, *desk.by("okafor"))


def refill(desk: CommandLineDesk, returned_ml: str) -> dict:
    """Answer of the pump to a refill with 10 mL."""
    told = ("--ml", "10", "--returned-ml", returned_ml, "--drug", desk.drug, *desk.by("okafor"), "--json")
    return json.loads(
        desk.pump.output_of("refill", desk.pump.link, *told, "--concentration", "500", "--syringe", "bd-10")
    )


def refill_as_expected(desk: CommandLineDesk) -> None:
    """Refill with the expected returned volume: the prescription stays."""
    left_nl = desk.state()["remaining_nl"]
    said = refill(desk, f"{left_nl / 1e6:.3f}")
    assert (said["expected_nl"], said["remaining_nl"], said["needs_rx"]) == (left_nl, 10_000_000, False)


def refill_with_a_loss(desk: CommandLineDesk) -> None:
    """Refill with more than 1 mL missing: an alarm, and a new prescription is needed."""
    said = refill(desk, "8")
    assert said["needs_rx"] and "refill" in said["alarms"] and said["expected_nl"] > 9_900_000


def log_of(desk: CommandLineDesk) -> list[dict]:
    """Records of the pump, verified."""
    out = desk.folder / "log.jsonl"
    said = json.loads(desk.pump.output_of("log", desk.pump.link, "--out", str(out), "--json"))
    assert said["verified"], said["problems"]
    return [json.loads(line) for line in out.read_text().splitlines()]


def check_log(records: list[dict]) -> None:
    """Check that the log names each person and action in order."""
    names = list(PEOPLE)
    of = lambda kind: [record for record in records if record["type"] == kind]  # noqa: E731
    signed = [(names[one["prescriber"] - 1], names[one["second"] - 1], names[one["loaded_by"] - 1])
              for one in of("rx_signed")]  # fmt: skip
    assert signed == [("rossi", "weber", "okafor")]
    assert {names[one["person"] - 1] for one in of("log_on")} == {"okafor"}
    assert len(of("log_on")) == len(of("log_off"))
    assert [one["finished"] for one in of("prime")] == [1]
    assert [(one["kind"], one["mass_ng"]) for one in of("bolus_start")] == [(2, 20_000), (1, 50_000)]
    assert [one["fill_nl"] for one in of("refill")] == [10_000_000] * 2
    assert len(of("provisioned")) == len(of("rx_confirm")) == len(of("time_set")) == len(of("rx_end")) == 1
    went = [STATES[one["to_state"]] for one in of("state")]
    day = ["priming", "stopped", "infusing", "bolus", "stopped", "infusing", "stopped"]
    assert went[-len(day) :] == day


def whole_day(desk: CommandLineDesk) -> None:
    """The whole day, from provisioning to the log."""
    pump = desk.pump
    make_clinic(desk)
    provision = (pump.link, "--serial", SERIAL, "--authority", desk.file("clinic.pem"))
    signed = ("--people", desk.file("ward.people"), "--library", desk.file("ward.library"))
    desk.at_the_pump("press start 2.5", "provision", *provision, *signed, *desk.bench)
    assert pump.status()["hello"]["library_source"] == "document"
    prescribe(desk)
    moved = json.loads(
        pump.output_of("clock", pump.link, *desk.by("okafor"), "--utc", "2026-11-27T08:00:00Z", "--json")
    )
    assert 0 <= moved["utc_s"] - 1_795_766_400 < 60
    fill_the_line(desk)
    pump.hand("connect")
    pump.hand("press start")
    wait_until(lambda: desk.state()["state"] == "infusing")
    order_a_bolus(desk)
    pump.hand("press pca 0.3")
    wait_until(lambda: desk.state()["booked"]["pca_nl"] > 0)
    assert "stopped" in pump.output_of("pause", pump.link, *desk.by("okafor"))
    refill_as_expected(desk)
    pump.hand("press start")
    wait_until(lambda: desk.state()["state"] == "infusing")
    assert "stopped" in pump.output_of("stop", pump.link, *desk.by("okafor"))
    assert desk.state()["needs_rx"] is True
    refill_with_a_loss(desk)
    check_log(log_of(desk))
