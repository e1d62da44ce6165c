"""The host's side of the line protocol: framing, requests, and the tokens that authenticate commands.

Performs no I/O, so that the same code serves a serial port and a simulated board.
"""

import hashlib
import json
import secrets
import zlib
from typing import Any

from cisterna.errors import LinkError, PumpRefused

MAX_LINE = 6000  # bytes, the pump's receive buffer
MAX_RECORDS = 48  # records in one answer of records.read
DOCUMENT_BLOCK = 2_048  # bytes of a document in one document.put
BAUD = 921_600
TOKENS = 4096  # commands in one session
QUESTIONS = frozenset({"hello", "state", "rx.read", "records.read"})  # change nothing, so that a retry is harmless


def frame(number: int, message: dict[str, Any]) -> bytes:
    """A complete line: number, message, CRC-32. Raises LinkError if it does not fit the pump's buffer."""
    body = b"%d %s" % (number, json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii"))
    line = b"%s %08x\n" % (body, zlib.crc32(body))
    if len(line) > MAX_LINE:
        raise LinkError(f"{message.get('method', 'message')}: {len(line)} bytes; allowed: at most {MAX_LINE} a line")
    return line


def unframe(line: bytes) -> tuple[int, dict[str, Any]]:
    """Number and message of one line. Raises LinkError if the checksum or the form is wrong."""
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
    """The answer to one request: a result or a refusal."""

    def __init__(self, message: dict[str, Any]):
        self.id = message.get("id")
        self._message = message

    def result(self) -> Any:
        """The result. Raises PumpRefused with the pump's code."""
        error = self._message.get("error")
        if error is None:
            return self._message.get("result")
        data = error.get("data") or {}
        code = data.get("code") or f"rpc_{error.get('code')}"
        raise PumpRefused(str(code), error.get("message", ""), data)


class Tokens:
    """One-time tokens from a hash chain: the pump checks each with the previous one; only the seed gives the next.

    The signed log-on contains the end of the chain, `anchor`; each command then shows the link before the last one
    shown. [L. Lamport, Password authentication with insecure communication, 1981]
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
        """The `auth` of the next command of `session`. Raises LinkError if no token is left."""
        self._used += 1
        if self._used >= len(self._links):
            raise LinkError(f"session {session}: all {len(self._links) - 1} tokens are used; log on again")
        return f"{session}.{self._used}.{self._links[-1 - self._used].hex()}"


class Requests:
    """The requests of one connection: line numbers, request ids, and the tokens of the session."""

    def __init__(self) -> None:
        self._number = 0
        self._last_id = 0
        self._session = ""
        self._tokens: Tokens | None = None

    def line(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """The id and the line of a new request."""
        self._last_id += 1
        return self._last_id, self.retry_line(self._last_id, method, params)

    def retry_line(self, request: int, method: str, params: dict[str, Any] | None = None) -> bytes:
        """The same request on a new line. The pump executes a command once per id."""
        self._number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request, "method": method, "params": params or {}}
        if self._tokens is not None and method not in QUESTIONS:
            message["auth"] = self._tokens.next(self._session)
        return frame(self._number, message)

    def logged_on(self, session: str, tokens: Tokens) -> None:
        """Commands from now on carry the tokens of this session."""
        self._session, self._tokens = session, tokens

    def logged_off(self) -> None:
        """Commands from now on carry no token."""
        self._session, self._tokens = "", None

    def new_connection(self) -> None:
        """Restart line numbers at 1 and forget the session. Ids continue, so that none is used twice."""
        self.restart_numbers()
        self.logged_off()

    def restart_numbers(self) -> None:
        """The next line has number 1, which the pump takes from any host. The session continues."""
        self._number = 0
