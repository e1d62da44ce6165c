"""Writes the records, each with time, power-up, wall clock and prescription; says when the log has failed."""

from pump.monitoring.alarms import PRIORITY
from pump.storage import records


class EventLog:
    """Front of the RecordLog. `failed`: a write was refused; it stays True."""

    def __init__(self, log, clock, wall_clock):
        self._log = log
        self._clock = clock
        self._wall_clock = wall_clock
        self._boot = 0
        self._rx_hash = 0
        self.failed = False

    def begin_boot(self, number):
        """Records belong to power-up `number` from now on."""
        self._boot = number

    def stamp_prescription(self, rx_hash):
        """Records belong to the prescription with this hash from now on."""
        self._rx_hash = rx_hash

    @property
    def next_sequence(self):
        """Number of the record that will be written next."""
        return self._log.next_sequence

    def note(self, kind, payload):
        """Appends a record of `kind` with up to seven integers."""
        clock, wall_clock = self._clock, self._wall_clock
        flags = records.WALL_CLOCK_SET if wall_clock.is_known() else 0
        try:
            self._log.append(self._boot, kind, clock.s, clock.ms, wall_clock.unix_s(), self._rx_hash, payload, flags)
        except OSError:
            self.failed = True

    def room_wanted(self):
        """Whether `make_room` has work to do."""
        return not self.failed and self._log.room_wanted()

    def make_room(self):
        """Erases flash ahead of the log, with interrupts off for up to 400 ms: nothing may move."""
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

    def read_in_pieces(self, first, most):
        """`read` as work in pieces."""
        return self._log.read_in_pieces(first, most)
