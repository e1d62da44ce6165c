"""A clinic's first day with a pump, all of it by the command line and by hands: five people, five keys, no shortcut."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.errors import CisternaError
from cisterna.link import procedures
from cisterna.link.pump import LinkUncertain
from hil import flow
from hil.live import LivePump, until
from pump.pump import STATES

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
READ_S = 0.6  # before a hand does what a display says
LASH_NL = 4_000  # of the screw: it turns that far before fluid moves


@dataclass
class Desk:
    """Whoever sits at the computer, with one pump at its link, and the files of the clinic in a folder.

    A pump of the bench takes test fluid, and a shorter line than any drug.
    """

    pump: LivePump
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
        """A command that says what has to be done at the pump, and waits until it was. Both of its outputs.

        The hand does it when the display shows what the command says that it does.
        """
        work = self.pump.start(*arguments)
        told = work.stderr.readline()
        if told.startswith("at the pump: "):
            until(lambda: self.shows(re.findall('"(.*?)"', told)))
            time.sleep(READ_S)
            self.pump.say(hand)
        printed, complained = work.communicate(timeout=180)
        assert work.returncode == 0, told + complained
        return printed, told + complained

    def shows(self, words: list[str]) -> bool:
        """Whether all of that is on the pump's display, and what START is for."""
        rows = self.pump.display()
        return all(any(word in row for row in rows) for word in [*words, "START"])

    def refused(self, *arguments: str) -> str:
        """Why a command would not: one line, status 2, nothing printed."""
        ran = self.pump.cisterna(*arguments)
        assert ran.returncode == 2 and ran.stdout == "" and len(ran.stderr.splitlines()) == 1, ran.stdout + ran.stderr
        return ran.stderr

    def state(self) -> dict:
        return self.pump.status()["state"]


def make_clinic(desk: Desk) -> None:
    """Keys with passphrases, the people, and the drugs of the bench as the clinic's own; the authority signs both."""
    secret = desk.folder / "passphrase"
    secret.touch(0o600)
    secret.write_text("a passphrase of the ward\n")
    for name in ("clinic", *PEOPLE):
        public = ("--public", desk.file(f"{name}.pem"))
        desk.pump.done("key", "new", name, "--out", desk.file(f"{name}.key"), *public, *desk.key(name)[2:])
    persons = [f'[[person]]\nname = "{name}"\nroles = ["{role}"]\nkey = "{name}.pem"' for name, role in PEOPLE.items()]
    (desk.folder / "people.toml").write_text("\n".join(['clinic = "Ward 3"', *persons]))
    made = ("--number", "1", *desk.key("clinic"), "--out")
    desk.pump.done("people", "make", desk.file("people.toml"), *made, desk.file("ward.people"))
    drugs = str(paths.PACKAGE / "pharmacy" / "bench_library.toml")
    desk.pump.done("library", "make", drugs, "--title", "Ward 3", *made, desk.file("ward.library"))


def prescribe(desk: Desk) -> None:
    """Written, signed by two, verified at the desk, loaded, confirmed by a finger."""
    (desk.folder / "rx.toml").write_text(RX.format(drug=desk.drug, deadspace_ul=desk.deadspace_ul))
    rx, signed = desk.file("x.rx"), ("--people", desk.file("ward.people"), "--library", desk.file("ward.library"))
    new = ("--serial", SERIAL, "--patient", "P-1", "--sequence", "1", "--out", rx)
    desk.pump.done("rx", "new", desk.file("rx.toml"), *new)
    for name in ("rossi", "weber"):
        desk.pump.done("rx", "sign", rx, "--as", PEOPLE[name], "--yes", *desk.by(name))
    desk.pump.done("rx", "verify", rx, *signed, "--authority", desk.file("clinic.pem"), *desk.bench)
    printed, told = desk.at_the_pump("press start 2.5", "rx", "load", desk.pump.link, rx, *desk.by("okafor"))
    assert "reads back exactly what was signed" in printed and "hold START" in told


