"""The script player: each event happens at its own time while other scripts wait."""

import pytest
from cisterna.errors import LinkSilent, PumpRefused
from cisterna.link.protocol import frame, unframe
from cisterna.sim.script_player import RETRY_MS, TIMEOUT_MS, Ask, ScriptPlayer, WaitUntil


class FakeTarget:
    """A world in which only time passes, with a pump that answers `slow_ms` after each question.

    lost: of the lines sent, by their place from 0, those that never arrive; unheard: those whose answer does not.
    """

    def __init__(self, slow_ms: int = 5, silent: bool = False, lost: tuple = (), unheard: tuple = ()):
        self.now_ms = 0
        self.slow_ms, self.silent = slow_ms, silent
        self.lost, self.unheard = lost, unheard
        self.sent: list[tuple[int, int, int, str]] = []  # when, number of the line, id, method
        self._answers: list[tuple[int, bytes]] = []

    def run_until(self, t_ms: int) -> None:
        assert t_ms >= self.now_ms, "time went backwards"
        self.now_ms = t_ms

    def send(self, line: bytes) -> None:
        number, request = unframe(line)
        place = len(self.sent)
        self.sent.append((self.now_ms, number, request["id"], request["method"]))
        if self.silent or place in self.lost or place in self.unheard:
            return
        reply = {"jsonrpc": "2.0", "id": request["id"], "result": {"asked": request["method"]}}
        if request["method"] == "no":
            reply = {"id": request["id"], "error": {"code": -32000, "message": "", "data": {"code": "rx_no"}}}
        self._answers.append((self.now_ms + self.slow_ms, frame(number, reply)))

    def exchange(self, line: bytes, timeout_ms: int) -> bytes:
        self.send(line)
        end_ms = self.now_ms + timeout_ms
        if not self._answers or (first := min(self._answers))[0] > end_ms:
            self.now_ms = end_ms
            raise TimeoutError
        self.now_ms = max(self.now_ms, first[0])
        self._answers.remove(first)
        return first[1]

    def lines(self) -> list[bytes]:
        due = [line for ready_ms, line in self._answers if ready_ms <= self.now_ms]
        self._answers = [answer for answer in self._answers if answer[0] > self.now_ms]
        return due


def test_events_come_in_time_order_and_file_order_at_equal_times():
    player, seen = ScriptPlayer(FakeTarget()), []
    for ms, name in [(300, "c"), (100, "a"), (300, "d"), (200, "b"), (400, "late")]:
        player.at(ms, lambda ms=ms, name=name: seen.append((name, ms, player.now_ms)))
    player.run_until(300)
    assert seen == [("a", 100, 100), ("b", 200, 200), ("c", 300, 300), ("d", 300, 300)]
    assert player.now_ms == 300


def test_a_script_waits_sends_requests_and_returns():
    player = ScriptPlayer(FakeTarget())

    def script():
        yield WaitUntil(1000)
        answer = yield Ask("state")
        assert 1000 <= answer.arrived_ms <= 1010
        return answer.result["asked"], player.now_ms

    name, now_ms = player.finish(script())
    assert name == "state" and 1005 <= now_ms <= 1040


@pytest.mark.parametrize("slow_ms", [5, 3000])
def test_nothing_is_late_while_a_script_waits(slow_ms):
    player, seen = ScriptPlayer(FakeTarget(slow_ms)), []
    for ms in (7, 100, 101, 1500, 2999, 3001, 5000):
        player.at(ms, lambda ms=ms: seen.append(player.now_ms - ms))

    def script():
        yield Ask("one")
        yield WaitUntil(player.now_ms + 700)
        yield Ask("two")

    player.at(50, lambda: player.play(script()))
    player.run_until(6000)
    assert seen == [0] * 7


def test_two_scripts_run_at_once():
    player, heard = ScriptPlayer(FakeTarget(50)), []

    def script(name):
        for _ in range(3):
            answer = yield Ask(name)
            heard.append(answer.result["asked"])

    player.play(script("a"))
    player.play(script("b"))
    player.run_until(1000)
    assert sorted(heard) == ["a"] * 3 + ["b"] * 3


def test_a_refusal_is_raised_in_the_script_and_out_of_finish():
    player = ScriptPlayer(FakeTarget())

    def caught():
        try:
            yield Ask("no")
        except PumpRefused as refusal:
            return refusal.code

    def uncaught():
        yield Ask("no")

    assert player.finish(caught()) == "rx_no"
    with pytest.raises(PumpRefused):
        player.finish(uncaught())


def test_a_silent_pump_ends_the_wait():
    player = ScriptPlayer(FakeTarget(silent=True))

    def script():
        yield Ask("state")

    with pytest.raises(LinkSilent):
        player.finish(script())
    assert TIMEOUT_MS <= player.now_ms <= TIMEOUT_MS + 100


def test_a_damaged_line_is_no_answer():
    target = FakeTarget()
    player = ScriptPlayer(target)
    target._answers.append((1, b'1 {"id":1,"result":{}} 00000000\n'))

    def script():
        answer = yield Ask("state")
        return answer.result["asked"]

    assert player.finish(script()) == "state"


@pytest.mark.parametrize("quiet_ms", [0, 3_600_000], ids=["by itself", "with an hour to the next moment"])
@pytest.mark.parametrize("lost", [(0,), (0, 1), (0, 1, 2)])
def test_an_unanswered_request_is_repeated(lost, quiet_ms):
    """The same id, so that the pump does no command twice; another line, so that none is taken for a replay."""
    target = FakeTarget(lost=lost)
    player, heard = ScriptPlayer(target), []

    def script():
        heard.append((yield Ask("therapy.pause")).result["asked"])
        heard.append((yield Ask("state")).result["asked"])

    if quiet_ms:
        player.play(script())
        player.run_until(quiet_ms)
    else:
        player.finish(script())
    assert heard == ["therapy.pause", "state"]
    said, (last_ms, number, request, method) = target.sent[:-1], target.sent[-1]
    assert [(entry[1:]) for entry in said] == [(k + 1, 1, "therapy.pause") for k in range(len(lost) + 1)]
    gaps_ms = [later[0] - first[0] for first, later in zip(said, said[1:], strict=False)]
    assert all(RETRY_MS <= gap_ms <= RETRY_MS + 100 for gap_ms in gaps_ms)
    assert (number, request, method) == (len(lost) + 2, 2, "state") and last_ms < TIMEOUT_MS


def test_a_doubled_answer_counts_once():
    """The first sending was only slow."""
    player, heard = ScriptPlayer(FakeTarget(slow_ms=RETRY_MS + 500)), []

    def script():
        for name in ("one", "two"):
            heard.append((yield Ask(name)).result["asked"])

    player.play(script())
    player.run_until(TIMEOUT_MS)
    assert heard == ["one", "two"]
