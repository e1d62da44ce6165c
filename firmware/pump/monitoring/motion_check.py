"""Second channel: compares the encoder on the screw with the commanded microsteps [ALM-01, ALM-10, ALM-12].

The encoder (12 bit, +-1 deg of non-linearity) detects stalls of more than four full steps and drift over about 10 uL,
not single microsteps. An alarm needs two readings in a row that agree, so that one bad transfer stops no pump.
`excess_usteps` is the motion of the screw beyond the command, as a high-water mark, to be booked as delivered.

Backlash does not matter: the encoder is on the screw, ahead of it. Positions are kept as differences in 1/32 microstep,
so that no number grows with time. No allocation.
"""

from pump.base.units import const

OK = const(0)
SUSPICIOUS = const(1)  # one bad reading: read again within SOON_MS
STALL = const(2)
OVER = const(3)  # more than 10 uL (OVER_PL) beyond the command
SECOND_CHANNEL = const(4)  # motion without command, backwards, or faster than a motor can move

SOON_MS = const(10)

COUNTS = const(4096)  # a revolution, 3200 microsteps: a count is 25/32 microstep
PART = const(32)  # parts of a ustep in which positions are kept
STALL_USTEPS = const(64)  # four full steps
# Reference and reading may each be off by the non-linearity of +-1 deg (9 usteps) and a count of jitter.
MARGIN_USTEPS = const(20)
IDLE_USTEPS = const(40)  # a rotor that loses power may jump by two full steps
SUDDEN_USTEPS = const(96)  # a change above this plus twice the command is a fault of the encoder, no runaway
INL_USTEPS = const(10)  # non-linearity, added when an over-infusion is booked
OVER_PL = const(10_000_000)  # 10 uL
COMMAND_MASK = const(0xFFFFFFF)  # commanded microsteps may wrap at 2^28 or a multiple of it
COMMAND_HALF = const(0x8000000)


class MotionCheck:
    """Compares the encoder with the commanded count, from the last `start` on."""

    def __init__(self):
        self.start(0, 41_282)

    def start(self, raw, pl_per_ustep, commanded=None):
        """Takes the encoder reading `raw` 0..4095 and the commanded count as the common reference.

        Without `commanded` the next `sample` sets the reference.
        """
        self.excess_usteps = 0
        self._raw = raw
        self._command = commanded
        self._lead = 0  # screw ahead of the command, 1/32 ustep
        self._previous_lead = 0
        self._idle = 0  # motion of the screw since the last command, 1/32 ustep
        self._forward = True  # direction of the last command
        self._sudden = False
        self._previous = OK  # verdict of the previous reading
        self._over = OVER_PL // pl_per_ustep  # usteps; more than STALL_USTEPS with any syringe

    def sample(self, commanded, raw):
        """One reading: `commanded` net microsteps (forward positive), encoder angle 0..4095.

        At most half a revolution may lie between two readings. Returns OK, SUSPICIOUS, STALL, OVER or SECOND_CHANNEL.
        """
        if self._command is None:
            self._command, self._raw = commanded, raw
            return OK
        # Difference of two wrapped counts, the short way round
        commanded_change = ((commanded - self._command + COMMAND_HALF) & COMMAND_MASK) - COMMAND_HALF
        moved = (((raw - self._raw + COUNTS // 2) & (COUNTS - 1)) - COUNTS // 2) * 25
        self._command, self._raw = commanded, raw
        if commanded_change:
            self._forward = commanded_change > 0
            self._idle = 0
        else:
            self._idle += moved
        lead_change = moved - commanded_change * PART
        self._previous_lead = self._lead
        self._lead += lead_change
        lead = self._lead // PART
        sudden, verdict = False, OK
        if not (-STALL_USTEPS <= lead <= STALL_USTEPS and -IDLE_USTEPS * PART <= self._idle <= IDLE_USTEPS * PART):
            sudden = abs(lead_change) > (SUDDEN_USTEPS + 2 * abs(commanded_change)) * PART
            verdict = self._judge(lead, sudden)
        if verdict == OK:
            self._previous = OK
            self._sudden = False
            self._book(lead - MARGIN_USTEPS)
            return OK
        self._sudden = self._sudden or sudden
        if self._previous == OK:
            self._previous = verdict
            return SUSPICIOUS
        if self._sudden:  # the part on which both readings agree
            self._book(min(self._lead, self._previous_lead) // PART - MARGIN_USTEPS)
            return SECOND_CHANNEL
        if verdict == OVER:
            self._book(lead + INL_USTEPS)
        return verdict

    def lead_usteps(self):
        """Usteps by which the screw is ahead of the command; negative if it lags."""
        return self._lead // PART

    def _judge(self, lead, sudden):
        """Verdict for a screw that leads or lags by more than STALL_USTEPS, or moves without command."""
        if abs(lead) > STALL_USTEPS and (sudden or self._sudden):
            return SECOND_CHANNEL  # it has jumped and not jumped back
        if abs(self._idle) > IDLE_USTEPS * PART:
            return SECOND_CHANNEL
        if lead > self._over and self._forward:
            return OVER
        if lead < -STALL_USTEPS if self._forward else lead > STALL_USTEPS:
            return STALL
        if not self._forward and lead < -STALL_USTEPS:
            return SECOND_CHANNEL
        return OK

    def _book(self, excess):
        if excess > self.excess_usteps:
            self.excess_usteps = excess
