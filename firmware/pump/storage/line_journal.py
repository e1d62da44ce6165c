"""What the line holds, in FRAM: two slots that are written in turn, as the pulse journal's.

Written when motion begins and ends, after each pull of a relief and whenever the no-flow pressure was seen, which may
be in the delivery tick: no allocation, and no word past 2^30.
"""

import struct

from pump.base.units import const

LINE_BASE = const(0x0580)  # 2 x LINE_BYTES, behind the state journal
LINE_BYTES = const(32)

_FORMAT = "<8I"
_ZERO_PA = const(200_000)  # a pressure is stored as a positive number
_MASK = const(0xFFFFFFF)

# Bits of the flags
KNOWN = const(1)  # the no-flow pressure was seen
MOVED = const(2)  # motion began, and what the line held at its end was not judged since: power has failed in it
CREDITED = const(4)  # what is drawn back was booked on an account of the therapy


class LineJournal:
    """flags, no_flow_pa, owed_nl, mark: the last values written or restored.

    no_flow_pa  line pressure in Pa without flow
    owed_nl     volume that relief may still draw back, nL; 0: no relief is owed
    mark        usteps drawn from all syringes when the no-flow pressure was seen
    """

    def __init__(self, nv):
        self._nv = nv
        self._buf = bytearray(LINE_BYTES)
        self._sequence = 0
        self.flags = self.no_flow_pa = self.owed_nl = self.mark = 0

    def write(self, flags, no_flow_pa, owed_nl, mark):
        """Writes these values to the older slot."""
        self.flags = flags  # one by one: a tuple of four would be allocated
        self.no_flow_pa = no_flow_pa
        self.owed_nl = owed_nl
        self.mark = mark & _MASK
        sequence = self._sequence = (self._sequence + 1) & _MASK
        pressure = no_flow_pa + _ZERO_PA
        check = (sequence + flags * 3 + pressure * 5 + owed_nl * 7 + (mark & _MASK)) & _MASK
        struct.pack_into(
            _FORMAT, self._buf, 0, sequence, flags, pressure, owed_nl, mark & _MASK, 0, check, sequence
        )  # fmt: skip
        self._nv.write(LINE_BASE + (sequence & 1) * LINE_BYTES, self._buf)

    def restore(self):
        """Loads the newest whole block. False if neither slot holds one, as in a new pump."""
        found = False
        for slot in range(2):
            self._nv.read_into(LINE_BASE + slot * LINE_BYTES, self._buf)
            sequence, flags, pressure, owed_nl, mark, _, check, again = struct.unpack(_FORMAT, self._buf)
            if sequence != again or sequence == 0 or sequence & 1 != slot or sequence <= self._sequence:
                continue
            if check == (sequence + flags * 3 + pressure * 5 + owed_nl * 7 + mark) & _MASK:
                found = True
                self._sequence = sequence
                self.flags, self.no_flow_pa, self.owed_nl, self.mark = flags, pressure - _ZERO_PA, owed_nl, mark
        return found
