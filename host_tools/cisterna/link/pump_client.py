"""Client of a pump on the link: questions, commands, log-on, records.

A question changes nothing; without an answer it is repeated. A command is repeated with the same id, so that the pump
executes it once; after a restart of the pump, which forgets the ids, it is not repeated.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cisterna.errors import CisternaError, LinkError, LinkSilent, PumpRefused
from cisterna.link.protocol import MAX_RECORDS, Reply, Requests, Tokens, unframe
from cisterna.link.transport import LinkLost, Transport

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

ASK_S = 2.0  # timeout of an answer; a running pump answers within some hundredths of a second
SIGNED_S = 10.0  # the same with signatures: each takes 0.3 s on the RP2040, longer on its emulation; up to three
TRIES = 3
_QUIET_S = 0.03  # silence after which no more earlier answers are expected
_UNREAD_S = 0.3  # wait for an answer after the pump reported an unreadable line, which can be an earlier line
_SIGNED = frozenset({"access.log_on", "rx.load", "bolus.clinician", "therapy.stop", "document.commit", "image.bootsel"})
_UNREAD = 0  # line number of the answer to an unreadable line


class LinkUncertain(LinkSilent):
    """A command without an answer that may or may not have been executed. `state`: of the pump now, or None."""

    def __init__(self, text: str, state: dict[str, Any] | None):
        self.state = state
        super().__init__(text)


class PumpClient:
    """A connection to a pump. Every method may raise LinkSilent, PumpRefused or LinkError.

    ask_s     timeout of an answer, s of the transport's time
    signed_s  the same for commands with signatures, which the pump checks first
    hello     the pump's answer to `hello` when the connection began
    """

    def __init__(self, transport: Transport, ask_s: float = ASK_S, signed_s: float = SIGNED_S):
        self.transport = transport
        self.ask_s = ask_s
        self.signed_s = signed_s
        self.hello: dict[str, Any] = {}
        self._requests = Requests()

    @property
    def name(self) -> str:
        """Name in messages: the serial number, or the port of a pump without one."""
        return self.hello.get("serial") or self.transport.name

    # -- the connection

    def connect(self) -> dict[str, Any]:
        """Begin a connection, without a session, and ask `hello`. The sessions of other hosts continue."""
        self._drain()
        for left in reversed(range(TRIES)):
            self._requests.new_connection()
            try:
                self.hello = self._try("hello", {}, self.ask_s).result()
                return self.hello
            except LinkLost:
                raise
            except LinkSilent:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _drain(self) -> None:
        """End a partial line of another program, and drop answers to earlier requests."""
        self.transport.send(b"\n")
        until_s = self.transport.now_s() + self.ask_s
        with contextlib.suppress(LinkSilent):
            while self.transport.now_s() < until_s:
                self.transport.receive(_QUIET_S)

    def release_port(self, seconds: float) -> None:
        """Close the port for `seconds`, so that other programs can use it, then connect again, without a session.

        Raises LinkLost if the port cannot be opened again, or another pump answers.
        """
        before = self.hello.get("serial")
        self.transport.release(seconds)
        now = self.connect()["serial"]
        if before not in (None, now):
            raise LinkLost(f"{self.transport.name}: another pump is there now, {now or 'a new one'}; it was {before}")

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> PumpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- requests

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The answer to a question: hello, state, rx.read, records.read."""
        self._connect_if_needed()
        request, line = self._requests.line(method, params)
        numbers: set[int] = set()
        for left in reversed(range(TRIES)):
            try:
                return self._exchange(line, request, numbers, self.ask_s).result()
            except LinkLost:
                raise
            except LinkSilent:
                if not left:
                    raise
                line = self._requests.retry_line(request, method, params)
        raise AssertionError("unreachable")

    def command(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The answer to a command, which the pump executes once even if the line is sent several times.

        Raises LinkUncertain, with the pump's state, if it may or may not have been executed.
        """
        self._connect_if_needed()
        timeout_s = self.signed_s if method in _SIGNED else self.ask_s
        request, line = self._requests.line(method, params)
        numbers: set[int] = set()
        for left in reversed(range(TRIES)):
            try:
                return self._exchange(line, request, numbers, timeout_s).result()
            except LinkSilent:
                state = self._state_since_connect(method)  # no retry after a restart of the pump
                if not left:
                    raise self._uncertain(method, "the pump does not answer it", state) from None
                line = self._requests.retry_line(request, method, params)
        raise AssertionError("unreachable")

    def _connect_if_needed(self) -> None:
        if not self.hello:
            self.connect()

    def _state_since_connect(self, method: str) -> dict[str, Any]:
        """The pump's state. Raises LinkUncertain if it is silent or has restarted: then it has forgotten the id."""
        try:
            state = self.ask("state")
        except LinkSilent as silent:
            raise self._uncertain(method, str(silent), None) from None
        if state["boot"] != self.hello["boot"]:
            raise self._uncertain(method, "the pump has restarted meanwhile", state)
        return state

    def _uncertain(self, method: str, why: str, state: dict[str, Any] | None) -> LinkUncertain:
        now = f"now: {outline(state)}" if state else "look at the pump itself"
        return LinkUncertain(f"{method}: it may or may not have been done: {why}; {now}", state)

    def _try(self, method: str, params: dict[str, Any], timeout_s: float) -> Reply:
        request, line = self._requests.line(method, params)
        return self._exchange(line, request, set(), timeout_s)

    def _exchange(self, line: bytes, request: int, numbers: set[int], timeout_s: float) -> Reply:
        """Send a line of `request`; return the answer to it or to an earlier line of it, whose numbers are `numbers`.

        Late answers to other requests and damaged lines are ignored. Raises LinkSilent, after a shorter wait if the
        pump reported an unreadable line, and at once if another program has sent higher line numbers; the next line
        then has number 1.
        """
        sent = unframe(line)[0]
        numbers.add(sent)
        until_s = self.transport.now_s() + timeout_s
        received = self.transport.exchange(line, timeout_s)
        while True:
            number, message = _unframed(received)
            if number == _UNREAD:
                until_s = min(until_s, self.transport.now_s() + _UNREAD_S)
            if number in numbers and message.get("id") == request:
                return Reply(message)
            if number == sent and _is_out_of_order(message):
                self._requests.restart_numbers()
                raise LinkSilent(f"{self.name}: another program talks to it, with higher line numbers")
            received = self.transport.receive(max(0.0, until_s - self.transport.now_s()))

    # -- session

    def log_on(self, person: str, signer: Signer, role: str) -> None:
        """Log on as `person`, whose key is in `signer`. role: clinician or service."""
        from cisterna.pharmacy import documents

        self._connect_if_needed()
        serial = self.hello["serial"]
        if serial is None:
            raise CisternaError(f"{self.name}: no log-on is possible; provision this pump first (`cisterna provision`)")
        asked = self.command("access.challenge", {"person": person})
        tokens = Tokens()
        text = documents.log_on(
            serial=serial,
            challenge=asked["challenge"],
            person=person,
            role=role,
            anchor=tokens.anchor,
            utc_s=round(time.time()) if asked.get("time") else None,
        )
        signed = {"document": text, "signature": signer.sign(text.encode("ascii")).hex()}
        session = self.command("access.log_on", signed)["session"]
        self._requests.logged_on(session, tokens)

    def log_off(self) -> None:
        self.command("access.log_off")
        self._requests.logged_off()

    @contextlib.contextmanager
    def logged_on(self, person: str, signer: Signer, role: str) -> Iterator[PumpClient]:
        """Logged on for the length of a `with` block. A failing log-off is no error: the pump ends idle sessions."""
        self.log_on(person, signer, role)
        answers = True
        try:
            yield self
        except LinkSilent:
            answers = False
            raise
        finally:
            if answers:
                with contextlib.suppress(LinkSilent, PumpRefused):
                    self.log_off()
            self._requests.logged_off()

    # -- reading

    def state(self) -> dict[str, Any]:
        return self.ask("state")

    def readback(self) -> dict[str, Any]:
        """Hash, values and warnings of the prescription that waits for confirmation."""
        return self.ask("rx.read")

    def records(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """Blocks of records from number `first` or the oldest stored: (number of the first in the block, bytes)."""
        while True:
            answer = self.ask("records.read", {"from": first, "max": MAX_RECORDS})
            if not answer["count"]:
                return
            yield answer["first"], base64.b64decode(answer["data"])
            first = answer["first"] + answer["count"]


def _unframed(line: bytes) -> tuple[int | None, dict[str, Any]]:
    """Number and message of a line; (None, {}) if it is damaged."""
    try:
        return unframe(line)
    except LinkError:
        return None, {}


def _is_out_of_order(message: dict[str, Any]) -> bool:
    error = message.get("error") or {}
    return (error.get("data") or {}).get("code") == "line_out_of_order"


def outline(state: dict[str, Any]) -> str:
    """A pump's state in one line."""
    alarms = ", ".join(state["alarms"]) or "none"
    return (
        f"{state['state']}, booked {state['booked_nl'] / 1000:.3f} uL, prescription {state['rx'] or 'none'}"
        f"{', waiting ' + state['staged'] if state['staged'] else ''}, alarms {alarms}, boot {state['boot']}"
    )
