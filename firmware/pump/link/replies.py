"""The replies to the commands of a connection or of a session: a repeated command is answered, not executed [COM-04].

The input of a host is unbounded, so the memory for it is bounded: ids by their form, replies by their number and size.
"""

from pump.base.units import const
from pump.link.framing import INVALID_REQUEST, BadLine

_REMEMBERED = const(32)  # commands; a host has one command open at a time
_KEPT = const(4)  # newest commands whose reply can be sent again
KEPT_BYTES = const(4_096)  # all kept replies of the link together; the longest, to a prescription, has 1100


class Replies:
    """Ring of the executed commands: ids (int or str), digests of the requests, replies (bytes; None: not kept)."""

    def __init__(self):
        self._ids = [None] * _REMEMBERED  # changed in place: allocates nothing
        self._digests = [0] * _REMEMBERED
        self._replies = [None] * _REMEMBERED
        self._newest = 0

    def forget(self):
        """Clears the ring: a new connection or session may use the same ids."""
        for k in range(_REMEMBERED):
            self._ids[k] = self._replies[k] = None

    def find(self, request, digest):
        """The reply to the command with the id `request`; None if not executed yet. BadLine: id_reused, id_done."""
        for k in range(_REMEMBERED):
            if self._ids[k] == request:
                if self._digests[k] != digest:
                    raise BadLine(INVALID_REQUEST, "id_reused", "this id belongs to another command")
                if self._replies[k] is None:
                    text = "this command was executed and its answer is no longer kept; read `state`"
                    raise BadLine(INVALID_REQUEST, "id_done", text)
                return self._replies[k]
        return None

    def begin(self, request, digest):
        """Notes a command before it is executed: after any failure meanwhile it is not executed again."""
        newest = self._newest = (self._newest + 1) % _REMEMBERED
        self._ids[newest], self._digests[newest], self._replies[newest] = request, digest, None

    def keep(self, reply, most_bytes):
        """Keeps the reply (bytes) to the newest command; drops older replies beyond _KEPT and `most_bytes` in all."""
        self._replies[self._newest] = reply
        self.trim(most_bytes)

    def kept_bytes(self):
        """Size of all kept replies."""
        return sum(len(reply) for reply in self._replies if reply is not None)

    def trim(self, most_bytes):
        """Drops the older replies beyond _KEPT and `most_bytes` in all."""
        room = most_bytes
        for back in range(_REMEMBERED):
            k = self._newest - back
            if self._replies[k] is not None:
                room -= len(self._replies[k])
                if back >= _KEPT or room < 0:
                    self._replies[k] = None
