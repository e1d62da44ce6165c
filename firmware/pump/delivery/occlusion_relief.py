"""Relief: draws back what the line holds, as `back_off` decides, as soon and as long as that may be [OCC-05, H14].

The only reverse motion of the pump [DEL-30], in the states `alarm` and `stopped`. What was drawn back is credited to
the ledger as it is drawn, less the lash of the screw (5 uL at least); the limit windows are never credited. The screw
is watched: what it did not turn is not credited, and a motor that stands is tried again later.
"""

from pump.base.states import ALARM, STOPPED
from pump.base.units import USTEPS_PER_REV, const, pl_per_ustep, volume_nl_of_usteps
from pump.delivery.back_off import DONE, OPEN, PULL, BackOff
from pump.delivery.ledger import CREDIT
from pump.delivery.line_hold import OWED_NL, volume_nl
from pump.delivery.priming import LASH_USTEPS
from pump.delivery.schedule import GRANT_PL
from pump.storage import records

UNBOOKED = const(-2)  # account of a reverse grant: it is credited at its end
LASH_ALLOWANCE_NL = const(5_000)
PERIOD_US = const(10_300)  # 97 microsteps/s
READ_AGAIN_MS = const(10)  # to the next pressure reading between two grants
LAGS_USTEPS = const(32)  # encoder: +-1 degree is 9 usteps, at either end; and a count of jitter
STALL_USTEPS = const(64)  # four full steps [ALM-10]
TRY_AGAIN_S = const(20)  # after a stall
DEFAULT_COMPLIANCE = const(9_000)  # nL/kPa: the stiffest set that is sold; too little draws too little
DEFAULT_RESISTANCE = const(650)  # Pa per mL/h
MOST_MS = const(900_000)  # clock of a relief; it ends long before

# What `step` found, for the controller
FINE = const(0)
STALLED = const(1)
RUNS_AWAY = const(2)


