"""The line protocol: one JSON-RPC 2.0 object, a space, its CRC-32 in 8 lower-case hex digits, a newline.

Nothing here waits or opens a port: lines go in and out, so that the same code serves a cable and a
simulated board.
"""

import json
import zlib
from typing import Any

from cisterna.errors import LinkError, PumpRefused

MAX_LINE = 6000  # bytes, the pump's receive buffer
BAUD = 921_600


def frame(message: dict[str, Any]) -> bytes:
    """One whole line. LinkError when it would not fit the pump's buffer."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    line = b"%s %08x\n" % (body, zlib.crc32(body))
    if len(line) > MAX_LINE:
        raise LinkError(
            f"{message.get('method', 'message')}: {len(line)} bytes; allowed: at most {MAX_LINE} a line"
        )
    return line


def unframe(line: bytes) -> dict[str, Any]:
    """The message of one line. LinkError when the check sum or the form is wrong."""
    body, space, check = line.rstrip(b"\r\n").rpartition(b" ")
    if not space or check != b"%08x" % zlib.crc32(body):
        raise LinkError(f"line held {line[:60]!r}; allowed: JSON, a space and its CRC-32")
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise LinkError(f"line held {line[:60]!r}; allowed: one JSON object")
    return message


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


class Requests:
    """Numbers the requests of one session."""

    def __init__(self) -> None:
        self._last = 0

    def line(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """The id and the line of a new request."""
        self._last += 1
        message = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": params or {}}
        return self._last, frame(message)
