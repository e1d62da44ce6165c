"""The link's server: one JSON-RPC 2.0 request a line, one answer each, and never a command twice.

PROTOCOL.md of the host's link has every method with examples. What is slow is done in pieces, between which the pump
does what it is for: `begin` takes a line, `go_on` does a piece, and each gives the answer as soon as there is one.
"""

import gc
import json

from pump import line as lines
from pump import records
from pump.access import BY_CONNECTION
from pump.line import BadLine
from pump.methods import ANYBODY, BadParams, Methods
from pump.refusal import Refused
from pump.replies import Replies
from pump.request import Request
from pump.units import const

MAX_LINE = const(6_000)

METHOD_NOT_FOUND = const(-32601)
INVALID_PARAMS = const(-32602)
REFUSED = const(-32000)

_MAX_BODY = const(5_980)  # of an answer, which is no longer than a line
_MAX_ECHO = const(64)  # characters of what was sent that an answer repeats
_MAX_NUMBER = const(1_000_000_000_000)

_LESS = {"key": "request", "do": "ask for less at a time"}

# Made beforehand, for when there is no memory to make one. As the answer to a line that was not understood: who hears
# it asks again, and is told then whether it was done.
NO_MEMORY = lines.seal(
    0, b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "memory", "data": {"code": "memory"}}}'
)


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
        self._is_command = False  # its reply is kept
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
        self._number, self._id = 0, None
        self._is_command = self.changed = False
        try:
            return self._begin(line)
        except MemoryError:
            return self._short_of_memory()

    def go_on(self):
        """One piece of the work; the answer line when it is done, else None. Raises for no input."""
        try:
            return self._go_on()
        except MemoryError:
            return self._short_of_memory()

    def _begin(self, line):
        try:
            self._number, body, crc = lines.unseal(bytes(line))
            if self._order.take(self._number, crc):
                self._begin_connection()
            request = Request(body)
            self._id = request.id
            return self._dispatch(request)
        except (BadLine, BadParams, Refused) as error:
            return self._refuse(error)

    def _go_on(self):
        try:
            next(self._work)
        except StopIteration as end:
            return self._done({"result": end.value})
        except (BadParams, Refused) as error:
            return self._refuse(error)
        return None

    def _begin_connection(self):
        self._replies.forget()
        self._pump.access.log_off(BY_CONNECTION)

    def _dispatch(self, request):
        if not isinstance(request.params, dict):
            raise BadParams("params must be an object")
        question = self._methods.questions.get(request.method)
        if question:
            return self._do(question, request.params)
        if request.method not in self._methods.commands:
            raise BadLine(METHOD_NOT_FOUND, "method_unknown", "no method " + _short(request.method))
        return self._command(request)

    def _command(self, request):
        if request.id is None:
            raise BadLine(lines.INVALID_REQUEST, "request_form", "a command needs an id")
        digest = request.digest()
        kept = self._replies.find(request.id, digest)
        name, access = request.method, self._pump.access
        roles = self._methods.roles_of(name)
        # A line that is said again spends its token, too; but after a log-off there is nobody whose token it could be.
        if roles is not ANYBODY and (access.role or kept is None):
            access.check(request.auth, roles)
        if kept is not None:
            return lines.seal(self._number, kept)
        self._replies.begin(request.id, digest)  # what is refused before this is no reply to keep
        self._is_command = self.changed = True
        if roles is not ANYBODY and name != "document.put":
            self._pump.core.diary.note(records.COMMAND, (self._methods.names.index(name), access.number, access.role))
        return self._do(self._methods.commands[name][1], request.params)

    def _do(self, method, params):
        """The answer, or None when there is work to go on with."""
        result = method(params)
        if isinstance(result, dict):
            return self._done({"result": result})
        self._work = result
        return self._go_on()

    # -- answers

    def _refuse(self, error):
        if isinstance(error, BadLine):
            code, word, text = error.args
            return self._done({"error": {"code": code, "message": text, "data": {"code": word}}})
        if isinstance(error, BadParams):
            text = _short(str(error))
            return self._done({"error": {"code": INVALID_PARAMS, "message": text, "data": {"code": "params"}}})
        data = {key: _short(value) if key in ("key", "held") else value for key, value in error.detail.items()}
        text = str(Refused(error.code, data))
        data["code"] = error.code
        return self._done({"error": {"code": REFUSED, "message": text, "data": data}})

    def _short_of_memory(self):
        """The refusal `memory`: what was to be done has met the end of it."""
        self._work = None
        gc.collect()
        try:
            return self._refuse(Refused("memory", _LESS))
        except MemoryError:
            return NO_MEMORY

    def _done(self, reply):
        """The answer line, for which there may be no memory though all is done: then the host hears so by `id_done`."""
        self._work = None
        for _ in range(2):
            try:
                return self._sealed(reply)
            except MemoryError:
                gc.collect()
        return NO_MEMORY

    def _sealed(self, reply):
        """Keeps the reply to a command, refused or not: asked again, it is given again."""
        said = {"jsonrpc": "2.0", "id": self._id}
        said.update(reply)
        body = json.dumps(said).encode()
        if len(body) > _MAX_BODY:
            return self._refuse(Refused("memory", _LESS))
        if self._is_command:
            self._replies.keep(body)
        return lines.seal(self._number, body)


def _short(held):
    """What was sent, as far as an answer repeats it."""
    if isinstance(held, str):
        return held if len(held) <= _MAX_ECHO else held[: _MAX_ECHO - 3] + "..."
    if isinstance(held, int) and not -_MAX_NUMBER < held < _MAX_NUMBER:
        return "a number of many digits"
    return held
