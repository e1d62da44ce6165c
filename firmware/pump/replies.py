"""What was answered to the commands of one connection, so that none is done twice [COM-04].

A host sends what it likes, so what is remembered of it is bounded: ids by their form, answers by their number and size.
"""

from pump.line import INVALID_REQUEST, BadLine
from pump.units import const

_REMEMBERED = const(32)  # commands; a host has one of them open at a time
_KEPT = const(4)  # of these, answers that can be given again
_KEPT_BYTES = const(4_096)  # of them together; a prescription's, the longest, has 1100

_ID = const(0)  # places in an entry
_DIGEST = const(1)
_REPLY = const(2)


class Replies:
    """The ids of the commands that were done, and the newest replies (bytes)."""

    def __init__(self):
        self._done = [[None, 0, None] for _ in range(_REMEMBERED)]  # changed in place: to remember takes no memory
        self._newest = 0

    def forget(self):
        """A new connection begins: its ids are its own."""
        for done in self._done:
            done[_ID] = done[_REPLY] = None

    def find(self, request, digest):
        """The reply to a command that was done before; None: it was not. BadLine: id_reused, id_done."""
        for done in self._done:
            if done[_ID] == request:
                if done[_DIGEST] != digest:
                    raise BadLine(INVALID_REQUEST, "id_reused", "this id was another command's")
                if done[_REPLY] is None:
                    raise BadLine(INVALID_REQUEST, "id_done", "this was done, and is not done again; ask for the state")
                return done[_REPLY]
        return None

    def begin(self, request, digest):
        """Remembers that a command is done, before it is: whatever happens meanwhile, it is not done again."""
        self._newest = (self._newest + 1) % _REMEMBERED
        done = self._done[self._newest]
        done[_ID], done[_DIGEST], done[_REPLY] = request, digest, None

    def keep(self, reply):
        """Keeps the reply (bytes) to the command that was begun last, and of those before what there is room for."""
        room = _KEPT_BYTES
        self._done[self._newest][_REPLY] = reply
        for back in range(_REMEMBERED):
            done = self._done[self._newest - back]
            if done[_REPLY] is not None:
                room -= len(done[_REPLY])
                if back >= _KEPT or room < 0:
                    done[_REPLY] = None
