"""A clinic's first day with a pump, all of it by the command line and by hands: five people, five keys, no shortcut."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cisterna import paths
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
deadspace_ul = 100
compliance_known_as = 2.0

[prescription]
drug = "morphine"
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


@dataclass
class Desk:
    """Whoever sits at the computer, with one pump at its link, and the files of the clinic in a folder."""

    pump: LivePump
    folder: Path
    said: dict[str, str] = field(default_factory=dict)  # what commands printed, by their first words

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def by(self, name: str) -> tuple[str, ...]:
        return ("--by", name, *self.key(name))

    def key(self, name: str) -> tuple[str, ...]:
        return ("--key", self.file(f"{name}.key"), "--passphrase-file", self.file("passphrase"))

    def at_the_pump(self, hand: str, *arguments: str) -> tuple[str, str]:
        """A command that says what has to be done at the pump, and waits until it was. Both of its outputs."""
        work = self.pump.start(*arguments)
        told = work.stderr.readline()
        if told.startswith("at the pump: "):
            self.pump.say(hand)
        printed, complained = work.communicate(timeout=180)
        assert work.returncode == 0, told + complained
        return printed, told + complained

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
    (desk.folder / "rx.toml").write_text(RX)
    rx, signed = desk.file("x.rx"), ("--people", desk.file("ward.people"), "--library", desk.file("ward.library"))
    new = ("--serial", SERIAL, "--patient", "P-1", "--sequence", "1", "--out", rx)
    desk.pump.done("rx", "new", desk.file("rx.toml"), *new)
    for name in ("rossi", "weber"):
        desk.pump.done("rx", "sign", rx, "--as", PEOPLE[name], "--yes", *desk.by(name))
    desk.pump.done("rx", "verify", rx, *signed, "--authority", desk.file("clinic.pem"))
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
    assert said["primed_nl"] == state["primed_nl"] and 100_000 < said["primed_nl"] < 115_000
    assert "prime_done" in desk.refused(*prime, "--disconnected")


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
    assert "order_sequence" in desk.refused(*load, order, *desk.by("okafor"))
    again = desk.file("again.order")
    pump.done(*new, again)
    pump.done("bolus", "sign", again, "--yes", *desk.by("rossi"))
    assert "not given: running" in desk.refused(*load, again, *desk.by("okafor"))


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
    desk.at_the_pump("press start 2.5", "provision", *provision, *signed)
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
    pump.say("press start")
    until(lambda: desk.state()["state"] == "infusing")
    assert "stopped" in pump.done("stop", pump.link, *desk.by("okafor"))
    assert desk.state()["needs_rx"] is True
    check_log(log_of(desk))


def test_a_day_by_the_command_line(tmp_path):
    pump = LivePump(tmp_path, "--speed", "10")
    whole(Desk(pump, tmp_path))
    assert pump.end() == 0
