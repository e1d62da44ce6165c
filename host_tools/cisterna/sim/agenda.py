"""What happens when: an agenda of moments on a target, and scripts that wait without holding up the rest.

A script is a generator, a person at work. It yields `At(ms)` to wait until a moment, `Ask(method, params)` to
put a question to the pump; everything else that is due meanwhile happens at its own time.
"""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from cisterna.errors import LinkError, LinkSilent, PumpRefused
from cisterna.link.client import BAUD, Reply, Requests, Tokens, unframe

ANSWER_MS = 10_000  # a pump that starts up is silent for some seconds
AGAIN_MS = 2_000  # a request that got no answer is said again: no command is done twice
POLL_MS = 20  # grain in which a late answer is looked for
BYTE_US = 10_000_000 / BAUD  # what a byte takes on the wire


@dataclass(frozen=True)
class At:
    """Wait until this world time, ms."""

    ms: int


@dataclass(frozen=True)
class Ask:
    """Put a request to the pump and wait for the answer; PumpRefused or LinkSilent rises in the script."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A result, and when the question was there: the pump's own time in it belongs to that moment."""

    result: Any
    there_ms: int


Script = Generator[At | Ask, Any, Any]


@dataclass
class _Open:
    """A request without an answer: whose it is, and when it was there, is said again, is given up."""

    script: Script
    wish: Ask
    there_ms: int
    again_ms: int
    silent_ms: int


class Agenda:
    """Drives one target through its moments, in their order; first come first served at equal times."""

    def __init__(self, target: Any):
        self.target = target
        self._moments: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._requests = Requests()
        self._waiting: dict[int, _Open] = {}  # by the request's id
        self._unsent: list[bytes] = []

    @property
    def now_ms(self) -> int:
        return self.target.now_ms

    def logged_on(self, session: str, tokens: Tokens) -> None:
        """Commands are a person's from now on."""
        self._requests.logged_on(session, tokens)

    def logged_off(self) -> None:
        """Commands are nobody's."""
        self._requests.logged_off()

    def at(self, ms: int, do: Callable[[], None]) -> None:
        """Have `do` called at world time `ms` (now, if that is past)."""
        self._count += 1
        heapq.heappush(self._moments, (ms, self._count, do))

    def play(self, script: Script) -> None:
        """Begin a script now."""
        self._step(script, lambda: next(script))

    def run_until(self, end_ms: int) -> None:
        """World time becomes `end_ms`; what is due at exactly `end_ms` has happened too."""
        while True:
            due_ms = min(self._moments[0][0], end_ms) if self._moments else end_ms
            self._advance(max(due_ms, self.now_ms))
            if self._moments and self._moments[0][0] <= self.now_ms:
                heapq.heappop(self._moments)[2]()
            elif self.now_ms >= end_ms:
                return

    def finish(self, script: Script) -> Any:
        """Play `script` to its end, whatever time it takes. Gives what it returns; raises what it raises."""
        outcome: list = []

        def watched() -> Script:
            try:
                outcome.append((yield from script))
            except Exception as error:  # given to the caller below
                outcome.append(error)

        self.play(watched())
        while not outcome:
            self.run_until(self._next_ms())
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def settle(self) -> None:
        """Run on until no question to the pump is open."""
        while self._waiting:
            self.run_until(self.now_ms + POLL_MS)

    def _next_ms(self) -> int:
        due_ms = self._moments[0][0] if self._moments else self.now_ms + POLL_MS
        return min(due_ms, self.now_ms + POLL_MS) if self._waiting else due_ms

    def _advance(self, until_ms: int) -> None:
        """Run the world to `until_ms`, or to an answer that makes a script go on before it."""
        while self._waiting and self.now_ms < until_ms:
            if self._hear(self._listen(until_ms)):
                return
        if self.now_ms < until_ms:
            self.target.run_until(until_ms)

    def _listen(self, until_ms: int) -> list[bytes]:
        """Let time go on, at most to `until_ms` and not past a line; gives the lines."""
        if not self._unsent:
            self.target.run_until(min(until_ms, self.now_ms + POLL_MS))
            return self.target.lines()
        *others, last = self._unsent
        self._unsent = []
        for line in others:
            self.target.send(line)
        try:
            first = self.target.exchange(last, timeout_ms=min(until_ms - self.now_ms, AGAIN_MS))
        except TimeoutError:
            return []
        return [first, *self.target.lines()] if others else [first]

    def _hear(self, lines: list[bytes]) -> bool:
        heard = False
        for line in lines:
            try:
                reply = Reply(unframe(line)[1])
            except LinkError:
                continue  # half a line of a pump that lost power; its question is said again
            asked = self._waiting.pop(reply.id, None)
            if asked is not None:
                heard = True
                self._answer(asked.script, reply, asked.there_ms)
        for request, asked in list(self._waiting.items()):
            if request not in self._waiting:
                continue
            if self.now_ms >= asked.silent_ms:
                heard = True
                del self._waiting[request]
                self._throw(asked.script, LinkSilent("the pump does not answer"))
            elif self.now_ms >= asked.again_ms:
                asked.again_ms = self.now_ms + AGAIN_MS
                self._unsent.append(self._requests.again(request, asked.wish.method, asked.wish.params))
        return heard

    def _answer(self, script: Script, reply: Reply, there_ms: int) -> None:
        try:
            answer = Answer(reply.result(), there_ms)
        except PumpRefused as refusal:
            self._throw(script, refusal)
            return
        self._step(script, lambda: script.send(answer))

    def _throw(self, script: Script, error: Exception) -> None:
        self._step(script, lambda: script.throw(error))

    def _step(self, script: Script, go_on: Callable[[], At | Ask]) -> None:
        try:
            wish = go_on()
        except StopIteration:
            return
        if isinstance(wish, At):
            self.at(wish.ms, lambda: self._step(script, lambda: next(script)))
            return
        request, line = self._requests.line(wish.method, wish.params)
        there_ms = self.now_ms + int(len(line) * BYTE_US) // 1000
        self._waiting[request] = _Open(script, wish, there_ms, self.now_ms + AGAIN_MS, self.now_ms + ANSWER_MS)
        self._unsent.append(line)
