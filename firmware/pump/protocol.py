"""The link's server: one JSON-RPC 2.0 request a line, one answer each, and never a command twice.

PROTOCOL.md of the host's link has every method with examples. What is slow is done in pieces, between which the pump
does what it is for: `begin` takes a line, `go_on` does a piece, and each gives the answer as soon as there is one.
"""

import json
from binascii import crc32

from pump import line as lines
from pump import records
from pump.access import BY_CONNECTION
from pump.line import BadLine
from pump.methods import ANYBODY, BadParams, Methods
from pump.refusal import Refused
from pump.replies import Replies
from pump.units import const

MAX_LINE = const(6_000)

METHOD_NOT_FOUND = const(-32601)
INVALID_PARAMS = const(-32602)
REFUSED = const(-32000)


class Server:
    """Answers the requests of one link to one pump. `about`, `heap_used`: see Methods."""

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        self._methods = Methods(pump, about, heap_used)
        self._order = lines.Order()
        self._replies = Replies()
        self._work = None  # the generator of the command that runs
        self._number = 0  # of its line
        self._id = None
        self._digest = 0
        self.changed = False  # what was answered last may have changed the pump

    @property
    def busy(self):
        """True while a command is at work: `go_on`."""
        return self._work is not None

    def answer(self, line):
        """The answer line to a request line, all work done at once."""
        said = self.begin(line)
        while said is None:
            said = self.go_on()
        return said

    def begin(self, line):
        """The answer line (bytes) to a request line (bytes), or None while its work goes on. Raises for no input."""
        self._number, self._id, self._digest = 0, None, 0
        self.changed = False
        try:
            self._number, body, crc = lines.unseal(bytes(line))
            if self._order.take(self._number, crc):
                self._begin_connection()
            request = _parse(body)
            self._id = _id_of(request)
            return self._dispatch(request)
        except (BadLine, BadParams, Refused, MemoryError) as error:
            return self._refuse(error)

    def go_on(self):
        """One piece of the work; the answer line when it is done, else None."""
        try:
            next(self._work)
        except StopIteration as end:
            return self._done({"result": end.value})
        except (BadParams, Refused, MemoryError) as error:
            return self._refuse(error)
        return None

    def _begin_connection(self):
        self._replies.forget()
        self._pump.access.log_off(BY_CONNECTION)

    def _dispatch(self, request):
        name, params = request["method"], request.get("params") or {}
        question = self._methods.questions.get(name)
        if question:
            return self._seal({"result": question(params)})
        if name not in self._methods.commands:
            raise BadLine(METHOD_NOT_FOUND, "method_unknown", "no method " + name)
        return self._command(name, params, request.get("auth"))

    def _command(self, name, params, auth):
        if self._id is None:
            raise BadLine(lines.INVALID_REQUEST, "request_form", "a command needs an id")
        digest = crc32(json.dumps([name, params]).encode())
        kept = self._replies.find(self._id, digest)
        access = self._pump.access
        roles = self._methods.roles_of(name)
        # A line that is said again spends its token, too; but after a log-off there is nobody whose token it could be.
        if roles is not ANYBODY and (access.role or kept is None):
            access.check(auth, roles)
        if kept is not None:
            return self._seal(kept)
        self._digest = digest  # what is refused before this is no reply to keep
        self.changed = True
        if roles is not ANYBODY and name != "document.put":
            self._pump.core.diary.note(records.COMMAND, (self._methods.names.index(name), access.number, access.role))
        result = self._methods.commands[name][1](params)
        if isinstance(result, dict):
            return self._done({"result": result})
        self._work = result
        return None

    # -- answers

    def _refuse(self, error):
        if isinstance(error, BadLine):
            code, word, text = error.args
            return self._done({"error": {"code": code, "message": text, "data": {"code": word}}})
        if isinstance(error, BadParams):
            return self._done({"error": {"code": INVALID_PARAMS, "message": str(error), "data": {"code": "params"}}})
        if isinstance(error, MemoryError):
            error = Refused("memory", {"key": "request", "do": "ask for less at a time"})
        data = dict(error.detail)
        data["code"] = error.code
        return self._done({"error": {"code": REFUSED, "message": str(error), "data": data}})

    def _done(self, reply):
        """Keeps the reply to a command, refused or not: asked again, it is given again."""
        self._work = None
        if self._digest:
            self._replies.keep(self._id, self._digest, reply)
        return self._seal(reply)

    def _seal(self, reply):
        said = {"jsonrpc": "2.0", "id": self._id}
        said.update(reply)
        return lines.seal(self._number, json.dumps(said).encode())


def _parse(body):
    try:
        request = json.loads(body)
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: nested deeper than the stack
        raise BadLine(lines.PARSE_ERROR, "line_json", "the line is no JSON")
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise BadLine(lines.INVALID_REQUEST, "request_form", "a request is an object with a method")
    if not isinstance(request.get("params") or {}, dict):
        raise BadLine(INVALID_PARAMS, "params", "params must be an object")
    return request


def _id_of(request):
    value = request.get("id")
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str))):
        raise BadLine(lines.INVALID_REQUEST, "request_form", "id must be an integer or a text")
    return value
