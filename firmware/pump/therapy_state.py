"""The therapy as it stands: its state, its prescription, its account, its alarms, and the time.

Every part of the firmware reads it. Only the methods here change its own fields; what an object in it holds (ledger,
lockouts, alarms ...) is changed by that object's methods. `tests/unit/test_source_rules.py` proves it.
"""

from binascii import crc32

from pump import saved_state
from pump.authority.document_numbers import DocumentNumbers
from pump.authority.log_on_attempts import LogOnAttempts
from pump.base import states
from pump.base.clock import MonotonicClock
from pump.base.refusal import Refused
from pump.base.states import SELF_TEST
from pump.base.units import HOUR_S, volume_nl_of_usteps
from pump.base.wall_clock import WallClock
from pump.delivery.fluids import Fluids
from pump.delivery.ledger import Ledger
from pump.delivery.line_hold import LineHold
from pump.delivery.motion import Motion
from pump.delivery.reservoir import Reservoir
from pump.delivery.schedule import CLINICIAN, PCA
from pump.dosing.bolus import Bolus
from pump.dosing.dose_history import CLINICIAN as CLINICIAN_KIND
from pump.dosing.dose_history import PCA as PCA_KIND
from pump.dosing.dose_history import DoseHistory
from pump.dosing.limits import Limits, Lockouts
from pump.event_log import EventLog
from pump.monitoring.alarms import DISPLAY, Alarms
from pump.monitoring.alarms import SELF_TEST as SELF_TEST_ALARM
from pump.monitoring.repeat_stops import RepeatStops
from pump.panel.pending_confirmation import PendingConfirmation
from pump.storage import records
from pump.storage.journal import BOLUS_BASE, RATE_BASE, RX_BASE, RX_SLOT_BYTES, PulseJournal


