"""Grants of motion: planned, booked, written ahead, handed to the step generator, and accounted for when they end.

One grant is in flight at a time. The step generator stops by itself when it is used up, so a processor that hangs
costs at most one grant. `go`, `settle` and `halt` run in the delivery tick and allocate nothing.
"""

from pump.ledger import BASAL, CLINICIAN, PCA, PRIME
from pump.schedule import MAX_STEPS, MIN_PERIOD_US, Schedule
from pump.units import const

_SCHEDULED = const(-1)  # the grant came from the schedule, which knows its accounts
LONGEST_PAUSE_MS = const(5_000)  # while a bolus runs a pulse is written at least this often, motion or none
_LONGEST_MS = const(60_000)  # time that passed is looked at up to here; the schedule keeps one interval anyway

# A bolus and the basal stream book under the same number in the schedule and in the ledger.
assert (BASAL, PCA, CLINICIAN) == (0, 1, 2)


class Motion:
    """Moves the plunger in grants. `motor` is the step generator: enable, grant, busy, made, halt, gated."""

    def __init__(self, motor, ledger, pulse):
        self._motor = motor
        self._ledger = ledger
        self._pulse = pulse
        self.schedule = Schedule()
        self.flying = False
        self.commanded = 0  # net microsteps really commanded since boot, forward positive
        self.last_made = 0  # microsteps of the grant that ended last
        self._account = _SCHEDULED
        self._forward = True
        self._steps = 0
        self._s = self._ms = 0  # when the schedule was last looked at
        self._flight_ms = 0  # from then until the last step of the grant was made, rounded up
        self.phase = 0  # state of the pump, for the journal
        self.encoder_raw = 0

    def begin(self, s, ms):
        """The schedule's time starts here; nothing may be in flight."""
        self._s, self._ms = s, ms
        self._flight_ms = 0

    def go(self, s, ms):
        """Grants what is due next by the schedule. Returns the number of steps, 0 when none is due yet."""
        schedule = self.schedule
        if s != self._s or ms != self._ms:
            self._pass_time(s, ms)
        steps = schedule.plan()
        if steps:
            self._ledger.book_grant(schedule.planned)
            self._flight_ms = _whole_ms(schedule.last_us)
            self._fly(_SCHEDULED, True, schedule.first_us, schedule.period_us, steps)
        return steps

    def go_fixed(self, account, forward, steps, period_us, s, ms):
        """Grants `steps` at a fixed period: priming (booked ahead) or relief (credited by the caller afterwards)."""
        if steps > MAX_STEPS or period_us < MIN_PERIOD_US:
            raise ValueError("a grant of %d steps every %d us is outside the machine's range" % (steps, period_us))
        self._s, self._ms = s, ms
        if account == PRIME:
            self._ledger.book(PRIME, steps)
        self._flight_ms = _whole_ms(steps * period_us)
        self._fly(account, forward, period_us, period_us, steps)

    def _fly(self, account, forward, first_us, period_us, steps):
        self._account, self._forward, self._steps = account, forward, steps
        self.flying = True
        self._write_pulse(self._s, self._ms, self._flight_ms, steps)
        if self._motor.grant(forward, first_us, period_us, steps) is False:
            self._flight_ms = 0  # a gate was latched, nothing moves: look again at once, and give it all back

    def write_pulse(self, s, ms):
        """Writes clock, counters and state ahead of what comes next."""
        if self.flying:
            self._write_pulse(s, ms, self.lands_in_ms(s, ms), self._steps)
        else:
            self._write_pulse(s, ms, LONGEST_PAUSE_MS, 0)

    def _write_pulse(self, s, ms, lands_ms, granted):
        phase, encoder = self.phase | lands_ms << 4, self.encoder_raw + (granted << 12)
        self._pulse.write(s, ms, self._ledger.usteps, phase, encoder)

    def lands_in_ms(self, s, ms):
        """Milliseconds from (s, ms) until the grant in flight has made its last step, at least 1."""
        left = self._flight_ms - self._elapsed_ms(s, ms)
        return left if left > 1 else 1

    def settle(self, s, ms):
        """Books the end of a grant that moves no more, because it was used up or an interrupt gated it.

        True when one ended.
        """
        if not self.flying:
            return False
        if self._motor.gated:
            return self.halt(s, ms)
        if self._motor.busy():
            return False
        return self._end(self._motor.made(), s, ms)

    def halt(self, s, ms):
        """Stops motion at the current microstep and books what was made. True when a grant was in flight.

        Afterwards the schedule stands at this instant, so that streams can be started, held or stopped.
        """
        made = self._motor.halt()
        if self.flying:
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
        self.flying = False
        self._s, self._ms = s, ms
        return True

    def _give_back_unmade(self, made, elapsed_us):
        schedule, ledger = self.schedule, self._ledger
        ledger.give_back_grant(schedule.planned)
        schedule.cut(made, elapsed_us)
        ledger.book_grant(schedule.made)

    def _pass_time(self, s, ms):
        """Nothing is in flight: brings the schedule to this instant."""
        elapsed_ms = self._elapsed_ms(s, ms)
        if elapsed_ms:
            self.schedule.pass_time(elapsed_ms * 1000)
            self._s, self._ms = s, ms

    def _elapsed_ms(self, s, ms):
        return (s - self._s) * 1000 + ms - self._ms if s - self._s < 60 else _LONGEST_MS


def _whole_ms(us):
    """Whole milliseconds by whose end `us` are surely over."""
    return (us + 999) // 1000 + 1
