"""Grants of motion: planned, booked, written ahead to FRAM, made by the step generator, settled at their end.

One grant is in flight at a time. The step generator stops by itself at the end of a grant, so a CPU that hangs costs at
most one grant. `grant_due`, `settle` and `halt` run in the delivery tick and allocate nothing.
"""

from pump.base import states
from pump.base.states import BACK_OFF, FILLING, WrongTransition
from pump.base.units import const
from pump.delivery.ledger import BASAL, CLINICIAN, PCA, PRIME
from pump.delivery.schedule import MAX_STEPS, MIN_PERIOD_US, Schedule

_SCHEDULED = const(-1)  # account of a grant of the schedule, which divides its steps among three accounts
OVERDUE_MS = const(1_000)  # past its end a grant is over, whatever the step generator reports
LONGEST_PAUSE_MS = const(5_000)  # while a bolus runs, a pulse is written at least this often, also without motion
_LONGEST_MS = const(60_000)  # elapsed time saturates about here; the schedule keeps one interval of backlog anyway

# A stream of the schedule has the number of its account in the ledger.
assert (BASAL, PCA, CLINICIAN) == (0, 1, 2)


class Motion:
    """Moves the plunger in grants.

    motor: the step generator (enable, grant, busy, made, halt, gated). ledger: `Ledger`. pulse: `PulseJournal`.
    """

    def __init__(self, motor, ledger, pulse):
        self._motor = motor
        self._ledger = ledger
        self._pulse = pulse
        self.schedule = Schedule()
        self.in_flight = False
        self.commanded = 0  # net usteps made since boot, forward positive
        self.last_made = 0  # usteps of the grant that ended last
        self._account = _SCHEDULED
        self._forward = True
        self._steps = 0  # of the grant in flight
        self._s = self._ms = 0  # instant up to which the schedule has advanced
        self._flight_ms = 0  # from that instant to the last step of the grant, rounded up
        self.phase = 0  # state of the pump, for the journal
        self.encoder_raw = 0  # last reading 0..4095, for the journal

    def enter(self, state):
        """The pump is in `state` (`base.states`): grants are held to what may move in it."""
        self.phase = state

    def note_encoder(self, raw):
        """Encoder reading 0..4095 while nothing is in flight, for the next pulse."""
        self.encoder_raw = raw

    def begin(self, s, ms):
        """Starts the schedule's time at (s, ms). Nothing may be in flight."""
        self._s, self._ms = s, ms
        self._flight_ms = 0

    def grant_due(self, s, ms):
        """Grants the steps that are due by the schedule. Returns their number, 0 if none is due yet."""
        schedule = self.schedule
        if s != self._s or ms != self._ms:
            self._pass_time(s, ms)
        steps = schedule.plan()
        if steps:
            self._ledger.book_grant(schedule.planned)
            self._flight_ms = _whole_ms(schedule.last_us)
            self._start_grant(_SCHEDULED, True, schedule.first_us, schedule.period_us, steps)
        return steps

    def grant_fixed(self, account, forward, steps, period_us, s, ms):
        """Grants `steps` at a fixed period: priming (booked ahead) or relief (credited by the caller afterwards).

        Raises ValueError for more than MAX_STEPS steps or a period below MIN_PERIOD_US.
        """
        if steps > MAX_STEPS or period_us < MIN_PERIOD_US:
            raise ValueError("a grant of %d steps every %d us is outside the machine's range" % (steps, period_us))
        self._s, self._ms = s, ms
        if account == PRIME:
            self._ledger.book(PRIME, steps)
        self._flight_ms = _whole_ms(steps * period_us)
        self._start_grant(account, forward, period_us, period_us, steps)

    def _start_grant(self, account, forward, first_us, period_us, steps):
        self._check_state(account, forward)
        self._account, self._forward, self._steps = account, forward, steps
        self.in_flight = True
        self._write_pulse(self._s, self._ms, self._flight_ms, steps)
        if self._motor.grant(forward, first_us, period_us, steps) is False:
            self._flight_ms = 0  # a gate was latched and nothing moves: `settle` gives the grant back at once

    def _check_state(self, account, forward):
        """Raises WrongTransition for a grant that the state of the pump does not allow: a fault of the firmware."""
        if not forward:
            needed = BACK_OFF
        elif account == PRIME:
            needed = FILLING
        else:
            planned = self.schedule.planned
            needed = states.BASAL | states.BOLUSES if planned[PCA] or planned[CLINICIAN] else states.BASAL
        if states.MOVES[self.phase] & needed != needed:
            raise WrongTransition("a grant in state %s" % states.NAMES[self.phase])

    def write_pulse(self, s, ms):
        """Writes clock, counters and state to the journal, ahead of any further motion."""
        if self.in_flight:
            self._write_pulse(s, ms, self.ends_in_ms(s, ms), self._steps)
        else:
            self._write_pulse(s, ms, LONGEST_PAUSE_MS, 0)

    def _write_pulse(self, s, ms, ends_ms, granted):
        phase, encoder = self.phase | ends_ms << 4, self.encoder_raw + (granted << 12)
        self._pulse.write(s, ms, self._ledger.usteps, phase, encoder)

    def ends_in_ms(self, s, ms):
        """Ms from (s, ms) until the last step of the grant in flight, at least 1."""
        left = self._flight_ms - self._elapsed_ms(s, ms)
        return left if left > 1 else 1

    def settle(self, s, ms):
        """Books the end of a grant that is complete or that an interrupt gated. True if a grant ended."""
        if not self.in_flight:
            return False
        if self._motor.gated:
            return self.halt(s, ms)
        if self._motor.busy():
            return False
        return self._end(self._motor.made(), s, ms)

    def is_overdue(self, s, ms):
        """True if the grant in flight should have ended OVERDUE_MS ago, and the step generator still reports motion."""
        return self.in_flight and self._elapsed_ms(s, ms) > self._flight_ms + OVERDUE_MS

    def abandon(self, s, ms):
        """Ends a grant whose end is not reported. Forward, all of it counts as made; backward, nothing does."""
        self._motor.halt()
        self._end(self._steps if self._forward else 0, s, ms)

    def halt(self, s, ms):
        """Stops motion at the current ustep and books the steps made. True if a grant was in flight.

        Afterwards the schedule has advanced to (s, ms), so that streams can be started, held or stopped.
        """
        made = self._motor.halt()
        if self.in_flight:
            return self._end(made, s, ms)
        self._pass_time(s, ms)
        return False

    def _end(self, made, s, ms):
        steps = self._steps
        if made < 0 or made > steps:
            made = 0 if made < 0 else steps
        elapsed_us = self._elapsed_ms(s, ms) * 1000
        if self._account == _SCHEDULED:
            if made == steps:
                self.schedule.settle(elapsed_us)
            else:
                self._give_back_unmade(made, elapsed_us)
        elif self._account == PRIME:
            self._ledger.give_back(PRIME, steps - made)
        self.commanded += made if self._forward else -made
        self.last_made = made
        self.in_flight = False
        self._s, self._ms = s, ms
        return True

    def _give_back_unmade(self, made, elapsed_us):
        schedule, ledger = self.schedule, self._ledger
        ledger.give_back_grant(schedule.planned)
        schedule.cut(made, elapsed_us)
        ledger.book_grant(schedule.made)

    def _pass_time(self, s, ms):
        """Brings the schedule to (s, ms). Nothing may be in flight."""
        elapsed_ms = self._elapsed_ms(s, ms)
        if elapsed_ms:
            self.schedule.pass_time(elapsed_ms * 1000)
            self._s, self._ms = s, ms

    def _elapsed_ms(self, s, ms):
        return (s - self._s) * 1000 + ms - self._ms if s - self._s < 60 else _LONGEST_MS

    def check_word(self):
        """See `base.dose_guard`."""
        word = self.commanded ^ self._s ^ self._ms ^ self._flight_ms ^ self._steps ^ self._account ^ self.phase
        return word ^ self.in_flight ^ self._forward


def _whole_ms(us):
    """`us` in ms, rounded up, plus 1."""
    return (us + 999) // 1000 + 1
