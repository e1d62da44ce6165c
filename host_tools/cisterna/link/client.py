"""The line protocol from the host's side: numbered lines, requests, and the tokens that show who is speaking.

Nothing here waits or opens a port: lines go in and out, so that the same code serves a cable and a simulated board.
"""

import hashlib
import json
import secrets
import zlib
from typing import Any

from cisterna.errors import LinkError, PumpRefused

MAX_LINE = 6000  # bytes, the pump's receive buffer
BAUD = 921_600
TOKENS = 4096  # of one log-on
QUESTIONS = frozenset({"hello", "state", "rx.read", "records.read"})  # change nothing, so may be asked again


def frame(number: int, message: dict[str, Any]) -> bytes:
    """One whole line: its number, the message, the CRC-32. LinkError when it would not fit the pump's buffer."""
    body = b"%d %s" % (number, json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii"))
    line = b"%s %08x\n" % (body, zlib.crc32(body))
    if len(line) > MAX_LINE:
        raise LinkError(
            f"{message.get('method', 'message')}: {len(line)} bytes; allowed: at most {MAX_LINE} a line"
        )
    return line


def unframe(line: bytes) -> tuple[int, dict[str, Any]]:
    """Number and message of one line. LinkError when the check sum or the form is wrong."""
    checked, space, check = line.rstrip(b"\r\n").rpartition(b" ")
    if not space or check != b"%08x" % zlib.crc32(checked):
        raise LinkError(f"line held {line[:60]!r}; allowed: a number, JSON, and the CRC-32 of both")
    number, _, body = checked.partition(b" ")
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not number.isdigit() or not isinstance(message, dict):
        raise LinkError(f"line held {line[:60]!r}; allowed: a number and one JSON object")
    return int(number), message


class Reply:
    """What came back for one request: a result, or the pump's refusal."""

    def __init__(self, message: dict[str, Any]):
        self.id = message.get("id")
        self._message = message

    def result(self) -> Any:
        """The result. PumpRefused with the pump's code when it refused."""
        error = self._message.get("error")
        if error is None:
            return self._message.get("result")
        data = error.get("data") or {}
        code = data.get("code") or f"rpc_{error.get('code')}"
        raise PumpRefused(str(code), error.get("message", ""), data)


class Tokens:
    """A chain of hashes: whoever knows its end can check each link, and only who has the seed can tell the next.

    The pump learns the `anchor` in the signed log-on; each command then shows the link before the last. [L. Lamport,
    Password authentication with insecure communication, 1981]
    """

    def __init__(self, count: int = TOKENS, seed: bytes | None = None):
        links = [seed or secrets.token_bytes(32)]
        for _ in range(count):
            links.append(hashlib.sha256(links[-1]).digest())
        self._links = links
        self._used = 0

    @property
    def anchor(self) -> str:
        return self._links[-1].hex()

    def next(self, session: str) -> str:
        """The `auth` of the next command of `session`. LinkError when there is none left."""
        self._used += 1
        if self._used >= len(self._links):
            raise LinkError(f"session {session}: all {len(self._links) - 1} tokens are used; log on again")
        return f"{session}.{self._used}.{self._links[-1 - self._used].hex()}"


class Requests:
    """The requests of one connection: numbered lines, an id each, and the token of whoever is logged on."""

    def __init__(self) -> None:
        self._number = 0
        self._last_id = 0
        self._session = ""
        self._tokens: Tokens | None = None

    def line(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """The id and the line of a new request."""
        self._last_id += 1
        return self._last_id, self.again(self._last_id, method, params)

    def again(self, request: int, method: str, params: dict[str, Any] | None = None) -> bytes:
        """The same request once more, on a line of its own: the pump does no command twice."""
        self._number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request, "method": method, "params": params or {}}
        if self._tokens is not None and method not in QUESTIONS:
            message["auth"] = self._tokens.next(self._session)
        return frame(self._number, message)

    def logged_on(self, session: str, tokens: Tokens) -> None:
        """From now on commands show the tokens of this session."""
        self._session, self._tokens = session, tokens

    def logged_off(self) -> None:
        """From now on they show none."""
        self._session, self._tokens = "", None

    def new_connection(self) -> None:
        """The next line has number 1; whoever was logged on is not any more. Ids go on: none is used twice."""
        self._number = 0
        self.logged_off()