def fill_the_line(desk: Desk) -> None:
    """Only after somebody has looked; then START, and the world says that as much went in as the pump counts."""
    prime = ("prime", desk.pump.link, *desk.by("okafor"))
    assert "--disconnected is missing" in desk.refused(*prime)
    assert desk.state()["primed_nl"] == 0
    printed, told = desk.at_the_pump("press start", *prime, "--disconnected", "--json")
    said, state = json.loads(printed), desk.state()
    assert "press START" in told and said["primed"] and said["state"] == "stopped"
    assert state["primed"] and state["state"] == "stopped"
    nl = desk.deadspace_ul * 1000
    assert said["primed_nl"] == state["primed_nl"] and nl < said["primed_nl"] < 1.1 * nl + LASH_NL


def order_a_bolus(desk: Desk) -> None:
    """Written for this pump, signed by the prescriber, loaded by the clinician, given by a finger; each once."""
    pump, order = desk.pump, desk.file("x.order")
    new = ("bolus", "new", pump.link, "--ug", str(ORDER_UG), "--over-s", "600", "--out")
    pump.done(*new, order)
    load = ("bolus", "load", pump.link)
    assert "nobody has signed" in desk.refused(*load, order, *desk.by("okafor"))
    pump.done("bolus", "sign", order, "--yes", *desk.by("rossi"))
    shown = json.loads(pump.done("bolus", "show", order, "--json"))
    assert (shown["by"], shown["values"]["sequence"]) == ("rossi", desk.state()["rx_seq"] + 1)
    printed, told = desk.at_the_pump("press start", *load, order, *desk.by("okafor"), "--json")
    given = json.loads(printed)
    assert f"{ORDER_UG} mcg" in told and given["mass_ng"] == ORDER_UG * 1000
    assert ORDER_NL - 100 < given["nl"] <= ORDER_NL and desk.state()["state"] == "bolus"
    again = desk.file("again.order")
    pump.done(*new, again)
    pump.done("bolus", "sign", again, "--yes", *desk.by("rossi"))
    assert "not given: running" in desk.refused(*load, again, *desk.by("okafor"))


def refill(desk: Desk, returned_ml: str) -> dict:
    """What the pump says of another syringe of 10 mL."""
    told = ("--ml", "10", "--returned-ml", returned_ml, "--drug", desk.drug, *desk.by("okafor"), "--json")
    return json.loads(desk.pump.done("refill", desk.pump.link, *told, "--concentration", "500"))


def refill_as_expected(desk: Desk) -> None:
    """As much came back as the pump had counted on: the therapy may go on."""
    left_nl = desk.state()["remaining_nl"]
    said = refill(desk, f"{left_nl / 1e6:.3f}")
    assert (said["expected_nl"], said["remaining_nl"], said["needs_rx"]) == (left_nl, 10_000_000, False)


def refill_with_a_loss(desk: Desk) -> None:
    """More than 1 mL is not where it should be: an alarm, and a new prescription."""
    said = refill(desk, "8")
    assert said["needs_rx"] and "refill" in said["alarms"] and said["expected_nl"] > 9_900_000


def log_of(desk: Desk) -> list[dict]:
    """What the pump has written, verified."""
    out = desk.folder / "log.jsonl"
    said = json.loads(desk.pump.done("log", desk.pump.link, "--out", str(out), "--json"))
    assert said["verified"], said["problems"]
    return [json.loads(line) for line in out.read_text().splitlines()]


def check_log(records: list[dict]) -> None:
    """It names who did what, in turn."""
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


