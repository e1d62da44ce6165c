"""Plays scripts concurrently on a target, in world time, and calls functions at given times.

A script is a generator. It yields `WaitUntil(ms)` to wait, or `Ask(method, params)` to send a request to the pump and
wait for its answer; other scripts and calls that are due meanwhile run at their own times.
"""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from cisterna.errors import LinkError, LinkSilent, PumpRefused
from cisterna.link.protocol import BAUD, Reply, Requests, Tokens, unframe

TIMEOUT_MS = 10_000  # longer than a pump takes to start up
RETRY_MS = 2_000  # a request without an answer is sent again with its id: the pump executes no command twice
POLL_MS = 20  # interval at which a late answer is polled for
BYTE_US = 10_000_000 / BAUD  # time of a byte on the wire


@dataclass(frozen=True)
class WaitUntil:
    """Wait until this world time, ms."""

    ms: int


@dataclass(frozen=True)
class Ask:
    """Send a request to the pump and wait for the answer; PumpRefused or LinkSilent is raised in the script."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A result, and the world time at which the request arrived: a time in the result is as of then."""

    result: Any
    arrived_ms: int


Script = Generator[WaitUntil | Ask, Any, Any]


@dataclass
class _PendingRequest:
    """A pending request: its script; times of arrival, retry and timeout, ms."""

    script: Script
    ask: Ask
    arrived_ms: int
    retry_ms: int
    timeout_ms: int


class ScriptPlayer:
    """Runs one target and calls what is due, in order of time; at equal times in order of registration."""

    def __init__(self, target: Any):
        self.target = target
        self._due: list[tuple[int, int, Callable[[], None]]] = []  # heap of (world ms, order, function)
        self._count = 0
        self._requests = Requests()
        self._pending: dict[int, _PendingRequest] = {}  # by the request's id
        self._unsent: list[bytes] = []

    @property
    def now_ms(self) -> int:
        return self.target.now_ms

    def logged_on(self, session: str, tokens: Tokens) -> None:
        """From now on requests carry the session and its tokens."""
        self._requests.logged_on(session, tokens)

    def logged_off(self) -> None:
        """From now on requests carry no session."""
        self._requests.logged_off()

    def at(self, ms: int, do: Callable[[], None]) -> None:
        """Call `do` at world time `ms`, or now if that is past."""
        self._count += 1
        heapq.heappush(self._due, (ms, self._count, do))

    def play(self, script: Script) -> None:
        """Start a script now."""
        self._step(script, lambda: next(script))

    def run_until(self, end_ms: int) -> None:
        """Run to world time `end_ms`, including what is due at exactly `end_ms`."""
        while True:
            due_ms = min(self._due[0][0], end_ms) if self._due else end_ms
            self._advance(max(due_ms, self.now_ms))
            if self._due and self._due[0][0] <= self.now_ms:
                heapq.heappop(self._due)[2]()
            elif self.now_ms >= end_ms:
                return

    def finish(self, script: Script) -> Any:
        """Play `script` to its end. Returns its result, or raises its exception."""
        outcome: list = []

        def watched() -> Script:
            try:
                outcome.append((yield from script))
            except Exception as error:  # raised to the caller below
                outcome.append(error)

        self.play(watched())
        while not outcome:
            self.run_until(self._next_ms())
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def finish_requests(self) -> None:
        """Run until no request is pending."""
        while self._pending:
            self.run_until(self.now_ms + POLL_MS)

    def _next_ms(self) -> int:
        due_ms = self._due[0][0] if self._due else self.now_ms + POLL_MS
        return min(due_ms, self.now_ms + POLL_MS) if self._pending else due_ms

    def _advance(self, until_ms: int) -> None:
        """Run the world to `until_ms`, or up to an answer or timeout that resumes a script."""
        while self._pending and self.now_ms < until_ms:
            if self._resume_scripts(self._transfer(until_ms)):
                return
        if self.now_ms < until_ms:
            self.target.run_until(until_ms)

    def _transfer(self, until_ms: int) -> list[bytes]:
        """Send what is unsent and run to the next line, at most to `until_ms`. Returns the received lines."""
        if not self._unsent:
            self.target.run_until(min(until_ms, self.now_ms + POLL_MS))
            return self.target.lines()
        *others, last = self._unsent
        self._unsent = []
        for line in others:
            self.target.send(line)
        try:
            first = self.target.exchange(last, timeout_ms=min(until_ms - self.now_ms, RETRY_MS))
        except TimeoutError:
            return []
        return [first, *self.target.lines()] if others else [first]

    def _resume_scripts(self, lines: list[bytes]) -> bool:
        """Pass answers and timeouts to their scripts, queue retries. Returns True if a script was resumed."""
        resumed = False
        for line in lines:
            try:
                reply = Reply(unframe(line)[1])
            except LinkError:
                continue  # part of a line of a pump that lost power; the request is sent again
            pending = None if reply.id is None else self._pending.pop(reply.id, None)
            if pending is not None:
                resumed = True
                self._answer(pending.script, reply, pending.arrived_ms)
        for request, pending in list(self._pending.items()):
            if request not in self._pending:
                continue
            if self.now_ms >= pending.timeout_ms:
                resumed = True
                del self._pending[request]
                self._throw(pending.script, LinkSilent("the pump does not answer"))
            elif self.now_ms >= pending.retry_ms:
                pending.retry_ms = self.now_ms + RETRY_MS
                self._unsent.append(self._requests.retry_line(request, pending.ask.method, pending.ask.params))
        return resumed

    def _answer(self, script: Script, reply: Reply, arrived_ms: int) -> None:
        try:
            answer = Answer(reply.result(), arrived_ms)
        except PumpRefused as refusal:
            self._throw(script, refusal)
            return
        self._step(script, lambda: script.send(answer))

    def _throw(self, script: Script, error: Exception) -> None:
        self._step(script, lambda: script.throw(error))

    def _step(self, script: Script, resume: Callable[[], WaitUntil | Ask]) -> None:
        """Resume a script and schedule what it yields."""
        try:
            wanted = resume()
        except StopIteration:
            return
        if isinstance(wanted, WaitUntil):
            self.at(wanted.ms, lambda: self._step(script, lambda: next(script)))
            return
        request, line = self._requests.line(wanted.method, wanted.params)
        arrived_ms = self.now_ms + int(len(line) * BYTE_US) // 1000
        self._pending[request] = _PendingRequest(
            script, wanted, arrived_ms, self.now_ms + RETRY_MS, self.now_ms + TIMEOUT_MS
        )
        self._unsent.append(line)
