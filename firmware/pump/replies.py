"""What was answered to the commands of one connection, so that none is done twice [COM-04]."""

from pump.line import INVALID_REQUEST, BadLine
from pump.units import const

_REMEMBERED = const(32)  # commands; a host has one of them open at a time
_KEPT = const(4)  # of these, answers that can be given again


class Replies:
    """The ids of the commands that were done, and the newest replies."""

    def __init__(self):
        self.forget()

    def forget(self):
        """A new connection begins: its ids are its own."""
        self._done = [None] * _REMEMBERED  # (id, CRC-32 of method and parameters, reply or None)
        self._turn = 0

    def find(self, request, digest):
        """The reply to a command that was done before; None: it was not. BadLine: id_reused, id_done."""
        for done in self._done:
            if done and done[0] == request:
                if done[1] != digest:
                    raise BadLine(INVALID_REQUEST, "id_reused", "this id was another command's")
                if done[2] is None:
                    raise BadLine(INVALID_REQUEST, "id_done", "this was done, and is not done again; ask for the state")
                return done[2]
        return None

    def keep(self, request, digest, reply):
        """Remembers that a command was done."""
        self._done[self._turn] = (request, digest, reply)
        oldest = (self._turn - _KEPT) % _REMEMBERED
        if self._done[oldest]:
            self._done[oldest] = self._done[oldest][:2] + (None,)
        self._turn = (self._turn + 1) % _REMEMBERED