def whole(desk: Desk) -> None:
    """From unpacking to the log."""
    pump = desk.pump
    make_clinic(desk)
    provision = (pump.link, "--serial", SERIAL, "--authority", desk.file("clinic.pem"))
    signed = ("--people", desk.file("ward.people"), "--library", desk.file("ward.library"))
    desk.at_the_pump("press start 2.5", "provision", *provision, *signed, *desk.bench)
    assert pump.status()["hello"]["library_source"] == "document"
    prescribe(desk)
    moved = json.loads(pump.done("clock", pump.link, *desk.by("okafor"), "--utc", "2026-11-27T08:00:00Z", "--json"))
    assert 0 <= moved["utc_s"] - 1_795_766_400 < 60
    fill_the_line(desk)
    pump.say("connect")
    pump.say("press start")
    until(lambda: desk.state()["state"] == "infusing")
    order_a_bolus(desk)
    pump.say("press pca 0.3")
    until(lambda: desk.state()["booked"]["pca_nl"] > 0)
    assert "stopped" in pump.done("pause", pump.link, *desk.by("okafor"))
    refill_as_expected(desk)
    pump.say("press start")
    until(lambda: desk.state()["state"] == "infusing")
    assert "stopped" in pump.done("stop", pump.link, *desk.by("okafor"))
    assert desk.state()["needs_rx"] is True
    refill_with_a_loss(desk)
    check_log(log_of(desk))


def test_a_day_by_the_command_line(tmp_path):
    pump = LivePump(tmp_path, "--speed", "10")
    whole(Desk(pump, tmp_path))
    assert pump.end() == 0


# --- what can go wrong at the pump, in the time of its world


@pytest.fixture
def clinic():
    """A pump whose prescription is confirmed; its line is empty."""
    target = UnixTarget()
    clinic = flow.begin(target)
    flow.enrol(clinic)
    with clinic.logged_on("okafor", "clinician"):
        loaded = procedures.load_prescription(clinic.pump, clinic.prescription().call())
        clinic.wait(1_000)
        clinic.hold_start()
    assert clinic.pump.state()["rx"] == loaded.hash8
    yield clinic
    target.close()


def ready_to_fill(clinic: flow.Clinic) -> procedures.Filling:
    with clinic.logged_on("okafor", "clinician"):
        return procedures.make_ready_to_fill(clinic.pump)


def filled(clinic: flow.Clinic, told: list[float] | None = None) -> dict:
    filling = ready_to_fill(clinic)
    clinic.wait(1_000)
    clinic.press("start")
    procedures.wait_filling(clinic.pump, filling)
    return procedures.wait_filled(clinic.pump, filling, None if told is None else told.append)


def test_a_line_fills_to_its_end_and_says_how_far_it_is(clinic):
    """As much as the pump said, and no more."""
    told: list[float] = []
    nl = ready_to_fill(clinic).nl
    state = filled(clinic, told)
    assert told == sorted(told) and told[0] < 0.2 and 0.8 < told[-1] <= 1
    assert nl - 1_000 <= state["primed_nl"] <= nl + 100 and state["state"] == "stopped"


def test_nobody_presses_start_to_fill_the_line(clinic):
    """When the host gives up, the pump has given up: a late press fills nothing."""
    filling = ready_to_fill(clinic)
    with pytest.raises(procedures.NotFilled, match="START was not pressed within 180 s"):
        procedures.wait_filling(clinic.pump, filling)
    clinic.press("start")
    clinic.wait(5_000)
    assert clinic.pump.state()["primed_nl"] == 0 == clinic.target.truth()["pumped_ul"]


def test_a_pump_that_starts_anew_waits_for_nobody(clinic):
    filling = ready_to_fill(clinic)
    clinic.target.act("power", off_for_s=1)
    clinic.wait(10_000)
    with pytest.raises(procedures.NotFilled, match="not filled; now: stopped.*boot 2; put that right"):
        procedures.wait_filling(clinic.pump, filling)


def test_stop_ends_the_filling_and_the_rest_is_filled_later(clinic):
    """What went in before counts."""
    filling = ready_to_fill(clinic)
    clinic.wait(1_000)
    clinic.press("start")
    procedures.wait_filling(clinic.pump, filling)
    clinic.wait(15_000)
    clinic.press("stop")
    with pytest.raises(procedures.NotFilled, match=r"ended after \d+\.\d{3} of 1\d\d\.\d{3} uL; now: stopped"):
        procedures.wait_filled(clinic.pump, filling)
    moved_nl = clinic.pump.state()["primed_nl"]
    assert 20_000 < moved_nl < 60_000
    rest = ready_to_fill(clinic)
    assert abs(rest.nl + moved_nl - filling.nl) < 200
    assert abs(filled(clinic)["primed_nl"] - filling.nl) < 1_000


