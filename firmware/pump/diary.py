"""Writes the records: stamps them with time, boot, wall clock and prescription, and knows when the log has failed."""

from pump import records
from pump.alarms import PRIORITY


class Diary:
    """Front of the RecordLog. `failed` is set by a refused write and stays."""

    def __init__(self, log, clock):
        self._log = log
        self._clock = clock
        self.boot = 0
        self.rx_hash = 0
        self.wall_offset_s = None  # wall clock = monotonic seconds + this; None: not known
        self.failed = False

    @property
    def next_sequence(self):
        """Number of the record that will be written next."""
        return self._log.next_sequence

    def wall_s(self):
        """Wall clock in Unix seconds, 0 when it is not known."""
        return 0 if self.wall_offset_s is None else self._clock.s + self.wall_offset_s

    def note(self, kind, payload):
        """Appends a record of `kind` with up to seven integers."""
        c = self._clock
        flags = 0 if self.wall_offset_s is None else records.WALL_CLOCK_SET
        try:
            self._log.append(self.boot, kind, c.s, c.ms, self.wall_s(), self.rx_hash, payload, flags)
        except OSError:
            self.failed = True

    def room_wanted(self):
        """Whether `make_room` has work to do."""
        return not self.failed and self._log.room_wanted()

    def make_room(self):
        """Erases flash ahead of the log, which no interrupt can break into: nothing may move."""
        try:
            self._log.make_room()
        except OSError:
            self.failed = True

    def alarm(self, event, code, action, restored):
        """A change of an alarm: event is records.ALARM_ON, _ACK or _OFF."""
        if event == records.ALARM_ON:
            self.note(event, (code, PRIORITY[code], action, restored))
        else:
            self.note(event, (code,))

    def read(self, first, most):
        """Records from number `first` on: (number of the first one, bytes)."""
        return self._log.read(first, most)

    def reading(self, first, most):
        """`read` as work in pieces."""
        return self._log.reading(first, most)
