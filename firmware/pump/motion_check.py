"""The second channel: the encoder on the screw against the microsteps that were commanded [ALM-01, ALM-10, ALM-12].

The encoder (12 bit, +-1 deg of non-linearity) sees stalls of more than four full steps and drift over about 10 uL, not
single microsteps. A verdict needs two readings in a row that say the same, so that one bad transfer stops nobody.
What the screw did more than it was told is `excess_usteps`, a high-water mark to be booked as delivered.

Backlash does not matter here: the encoder sits on the screw, before it. Positions are differences kept in 1/32
microstep, so that nothing grows with time. No allocation.
"""

from pump.units import const

OK = const(0)
SUSPICIOUS = const(1)  # read again within SOON_MS
STALL = const(2)
OVER = const(3)  # more than OVER_NL beyond what was commanded
SECOND_CHANNEL = const(4)  # motion without command, backwards, or more than a motor can do

SOON_MS = const(10)

COUNTS = const(4096)  # a revolution, 3200 microsteps: a count is 25/32 microstep
PART = const(32)
STALL_USTEPS = const(64)  # four full steps
# Reference and reading may each be off by the non-linearity of +-1 deg (9 usteps) and a count of jitter.
MARGIN_USTEPS = const(20)
IDLE_USTEPS = const(40)  # a rotor that loses power may jump by two full steps
SUDDEN_USTEPS = const(96)  # between two readings, and twice what was commanded: no runaway, the encoder itself
INL_USTEPS = const(10)
OVER_PL = const(10_000_000)
COMMAND_MASK = const(0xFFFFFFF)  # commanded microsteps may wrap at 2^28 or a multiple of it
COMMAND_HALF = const(0x8000000)


class MotionCheck:
    """Compares two counts of the same motion, from the last `start` on."""

    def __init__(self):
        self.start(0, 41_282)

    def start(self, raw, pl_per_ustep, commanded=None):
        """Takes the encoder's reading 0..4095 and the commanded count as the common reference.

        Without `commanded` the first `feel` after it sets the reference instead.
        """
        self.excess_usteps = 0
        self._raw = raw
        self._command = commanded
        self._lead = 0  # screw beyond command, 1/32 ustep
        self._lead_before = 0
        self._idle = 0  # screw's motion since the last command, 1/32 ustep
        self._forward = True
        self._sudden = False
        self._before = OK
        self._over = OVER_PL // pl_per_ustep  # more than STALL_USTEPS with any syringe

    def feel(self, commanded, raw):
        """One reading: `commanded` net microsteps (forward positive), encoder angle 0..4095.

        At most half a revolution may lie between two readings. Returns OK, SUSPICIOUS, STALL, OVER or SECOND_CHANNEL.
        """
        if self._command is None:
            self._command, self._raw = commanded, raw
            return OK
        # A difference of two wrapped counts, as the short way round
        told = ((commanded - self._command + COMMAND_HALF) & COMMAND_MASK) - COMMAND_HALF
        moved = (((raw - self._raw + COUNTS // 2) & (COUNTS - 1)) - COUNTS // 2) * 25
        self._command, self._raw = commanded, raw
        if told:
            self._forward = told > 0
            self._idle = 0
        else:
            self._idle += moved
        change = moved - told * PART
        self._lead_before = self._lead
        self._lead += change
        lead = self._lead // PART
        sudden, verdict = False, OK
        if not (-STALL_USTEPS <= lead <= STALL_USTEPS and -IDLE_USTEPS * PART <= self._idle <= IDLE_USTEPS * PART):
            sudden = abs(change) > (SUDDEN_USTEPS + 2 * abs(told)) * PART
            verdict = self._judge(lead, sudden)
        if verdict == OK:
            self._before = OK
            self._sudden = False
            self._book(lead - MARGIN_USTEPS)
            return OK
        self._sudden = self._sudden or sudden
        if self._before == OK:
            self._before = verdict
            return SUSPICIOUS
        if self._sudden:  # what both readings agree on
            self._book(min(self._lead, self._lead_before) // PART - MARGIN_USTEPS)
            return SECOND_CHANNEL
        if verdict == OVER:
            self._book(lead + INL_USTEPS)
        return verdict

    def lead_usteps(self):
        """How far the screw is beyond the command; negative when it lags."""
        return self._lead // PART

    def _judge(self, lead, sudden):
        """Of a screw that leads or lags by more than STALL_USTEPS, or moves by itself."""
        if abs(lead) > STALL_USTEPS and (sudden or self._sudden):
            return SECOND_CHANNEL  # it jumped, and did not jump back
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