class TherapyState:
    """Times are (s, ms) of `clock`. Fields that only methods here change:

    state                 of `base.states`
    rx                    the last confirmed Prescription, also after its therapy has ended; None: never one
    rx_slot, rx_crc       where its text lies in FRAM, and the CRC-32 of the text
    needs_rx              only a new signed prescription leads back to infusion
    in_force              `rx` was confirmed and its therapy was not ended since
    started, primed       the therapy of `rx` was started; its line was filled
    prime_mark_nl         volume primed in total before the last filling of a line began
    sequence              number of the last accepted prescription or order
    converted_s           when past mass was last restated in another drug, monotonic seconds; 0: never
    limits                the limits of `rx` over the history; None without a prescription
    boot                  number of this power-up
    pressure_pa           line pressure as last read; pressure_reads: number of readings, modulo 65536
    flow_nl_per_h         commanded flow now, rounded down
    """

    def __init__(self, motor, nv, log):
        self.motor = motor
        self.nv = nv
        self.clock = MonotonicClock()
        self.wall_clock = WallClock(self.clock)
        self.confirmation = PendingConfirmation(self.clock)
        self.ledger = Ledger()
        self.fluids = Fluids(self.ledger)
        self.pulse = PulseJournal(nv)
        self.line = LineHold(nv, self.ledger)
        self.memory = saved_state.state_journal(nv)
        self.motion = Motion(motor, self.ledger, self.pulse)
        self.reservoir = Reservoir(self.ledger)
        self.history = DoseHistory(nv, BOLUS_BASE, RATE_BASE)
        self.lockouts = Lockouts()
        self.pca = Bolus(PCA_KIND, PCA)
        self.clinician = Bolus(CLINICIAN_KIND, CLINICIAN)
        self.event_log = EventLog(log, self.clock, self.wall_clock)
        self.alarms = Alarms(self.event_log.alarm, self.clock)
        self.repeat_stops = RepeatStops()
        self.log_on_attempts = LogOnAttempts()
        self.document_numbers = DocumentNumbers()
        self.state = SELF_TEST
        self.rx = None
        self.rx_slot = self.rx_crc = 0
        self.needs_rx = True
        self.in_force = self.started = self.primed = False
        self.prime_mark_nl = 0
        self.sequence = 0
        self.converted_s = 0
        self.limits = None
        self.boot = 0
        self.pressure_pa = self.pressure_reads = 0
        self.flow_nl_per_h = 0

    # -- time and state

    @property
    def now(self):
        """The present instant (s, ms)."""
        return self.clock.s, self.clock.ms

    def infusing(self):
        """True while basal runs."""
        return states.MOVES[self.state] & states.BASAL != 0

    def moving(self):
        """True in the states that may grant forward motion."""
        return states.MOVES[self.state] & states.FORWARD != 0

    def enter(self, state, cause):
        """Changes the state and notes the change, in the records and in the next pulse. Raises WrongTransition."""
        if state != self.state:
            states.check(self.state, state)
            self.event_log.note(records.STATE, (self.state, state, cause))
            self.state = state
        self.motion.enter(state)

    def begin_boot(self, number):
        """This is power-up `number` of the pump."""
        self.boot = number
        self.event_log.begin_boot(number)

    def need_display(self):
        """Raises Refused `display` while the display is dark: what it does not show, START cannot confirm.

        And `self_test` where that failed: a memory that does not answer keeps nothing that is confirmed.
        """
        if self.alarms.active(SELF_TEST_ALARM):
            raise Refused("self_test", {"key": "pump", "held": "failed", "do": "have the pump repaired"})
        if self.alarms.active(DISPLAY):
            raise Refused("display", {"key": "display", "held": "dark", "do": "have the pump repaired"})

    # -- the prescription

    def confirm(self, rx):
        """`rx` comes into force: its text goes into the other slot in FRAM, and the next `save` points to that slot."""
        self.rx_slot ^= 1
        self.rx_crc = crc32(rx.document)
        self.nv.write(RX_BASE + self.rx_slot * RX_SLOT_BYTES, rx.document)
        self.rx = rx
        self.sequence = rx.sequence
        self.in_force = True
        self.started = False
        self.needs_rx = False
        self.lockouts.change_length(rx.lockout_s)
        self.event_log.stamp_prescription(rx.rx_hash)

    def restore_prescription(self, rx):
        """`rx` was in force before the power cut: for display, limits and comparison. It leads to no motion [RX-08]."""
        self.rx = rx
        self.event_log.stamp_prescription(rx.rx_hash)

    def require_prescription(self):
        """From now on only a new signed prescription leads to infusion."""
        self.needs_rx = True

    def use_sequence(self, number):
        """An order with this number was accepted: no document with this number, or a lower one, is from now on."""
        self.sequence = number

    def therapy_started(self):
        """START began the therapy of `rx`."""
        self.started = True

    def filling_begins(self, mark_nl):
        """Another line is filled: the volume primed so far, `mark_nl`, was for the last one."""
        self.primed, self.prime_mark_nl = False, mark_nl

    def line_filled(self):
        """Priming has filled the line."""
        self.primed = True

    def therapy_ended(self):
        """A clinician ended the therapy of `rx`."""
        self.in_force = self.started = False
        self.needs_rx = True

    def history_converted(self, now_s):
        """Past mass was restated in another drug at `now_s`, monotonic seconds."""
        self.converted_s = max(1, now_s)

    def adopt_limits(self):
        """The limits of `rx` over the history; called when either was replaced."""
        self.limits = Limits(self.rx, self.history)

    # -- measured and commanded

    def note_pressure(self, pressure_pa):
        """Line pressure in Pa, as just read."""
        self.pressure_pa = pressure_pa
        self.pressure_reads = (self.pressure_reads + 1) & 0xFFFF

    def update_flow(self):
        """Works out the commanded flow, once whenever something starts, ends or is held up."""
        flow = self.fluids.flow_nl_per_h() if self.infusing() else 0
        for run in (self.pca, self.clinician):
            if run.active and run.suspended is None:
                flow += volume_nl_of_usteps(run.usteps, self.ledger.pl_step) * HOUR_S * 1000 // run.duration_ms
        self.flow_nl_per_h = flow

    # -- across a power cut

    def restore(self, values):
        """The fields of this object from the saved state (see `saved_state`), the text of the prescription apart."""
        self.boot, self.sequence = values["boot"], values["sequence"]
        self.started, self.primed = bool(values["started"]), bool(values["primed"])
        self.prime_mark_nl = values["prime_mark_nl"]
        self.in_force = bool(values["in_force"])
        self.rx_slot, self.rx_crc = values["rx_slot"] & 1, values["rx_crc"]
        self.converted_s = values["converted_s"]

    def save(self):
        """Writes everything but the counters to FRAM (they are in the pulse)."""
        self.memory.write(saved_state.values_of(self))

    def save_all(self):
        """Writes state and counters."""
        self.save()
        self.motion.write_pulse(self.clock.s, self.clock.ms)

    # -- guarded

    def check_word(self):
        """See `base.dose_guard`: the flags."""
        word = self.state ^ self.rx_slot ^ self.sequence ^ self.converted_s ^ self.flow_nl_per_h
        return word ^ self.needs_rx ^ self.in_force ^ self.started ^ self.primed ^ self.prime_mark_nl

    def limits_word(self):
        """See `base.dose_guard`: the limits of the prescription."""
        return 0 if self.limits is None else self.limits.check_word()

    def prescribed_word(self):
        """See `base.dose_guard`: the prescription."""
        return 0 if self.rx is None else self.rx.check_word()