@pytest.fixture
def infusing(clinic):
    filled(clinic)
    clinic.target.act("connect")
    clinic.press("start")
    assert clinic.pump.state()["state"] == "infusing"
    return clinic


def order_loaded(clinic: flow.Clinic) -> int:
    call = flow.written_order(clinic, ug=20)
    with clinic.logged_on("okafor", "clinician"):
        first = procedures.load_order(clinic.pump, call)
    clinic.wait(1_000)
    return first


def test_an_order_runs_once_start_was_pressed(infusing):
    """The patient's own bolus looks the same in the state; the record says whose it is."""
    first = order_loaded(infusing)
    infusing.press("start")
    started = procedures.wait_given(infusing.pump, first)
    assert (started["mass_ng"], started["duration_ms"]) == (20_000, 600_000)


def test_nobody_presses_start_for_the_bolus(infusing):
    """When the host gives up, the pump has given up: a late press gives nothing."""
    first = order_loaded(infusing)
    with pytest.raises(procedures.NotGiven, match="START was not pressed within 60 s; this order is used up"):
        procedures.wait_given(infusing.pump, first)
    infusing.press("start")
    infusing.wait(2_000)
    state = infusing.pump.state()
    assert (state["state"], state["booked"]["clinician_nl"]) == ("infusing", 0)


def test_a_bolus_of_the_patient_comes_first(infusing):
    first = order_loaded(infusing)
    infusing.press("pca", 300)
    infusing.press("start")
    with pytest.raises(procedures.NotGiven, match="not given: running"):
        procedures.wait_given(infusing.pump, first)


def test_another_order_takes_the_place_of_the_first(infusing, monkeypatch):
    """Whose bolus it is that runs then is not taken for one's own."""
    first = order_loaded(infusing)

    def meanwhile(seconds: float) -> None:
        order_loaded(infusing)
        infusing.press("start")

    monkeypatch.setattr(infusing.pump, "rest", meanwhile)
    with pytest.raises(procedures.Displaced, match=r"somebody has loaded number \d+ .* waits no more"):
        procedures.wait_given(infusing.pump, first)
    assert infusing.pump.state()["state"] == "bolus"


def test_a_therapy_that_stops_takes_the_order_with_it(infusing):
    first = order_loaded(infusing)
    infusing.press("stop")
    with pytest.raises(procedures.NotGiven, match="now: stopped"):
        procedures.wait_given(infusing.pump, first)


def test_an_order_that_cannot_be_given_now(infusing):
    infusing.press("pca", 300)
    with pytest.raises(procedures.NotGiven, match="not given: running; this order is used up"):
        order_loaded(infusing)


def test_a_pump_that_is_lost_meanwhile(infusing, monkeypatch):
    """Nobody at the desk knows what came of it, and nobody says so."""
    first = order_loaded(infusing)
    monkeypatch.setattr(infusing.target, "send", lambda line: None)  # the cable is out
    monkeypatch.setattr(infusing.pump, "ask_s", 0.1)
    exchange = infusing.target.exchange
    monkeypatch.setattr(infusing.target, "exchange", lambda line, timeout_ms: exchange(b"", timeout_ms=timeout_ms))
    with pytest.raises(LinkUncertain, match="the bolus: it may or may not be given: "):
        procedures.wait_given(infusing.pump, first)


def test_whom_an_order_is_written_to(infusing):
    """The number after the last one of any prescription or order; no order under a prescription that has ended."""
    state = infusing.pump.state()
    assert procedures.addressed(infusing.pump) == {
        "serial": flow.SERIAL, "sequence": state["rx_seq"] + 1, "rx": state["rx"],
    }  # fmt: skip
    with infusing.logged_on("okafor", "clinician"):
        procedures.stop(infusing.pump)
    with pytest.raises(CisternaError, match="needs a prescription"):
        procedures.addressed(infusing.pump)
