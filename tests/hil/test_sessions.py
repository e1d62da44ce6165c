"""Sessions of the scenario's clinicians: one, two at once, with a power cut, on a bad cable."""

import random
import tomllib

import pytest
from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.sim import runner, scenario_file
from support.simulated.scenario_play import outcome, play, text


def sessions(run: runner.Outcome) -> list[tuple[str, float]]:
    """Log-ons and log-offs after t = 0, with their seconds."""
    found = [(record.name, run.moment_s(record)) for record in run.records if record.name in ("log_on", "log_off")]
    return [(name, t_s) for name, t_s in found if t_s > 0]


def names(run: runner.Outcome) -> list[str]:
    return [name for name, _ in sessions(run)]


def count(run: runner.Outcome, name: str) -> int:
    return sum(record.name == name for record in run.records)


def codes(summary: dict) -> list[tuple[str, str]]:
    return [(refusal["do"], refusal["code"]) for refusal in summary["refusals"]]


def test_each_action_logs_on_and_off():
    """SEC-04: the session ends with the work."""
    run = outcome("1h", "10min restart", "30min clinician_bolus ug=50 over_s=300")
    assert names(run) == ["log_on", "log_off"] * 2
    assert [record.payload["why"] for record in run.records if record.name == "log_off"] == [1] * 4
    (on, off), (_, _) = zip(*[iter(t_s for _, t_s in sessions(run))] * 2, strict=True)
    assert 600 <= on <= 601 and off - on < 20  # with six pages to read


def test_actions_that_overlap_take_turns_each_with_its_log_on():
    """SEC-04: the restart takes some seconds of keys; who sets the clock meanwhile waits for the turn."""
    clocks = [f"{second}s clock set='2030-01-01T00:00:00Z'" for second in (601, 602)]
    run = outcome("20min", "10min restart", *clocks)
    assert names(run) == ["log_on", "log_off"] * 3 and run.summary["refusals"] == []
    assert count(run, "time_set") == 2 and run.summary["state"] == "infusing"
    times = [t_s for _, t_s in sessions(run)]
    assert times[0] < 601 and times == sorted(times) and times[-1] < 660


def test_a_refused_action_logs_off_too():
    """SEC-04."""
    run = outcome("20min", "10min clinician_bolus ug=20000 over_s=600")
    assert len(run.summary["refusals"]) == 1 and names(run) == ["log_on", "log_off"]
    (_, _), (_, off) = sessions(run)
    assert off < 610


@pytest.mark.parametrize("after_ms", [1, 40, 700, 2_000, 4_000])
def test_a_power_cut_in_the_middle_of_a_clinician_s_action(after_ms):
    """The interrupted work is not done; after power-up a new log-on is needed."""
    cut = f"{600 + after_ms / 1000:.3f}s power off_for='20s'"
    run = outcome("20min", "10min restart", cut, "11min clinician_bolus ug=50 over_s=60", "12min restart")
    summary = run.summary
    assert codes(summary)[0] in [("restart", "off"), ("restart", "link"), ("restart", "session_none")]
    assert [do for do, _ in codes(summary)[1:]] == ["clinician_bolus"] * (len(codes(summary)) - 1)
    assert summary["state"] == "infusing" and summary["reboots"] == 1 and summary["log"]["verified"]
    assert summary["booked_ul"] >= summary["pumped_ul"] * 0.999 - 1.5
    assert [name for name, t_s in sessions(run) if t_s > 715] == ["log_on", "log_off"]


def test_a_power_cut_between_order_and_finger_gives_nothing():
    """SEC-07: an order waits in no memory."""
    run = outcome("20min", "10min clinician_bolus ug=50 over_s=300", "600.060s power off_for='20s'", "12min restart")
    assert run.summary["boluses"] == [] and run.summary["state"] == "infusing"


class LossyTarget(UnixTarget):
    """A bad cable: lines get lost both ways, now and then."""

    def __init__(self, seed: int):
        super().__init__(paths.firmware())
        self._dice = random.Random(seed)
        self.lost = [0, 0]  # to the pump, from it

    def _loses(self, way: int) -> bool:
        lost = self._dice.random() < 0.1
        self.lost[way] += lost
        return lost

    def send(self, line: bytes) -> None:
        if not self._loses(0):
            super().send(line)

    def lines(self) -> list[bytes]:
        return [line for line in super().lines() if not self._loses(1)]

    def exchange(self, line: bytes, timeout_ms: int = 5000) -> bytes:
        end_ms = self.now_ms + timeout_ms
        if not self._loses(0):
            answer = super().exchange(line, timeout_ms)
            if not self._loses(1):
                return answer
        self.run_until(end_ms)
        raise TimeoutError("lost")


@pytest.mark.parametrize("seed", range(3))
def test_on_a_bad_cable_each_command_happens_once(seed):
    """COM-02, COM-04: what got no answer is sent again, and the pump does no command twice."""
    actions = (
        "10min clinician_bolus ug=50 over_s=300",
        "1h prescribe basal_ug_per_day=12000",
        "2h refill ml=10 returned_ml=9",
        "3h restart",
        "4h clinician_bolus ug=60 over_s=300",
        "5h cancel",
    )
    target = LossyTarget(seed)
    lossy = runner.run(scenario_file.check(tomllib.loads(text("5.5h", *actions)), "test"), target)
    plain = outcome("5.5h", *actions)
    assert min(target.lost) >= 5
    assert lossy.summary["refusals"] == plain.summary["refusals"] == []
    assert lossy.summary["log"]["verified"] and lossy.summary["state"] == plain.summary["state"] == "stopped"
    for name in ("log_on", "rx_load", "rx_confirm", "clinician_decision", "bolus_start", "refill", "rx_end"):
        assert count(lossy, name) == count(plain, name), name
    assert [bolus["result"] for bolus in lossy.summary["boluses"]] == ["delivered"] * 2
    assert "log_on_refused" not in {record.name for record in lossy.records}


def test_a_press_counts_while_a_clinician_is_at_work():
    """Nothing of the therapy waits for the link."""
    summary = play("20min", "10min clock set='2030-01-01T00:00:00Z'", "600.010s press")
    assert [bolus["result"] for bolus in summary["boluses"]] == ["delivered"] and summary["refusals"] == []
