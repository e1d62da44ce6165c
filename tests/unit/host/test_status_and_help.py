"""Output for people and scripts: status, watch, hand commands, help of every command."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cisterna.bench import hand_commands
from cisterna.cli import app
from cisterna.errors import LinkSilent
from cisterna.link import status_text, status_watch
from typer.testing import CliRunner

HELLO = {
    "serial": "CB-0007", "bench": True, "people": 1, "library": 3, "library_source": "document",
    "authority": "0a" * 8,
    "session": None, "self_test": "passed", "build": "0.1.0", "board": "unix", "boot": 4,
}  # fmt: skip
STATE = {
    "state": "infusing", "boot": 4, "mono_s": 3_600, "mono_ms": 0, "booked_nl": 1_234_567, "booked_ng": 987_654,
    "booked": {"basal_nl": 1_000_000, "pca_nl": 234_567, "clinician_nl": 0, "excess_nl": 0, "credit_nl": 0},
    "primed": True, "primed_nl": 0, "remaining_nl": 8_765_433, "flow_nl_per_h": 600_000, "rx": "f2ecec4e",
    "rx_seq": 3, "staged": None, "start": None, "needs_rx": False, "alarms": [], "next_possible": [5_400, 0],
    "next_seq": 77, "utc_s": 1_790_000_000, "pressure_pa": 1_250, "heap_used": 1,
}  # fmt: skip

COMMANDS = [
    "status", "watch", "log", "pause", "stop", "provision", "emulate", "rx load", "people load", "library load",
]  # fmt: skip


def test_every_figure_has_its_unit():
    text = "\n".join(status_text.status_lines(HELLO, STATE))
    for said in (
        "CB-0007 (bench)  INFUSING", "1234.567 uL, 987.654 ug", "0.6 mL/h", "8.765 mL", "1.25 kPa",
        "f2ecec4e (number 3)", "possible in 00:30:00", "2026-09-21 14:13:20 UTC", "3 (signed)",
    ):  # fmt: skip
        assert said in text, text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rx": None}, "prescription  none"),
        ({"staged": "01234567"}, "01234567 waits to be confirmed"),
        ({"needs_rx": True}, "a new one is needed"),
        ({"start": "door"}, "START         door is open: close it"),
        ({"start": None}, "START         nothing keeps it from the infusion"),
        ({"alarms": ["occlusion", "door_open"]}, "occlusion, door_open"),
        ({"next_possible": None}, "next bolus    none"),
        ({"next_possible": [10, 0]}, "next bolus    possible\n"),
        ({"utc_s": 0}, "not set"),
    ],
)
def test_each_state_is_shown(change, said):
    assert said in "\n".join(status_text.status_lines(HELLO, {**STATE, **change}))


def test_an_unprovisioned_pump_is_shown_too():
    bare = {**HELLO, "serial": None, "bench": False, "people": None, "library": 0, "library_source": "image",
            "authority": None}  # fmt: skip
    text = "\n".join(status_text.status_lines(bare, STATE))
    assert "not provisioned" in text and "none loaded" in text and "for the bench only" in text
    assert "lost" in "\n".join(status_text.status_lines({**HELLO, "library": None}, STATE))


class Line:
    """A pump that answers, falls silent, and answers again after a restart."""

    def __init__(self, states):
        self._states = states
        self.hello = dict(HELLO)
        self.transport = SimpleNamespace(name="/dev/pts/7")
        self.is_open = False

    def state(self):
        assert self.is_open
        state = self._states.pop(0)
        if state is None:
            raise LinkSilent("the cable is out")
        return state

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.is_open = False


def test_a_lost_link_is_shown_and_recovers(monkeypatch):
    line = Line([STATE, None, {**STATE, "boot": 5}])
    opened = []

    def open_pump(address):
        opened.append(address)
        line.is_open = True
        return line

    monkeypatch.setattr(status_watch.addresses, "open_pump", open_pump)
    watch = status_watch.Watch("unix:")
    looks = []
    for _ in range(3):
        looks.append(watch.read())
        assert not line.is_open  # others can have it
    assert [bool(look.state) for look in looks] == [True, False, True]
    assert "LOST: the cable is out" in looks[1].as_line() and looks[1].as_page().startswith("LOST: the cable is out")
    assert json.loads(looks[1].as_json())["lost"] == "the cable is out"
    assert json.loads(looks[2].as_json())["state"]["boot"] == 5
    assert opened == ["unix:", "/dev/pts/7", "/dev/pts/7", "unix:"]


# --- words for hands


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("press start 2.5", ("press", {"button": "start", "hold_ms": 2500, "count": 1, "gap_ms": 300})),
        ("press pca", ("press", {"button": "pca", "hold_ms": 200, "count": 1, "gap_ms": 300})),
        ("door open", ("door", {"open": True})),
        ("door close", ("door", {"open": False})),
        ("syringe out", ("syringe", {"gripped": False})),
        ("connect", ("connect", {})),
        ("occlude where=downstream fraction=0.8", ("occlude", {"where": "downstream", "fraction": 0.8})),
    ],
)
def test_each_hand_command_is_an_action(said, done):
    assert hand_commands.parse(*said.split()) == done


@pytest.mark.parametrize(
    "said",
    [
        "press",
        "press start long",
        "press start 1 2",
        "door",
        "door ajar",
        "occlude hard",
        "press start inf",
        "press pca 1e400",
        "press stop nan",
        "occlude fraction=Infinity",
        "stall for_s=1e400",
        "creep percent=NaN for_s=1",
        "door do=1",
        "door self=1",
        "stall for_s=[1]",
        "stall for_s=" + "9" * 2000,
        'hang for_s="\\ud800"',
    ],
)
def test_an_unknown_hand_command(said):
    with pytest.raises(ValueError, match="allowed: press, door"):
        hand_commands.parse(*said.split())


# --- help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_its_exit_statuses(command):
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    text = re.sub(r"\s+", " ", result.output)
    assert result.exit_code == 0
    assert f"Example: cisterna {command}" in text and "Exit status: 0" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["watch", "/dev/no-such", "--every", "0.9"], "--every held 0.9; allowed: 1 to 86400 s"),
        (["status", "nowhere"], "allowed: unix:"),
        (["emulate", "--board", "unix", "--speed", "0"], "--speed held 0"),
        (["emulate", "--speed", "2"], "--speed held 2"),
        (["emulate", "--board", "unix", "--bare"], "--bare"),
        (["rx", "load", "/dev/no-such", "none.rx", "--by", "a", "--key", "b"], "none.rx: cannot be read"),
    ],
)
def test_a_wrong_argument_is_one_line_and_status_2(arguments, said, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "cisterna", *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ran.returncode == 2 and said in ran.stderr and len(ran.stderr.splitlines()) == 1 and ran.stdout == ""