class OcclusionRelief:
    """Of one pump: judges what the line holds when motion ends, and draws it back in small reverse grants.

    active    a relief is at work; it may stand still between two pulls
    verdict   FINE, STALLED or RUNS_AWAY: what the screw showed; the caller raises the alarm and calls `stop`
    """

    def __init__(self, therapy):
        self._therapy = therapy
        self._back_off = BackOff()
        self.active = False
        self.verdict = FINE
        self._compliance = 0  # nL/kPa; 0: not told since power-up, the prescription says it
        self._resistance = DEFAULT_RESISTANCE
        self._usteps = 0  # retracted since the last forward motion
        self._screw = 0  # of it, as the encoder has it, counts
        self._credited = 0  # of it, usteps
        self._raw = 0  # last reading of the encoder
        self._left = 0  # usteps of this pull that are still to be granted
        self._begun_usteps = self._begun_credited = 0  # when this relief began
        self._start_s = 0
        self._reads = 0  # readings of the pressure that were used
        self._not_before_s = 0
        self._is_noted = False  # this relief has a record at its end

    def set_line(self, compliance_nl_per_kpa, resistance_pa_per_ml_h):
        """Compliance and open resistance of the line, as the pump knows them now."""
        self._compliance, self._resistance = compliance_nl_per_kpa, resistance_pa_per_ml_h

    def _set_line_of_prescription(self):
        self._compliance = self._therapy.rx.compliance_nl_per_kpa if self._therapy.rx else DEFAULT_COMPLIANCE

    # -- when motion begins and ends

    def motion_begins(self, is_credited):
        """Motion begins out of a rest: takes the no-flow pressure. True if something was drawn back in that rest.

        is_credited: it is therapy, and no priming.
        """
        self.stop()
        was_relieved = self._usteps > 0
        self._usteps = self._screw = self._credited = 0
        self._not_before_s = 0
        self._therapy.line.begin_motion(self._therapy.pressure_pa, self._compliance, is_credited)
        return was_relieved

    def motion_ended(self, no_flow_pa, flow_drop_pa):
        """Motion has ended. flow_drop_pa: pressure that flow makes in the open line."""
        held_nl = volume_nl(self._therapy.pressure_pa - no_flow_pa, self._compliance)
        self._therapy.line.end_motion(no_flow_pa, held_nl, volume_nl(flow_drop_pa, self._compliance))

    # -- relief

    def step(self, may_move):
        """Begins, continues or suspends the relief. Returns ms until the next call, -1: nothing is owed or possible.

        may_move: door, clamp, keys, alarms and sensors allow it.
        """
        therapy = self._therapy
        if not therapy.line.is_open_question():
            return -1
        may_move = may_move and (therapy.state == ALARM or therapy.state == STOPPED)
        if not may_move:
            self.stop()
            return -1
        if not self.active:
            if therapy.clock.s < self._not_before_s:
                return (self._not_before_s - therapy.clock.s) * 1000
            self._begin()
        if therapy.motion.in_flight:
            return therapy.motion.ends_in_ms(therapy.clock.s, therapy.clock.ms)
        if self._left:
            return self._grant()
        if self._reads == therapy.pressure_reads:
            return READ_AGAIN_MS
        self._reads = therapy.pressure_reads
        self._decide()
        if not self.active:
            return -1
        return self._grant() if self._left else READ_AGAIN_MS

    def _begin(self):
        """A relief begins, or goes on after it was suspended, at the present pressure."""
        therapy = self._therapy
        if not self._compliance:
            self._set_line_of_prescription()
        self._reads = therapy.pressure_reads
        self._start_s = therapy.clock.s
        self._left = 0
        self._begun_usteps, self._begun_credited = self._usteps, self._credited
        lash_nl = LASH_USTEPS * therapy.ledger.pl_step // 1000
        tau_ms = self._resistance * (self._compliance // 100) * 9 // 25
        self._back_off.start(therapy.line.no_flow_pa, self._compliance, tau_ms, lash_nl)
        self.verdict = FINE
        self._is_noted = therapy.line.owed_nl > 0
        self.active = True

    def _decide(self):
        therapy = self._therapy
        line, clock = therapy.line, therapy.clock
        now_ms = min(MOST_MS, (clock.s - self._start_s) * 1000 + clock.ms)
        decision = self._back_off.reading(therapy.pressure_pa, now_ms)
        if decision == PULL:
            if not line.is_judged and self._holds_nothing():
                line.owe(0)
                self.stop()
                return
            line.owe(max(1, volume_nl(self._back_off.level_pa - line.no_flow_pa, self._compliance)))
            therapy.motor.halt()  # a gate may be latched, by the door
            therapy.motor.enable(True)
            self._raw = therapy.motion.encoder_raw
            self._is_noted = True
            self._left = max(1, self._back_off.next_nl() * 1000 // therapy.ledger.pl_step)
        elif decision == DONE:
            line.settle()
            self.stop()
        elif decision == OPEN:
            if self._lag_usteps() > LAGS_USTEPS:
                self.verdict = STALLED  # nothing was drawn: the line was not tried
            else:
                line.settle(self._back_off.level_pa)
                self.stop()

    def _holds_nothing(self):
        """True if a line that was watched at rest holds no more than OWED_NL, or cannot, by what was pumped."""
        line = self._therapy.line
        above_pa = self._back_off.level_pa - line.no_flow_pa + self._back_off.slope_pa
        return min(volume_nl(above_pa, self._compliance), line.most_nl()) <= OWED_NL

    def _grant(self):
        """Grants the next piece of a pull. Returns ms until it ends."""
        therapy = self._therapy
        usteps = max(1, min(self._left, GRANT_PL // therapy.ledger.pl_step))
        therapy.motion.grant_fixed(UNBOOKED, False, usteps, PERIOD_US, therapy.clock.s, therapy.clock.ms)
        return therapy.motion.ends_in_ms(therapy.clock.s, therapy.clock.ms)

    def grant_ended(self):
        """A reverse grant has ended: counts and credits it, and compares the screw with it."""
        therapy = self._therapy
        made, raw = therapy.motion.last_made, therapy.motion.encoder_raw
        self._usteps += made
        self._left = max(0, self._left - made)
        self._screw += ((self._raw - raw + 2048) & 0xFFF) - 2048
        self._raw = raw
        self._reads = therapy.pressure_reads  # those until now are from before the end of this pull
        self._back_off.pulled(volume_nl_of_usteps(made, therapy.ledger.pl_step))
        lag = self._lag_usteps()
        if lag > STALL_USTEPS:
            self.verdict = STALLED
        elif lag < -STALL_USTEPS:
            self.verdict = RUNS_AWAY
        if therapy.line.is_credited:
            self._credit(self._usteps - max(0, lag) if lag > LAGS_USTEPS else self._usteps)

    def _lag_usteps(self):
        """Usteps by which the screw lags behind the retraction."""
        return self._usteps - self._screw * USTEPS_PER_REV // 4096

    def _credit(self, usteps):
        """Credits `usteps` that were drawn back since the last forward motion, less the lash of the screw."""
        ledger = self._therapy.ledger
        allowance = max(LASH_USTEPS, -(-LASH_ALLOWANCE_NL * 1000 // ledger.pl_step))
        more = usteps - allowance - self._credited
        if more > 0:
            self._credited += more
            ledger.book(CREDIT, more)

    def prescription_changes(self, rx):
        """`rx` comes into force. What a step moves may change with it: then a relief goes on by the new steps."""
        ledger = self._therapy.ledger
        if (pl_per_ustep(rx.syringe), rx.concentration_ug_per_ml) != (ledger.pl_step, ledger.concentration_ug_per_ml):
            self.stop()
            self._usteps = self._screw = self._credited = 0
        if self._therapy.rx is None or rx.compliance_nl_per_kpa != self._therapy.rx.compliance_nl_per_kpa:
            self._compliance = 0

    def stop(self):
        """Stands still, writes the record and switches the motor off. What is still owed goes on later."""
        if not self.active:
            return
        therapy = self._therapy
        if therapy.motion.in_flight and therapy.motion.halt(therapy.clock.s, therapy.clock.ms):
            self.grant_ended()
        self.active = False
        self._left = 0
        therapy.motor.enable(False)
        if self.verdict == STALLED:
            self._usteps -= max(0, self._lag_usteps())
            self._not_before_s = therapy.clock.s + TRY_AGAIN_S
        pl = therapy.ledger.pl_step
        usteps, credited = self._usteps - self._begun_usteps, self._credited - self._begun_credited
        nl, credited_nl = usteps * pl // 1000, credited * pl // 1000
        if not self._is_noted:
            return
        words = (usteps, nl, credited_nl, self._back_off.from_pa, therapy.pressure_pa, self._back_off.target_pa)
        therapy.event_log.note(records.BACK_OFF, words)
        if usteps:
            therapy.save_all()
