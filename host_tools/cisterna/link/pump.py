"""A pump at the other end of a line: questions, commands, a log-on, its records.

A question changes nothing and is simply asked again when no answer comes. A command is sent again under the same id,
by which the pump knows that it has done it; and never to a pump that has started anew meanwhile, which does not know.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cisterna.errors import CisternaError, LinkError, LinkSilent, PumpRefused
from cisterna.link.client import Reply, Requests, Tokens, unframe
from cisterna.link.transport import LinkLost, Transport

if TYPE_CHECKING:
    from cisterna.pharmacy.keys import Signer

ASK_S = 2.0  # a pump that runs answers a question in some hundredths of a second
SIGNED_S = 10.0  # a signature takes the RP2040 0.3 s, its emulation several times that, and there may be three
TRIES = 3
RECORDS = 48  # asked for at a time, the most one line holds
_QUIET_S = 0.03  # after which nothing more is under way
_AGAIN_S = 0.3  # what is still waited for when the pump could not read some line: it need not have been the last
_SIGNED = frozenset({"access.log_on", "rx.load", "bolus.clinician", "document.commit", "image.bootsel"})
_UNREAD = 0  # number of the answer to a line that the pump could not read


class LinkUncertain(LinkSilent):
    """No answer to a command, and the pump cannot be asked again for it. `state`: what the pump says now, or None."""

    def __init__(self, text: str, state: dict[str, Any] | None):
        self.state = state
        super().__init__(text)


class Pump:
    """What can be asked of a pump and told to it. Every method may raise LinkSilent, PumpRefused or LinkError.

    ask_s     how long to wait for an answer, s of the transport's time
    signed_s  the same where the pump has a signature to check first
    hello     what the pump said of itself when the connection was made
    """

    def __init__(self, transport: Transport, ask_s: float = ASK_S, signed_s: float = SIGNED_S):
        self.transport = transport
        self.ask_s = ask_s
        self.signed_s = signed_s
        self.hello: dict[str, Any] = {}
        self._requests = Requests()

    @property
    def name(self) -> str:
        """What a person knows it by: its serial number, or the port."""
        return self.hello.get("serial") or self.transport.name

    # -- the connection

    def connect(self) -> dict[str, Any]:
        """Begin a connection, which ends any log-on, and ask `hello`."""
        self._settle()
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

    def _settle(self) -> None:
        """End a line that somebody else has begun, and let pass what still comes of what was said before."""
        self.transport.send(b"\n")
        until_s = self.transport.now_s() + self.ask_s
        with contextlib.suppress(LinkSilent):
            while self.transport.now_s() < until_s:
                self.transport.receive(_QUIET_S)

    def rest(self, seconds: float) -> None:
        """Let others talk to the pump for so long, then begin a new connection: nobody is logged on any more.

        LinkLost when the port cannot be had again, or another pump is at it.
        """
        serial = self.hello.get("serial")
        self.transport.leave(seconds)
        now = self.connect()["serial"]
        if serial not in (None, now):
            raise LinkLost(f"{self.transport.name}: another pump is there now, {now or 'a new one'}; it was {serial}")

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Pump:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- asking and telling

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The answer to a question: hello, state, rx.read, records.read."""
        self._ensure()
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
                line = self._requests.again(request, method, params)
        raise AssertionError("unreachable")

    def command(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The answer to a command, which the pump does once, however often the line has to be sent.

        LinkUncertain when it may or may not have been done; the pump's state is in its text.
        """
        self._ensure()
        timeout_s = self.signed_s if method in _SIGNED else self.ask_s
        request, line = self._requests.line(method, params)
        numbers: set[int] = set()
        for left in reversed(range(TRIES)):
            try:
                return self._exchange(line, request, numbers, timeout_s).result()
            except LinkSilent:
                state = self._look(method)  # it is not told again before it was seen that it is the same
                if not left:
                    raise self._uncertain(method, "the pump does not answer it", state) from None
                line = self._requests.again(request, method, params)
        raise AssertionError("unreachable")

    def _ensure(self) -> None:
        if not self.hello:
            self.connect()

    def _look(self, method: str) -> dict[str, Any]:
        """The pump's state. LinkUncertain when it is silent, or has started anew: then it has forgotten the id."""
        try:
            state = self.ask("state")
        except LinkSilent as silent:
            raise self._uncertain(method, str(silent), None) from None
        if state["boot"] != self.hello["boot"]:
            raise self._uncertain(method, "the pump has started anew meanwhile", state)
        return state

    def _uncertain(self, method: str, why: str, state: dict[str, Any] | None) -> LinkUncertain:
        now = f"now: {outline(state)}" if state else "look at the pump itself"
        return LinkUncertain(f"{method}: it may or may not have been done: {why}; {now}", state)

    def _try(self, method: str, params: dict[str, Any], timeout_s: float) -> Reply:
        request, line = self._requests.line(method, params)
        return self._exchange(line, request, set(), timeout_s)

    def _exchange(self, line: bytes, request: int, numbers: set[int], timeout_s: float) -> Reply:
        """Send a line of `request`, one of whose lines have had `numbers`; the answer to any of them.

        Answers to what was asked before come late, damaged ones are none: both are passed over. LinkSilent soon when
        the pump says that it could not read a line.
        """
        numbers.add(unframe(line)[0])
        until_s = self.transport.now_s() + timeout_s
        heard = self.transport.exchange(line, timeout_s)
        while True:
            number, message = _read(heard)
            if number == _UNREAD:
                until_s = min(until_s, self.transport.now_s() + _AGAIN_S)
            if number in numbers and message.get("id") == request:
                return Reply(message)
            heard = self.transport.receive(max(0.0, until_s - self.transport.now_s()))

    # -- who is speaking

    def log_on(self, person: str, signer: Signer, role: str) -> None:
        """Log on as `person`, whose key `signer` has. role: clinician or service."""
        from cisterna.pharmacy import documents

        self._ensure()
        serial = self.hello["serial"]
        if serial is None:
            raise CisternaError(f"{self.name}: nobody can log on; provision this pump first (`cisterna provision`)")
        challenge = self.command("access.challenge", {"person": person})["challenge"]
        tokens = Tokens()
        text = documents.log_on(serial=serial, challenge=challenge, person=person, role=role, anchor=tokens.anchor)
        signed = {"document": text, "signature": signer.sign(text.encode("ascii")).hex()}
        session = self.command("access.log_on", signed)["session"]
        self._requests.logged_on(session, tokens)

    def log_off(self) -> None:
        self.command("access.log_off")
        self._requests.logged_off()

    @contextlib.contextmanager
    def logged_on(self, person: str, signer: Signer, role: str) -> Iterator[Pump]:
        """Logged on while the block runs. The pump ends a silent log-on by itself, so failing to end it is no error."""
        self.log_on(person, signer, role)
        hears = True
        try:
            yield self
        except LinkSilent:
            hears = False
            raise
        finally:
            if hears:
                with contextlib.suppress(LinkSilent, PumpRefused):
                    self.log_off()
            self._requests.logged_off()

    # -- reading

    def state(self) -> dict[str, Any]:
        return self.ask("state")

    def readback(self) -> dict[str, Any]:
        """Hash and values of the prescription that is loaded and waits for its confirmation."""
        return self.ask("rx.read")

    def records(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole records from number `first` on, or from the oldest that is left: (its number, bytes)."""
        while True:
            answer = self.ask("records.read", {"from": first, "max": RECORDS})
            if not answer["count"]:
                return
            yield answer["first"], base64.b64decode(answer["data"])
            first = answer["first"] + answer["count"]


def _read(line: bytes) -> tuple[int | None, dict[str, Any]]:
    """Number and message of a line; (None, {}) of what is none."""
    try:
        return unframe(line)
    except LinkError:
        return None, {}


def outline(state: dict[str, Any]) -> str:
    """A pump's state in one line."""
    alarms = ", ".join(state["alarms"]) or "none"
    return (
        f"{state['state']}, booked {state['booked_nl'] / 1000:.3f} uL, prescription {state['rx'] or 'none'}"
        f"{', waiting ' + state['staged'] if state['staged'] else ''}, alarms {alarms}, boot {state['boot']}"
    )
