"""The server of the link: one JSON-RPC 2.0 request per line, one answer each; no command is executed twice.

`host_tools/cisterna/link/PROTOCOL.md` has every method with examples. Slow work is done in pieces, so that the pump
drives its motor in between: `begin` takes a line, `go_on` does one piece, and either returns the answer once it is
complete.
"""

import gc
import json

from pump.authority.access import PATIENT
from pump.base.refusal import Refused
from pump.base.units import const
from pump.link import framing
from pump.link.framing import BadLine
from pump.link.methods import ANYBODY, NAMES, PAUSE, Methods
from pump.link.params import BadParams
from pump.link.replies import KEPT_BYTES, Replies
from pump.link.request import Request
from pump.storage import records

MAX_LINE = const(6_000)  # bytes of a request line

METHOD_NOT_FOUND = const(-32601)  # codes of JSON-RPC 2.0
INVALID_PARAMS = const(-32602)
REFUSED = const(-32000)  # the pump's own: Refused

_MAX_BODY = const(5_980)  # bytes of an answer's body: with number and CRC-32 at most MAX_LINE
_MAX_ECHO = const(64)  # characters of a sent value that an answer repeats
_MAX_ECHO_INT = const(1_000_000_000_000)  # from here on an answer does not repeat a sent integer

_MEMORY_DETAIL = {"key": "request", "do": "request less at a time"}

# The answer when there is no memory to build one; made at import. Line number 0 and id null, as for a line that was
# not understood: the host sends its request again, and then learns whether the command was executed.
NO_MEMORY = framing.seal(
    0, b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "memory", "data": {"code": "memory"}}}'
)


class Server:
    """Answers the requests of one link to one pump. `about`, `heap_used`: see Questions.

    changed  True if the newest request was a command: it may have changed the pump
    """

    def __init__(self, pump, about, heap_used):
        self._pump = pump
        self._methods = Methods(pump, about, heap_used)
        self._order = framing.LineOrder()
        self._connection_replies = Replies()  # to commands of a connection without a log-on
        self._session_replies = Replies()  # to commands of the session `_session`; no other host can displace them
        self._session = ""
        self._work = None  # the generator of the request that is being worked on
        self._number = 0  # line number of the newest request
        self._id = None  # its id
        self._replies = None  # the Replies that keep its reply; None: not a command
        self.changed = False

    @property
    def busy(self):
        """True while a request is being worked on: call `go_on`."""
        return self._work is not None

    def answer(self, line):
        """The answer line to a request line; does all of the work."""
        answer = self.begin(line)
        while answer is None:
            answer = self.go_on()
        return answer

    def begin(self, line):
        """The answer line (bytes) to a request line (bytes), or None while its work goes on. Raises for no line."""
        self._number, self._id = 0, None
        self._replies, self.changed = None, False
        try:
            return self._begin(line)
        except MemoryError:
            return self._memory_refusal()

    def refuse_overlong(self):
        """The answer line to a line longer than MAX_LINE, of which nothing was kept: that it is not whole."""
        return self.begin(b"")

    def go_on(self):
        """Does one piece of the work. The answer line if it was the last piece, else None. Raises for no line."""
        try:
            return self._go_on()
        except MemoryError:
            return self._memory_refusal()

    def _begin(self, line):
        try:
            self._number, body, crc = framing.unseal(bytes(line))
            request = self._take(body, crc)
            self._id = request.id
            return self._dispatch(request)
        except (BadLine, BadParams, Refused) as error:
            return self._refuse(error)

    def _go_on(self):
        try:
            next(self._work)
        except StopIteration as end:
            return self._complete({"result": end.value})
        except (BadParams, Refused) as error:
            return self._refuse(error)
        return None

    def _take(self, body, crc):
        """The request of the line, if the line is in its order; a pause is done whatever its number."""
        try:
            if self._order.take(self._number, crc):
                self._connection_replies.forget()
        except BadLine as error:
            if error.args[1] != framing.OUT_OF_ORDER or PAUSE.encode() not in body:
                raise error
            request = Request(body)
            if request.method != PAUSE:
                raise error
            return request
        return Request(body)

    def _dispatch(self, request):
        if not isinstance(request.params, dict):
            raise BadParams("params must be an object")
        question = self._methods.questions.get(request.method)
        if question:
            return self._call(question, request.params)
        if request.method not in self._methods.commands:
            raise BadLine(METHOD_NOT_FOUND, "method_unknown", "no method " + _echo(request.method))
        return self._command(request)

    def _command(self, request):
        if request.id is None:
            raise BadLine(framing.INVALID_REQUEST, "request_form", "a command needs an id")
        digest = request.digest()
        name, access = request.method, self._pump.access
        roles = self._methods.roles_of(name)
        is_of_session = (roles is not ANYBODY or name == PAUSE) and access.is_named_in(request.auth)
        if name == PAUSE and access.role:  # else another host could take ids of the session for its pauses
            is_of_session = access.accepts(request.auth)
        replies = self._replies_of_session() if is_of_session else self._connection_replies
        kept_reply = replies.find(request.id, digest)
        # A repeated command spends a token too. After a log-off there is no session, and its reply is sent unchecked.
        if roles is not ANYBODY and (access.role or kept_reply is None):
            access.check(request.auth, roles)
        if kept_reply is not None:
            return framing.seal(self._number, kept_reply)
        replies.begin(request.id, digest)  # a refusal before this line is not kept as a reply
        self._replies, self.changed = replies, True
        if name == PAUSE:
            self._note_pause(is_of_session)
        elif roles is not ANYBODY and name != "document.put":
            self._note(name, access.number, access.role)
        return self._call(self._methods.commands[name][1], request.params)

    def _replies_of_session(self):
        """The replies of the newest session. Those of an earlier one are dropped: no token leads to them."""
        if self._session != self._pump.access.session:
            self._session = self._pump.access.session
            self._session_replies.forget()
        return self._session_replies

    def _note_pause(self, is_of_session):
        """Records a pause with its sender; without one only if it stops motion, so that pauses cannot fill the log."""
        access = self._pump.access
        if is_of_session and access.role:
            self._note(PAUSE, access.number, access.role)
        elif self._pump.therapy.moving():
            self._note(PAUSE, 0, PATIENT)

    def _note(self, name, person, role):
        self._pump.therapy.event_log.note(records.COMMAND, (NAMES.index(name), person, role))

    def _call(self, handler, params):
        """The answer line, or None if the handler does its work in pieces and more is to do."""
        result = handler(params)
        if isinstance(result, dict):
            return self._complete({"result": result})
        self._work = result
        return self._go_on()

    # -- answers

    def _refuse(self, error):
        """The answer line for a BadLine, BadParams or Refused."""
        if isinstance(error, BadLine):
            code, word, text = error.args
            return self._complete({"error": {"code": code, "message": text, "data": {"code": word}}})
        if isinstance(error, BadParams):
            text = _echo(str(error))
            return self._complete({"error": {"code": INVALID_PARAMS, "message": text, "data": {"code": "params"}}})
        data = {key: _echo(value) if key in ("key", "held") else value for key, value in error.detail.items()}
        text = str(Refused(error.code, data))
        data["code"] = error.code
        return self._complete({"error": {"code": REFUSED, "message": text, "data": data}})

    def _memory_refusal(self):
        """The answer line after a MemoryError: the refusal `memory`."""
        self._work = None
        gc.collect()
        try:
            return self._refuse(Refused("memory", _MEMORY_DETAIL))
        except MemoryError:
            return NO_MEMORY

    def _complete(self, reply):
        """Ends the request. Its answer line, or NO_MEMORY if it cannot be built; a repeat then gets `id_done`."""
        self._work = None
        for _ in range(2):
            try:
                return self._sealed(reply)
            except MemoryError:
                gc.collect()
        return NO_MEMORY

    def _keep(self, reply):
        """Keeps the reply to a command. All kept replies share KEPT_BYTES, and those of the session come first."""
        if self._replies is self._session_replies:
            self._session_replies.keep(reply, KEPT_BYTES)
            self._connection_replies.trim(KEPT_BYTES - self._session_replies.kept_bytes())
        else:
            self._connection_replies.keep(reply, KEPT_BYTES - self._session_replies.kept_bytes())

    def _sealed(self, reply):
        """The answer line of `reply`. The reply to a command, a result or an error, is kept for a repeat."""
        answer = {"jsonrpc": "2.0", "id": self._id}
        answer.update(reply)
        body = json.dumps(answer).encode()
        if len(body) > _MAX_BODY:
            return self._refuse(Refused("memory", _MEMORY_DETAIL))
        if self._replies is not None:
            self._keep(body)
        return framing.seal(self._number, body)


def _echo(held):
    """A value as sent, cut to what an answer repeats of it."""
    if isinstance(held, str):
        return held if len(held) <= _MAX_ECHO else held[: _MAX_ECHO - 3] + "..."
    if isinstance(held, int) and not -_MAX_ECHO_INT < held < _MAX_ECHO_INT:
        return "a number of many digits"
    return held
