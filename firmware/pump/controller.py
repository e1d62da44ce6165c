"""The controller of one pump: `step`, called at every wake-up, orders what happens and says how long to sleep.

Time, edges and readings come in; grants of motion, records and alarms go out. The controller has no clock and no
machine of its own: step generator, FRAM and record log are given to it, so the same file runs on the RP2040, the Unix
port and CPython. States and what may move in each: `base.states`.
"""

from pump import recovery
from pump.authority.access import BY_PEOPLE, PATIENT, Access
from pump.authority.document_loading import DocumentLoading
from pump.authority.image_update import ImageUpdate
from pump.base.dose_guard import DoseGuard
from pump.base.states import ALARM, BOLUS, BY_ALARM, BY_PLAN, INFUSING, PRIMING, STOPPED
from pump.base.units import const
from pump.clinician_actions import ClinicianActions
from pump.delivery.basal_segments import BasalSegments
from pump.delivery.occlusion_relief import RUNS_AWAY, OcclusionRelief
from pump.delivery.priming import Priming
from pump.delivery.schedule import WINDOW_US
from pump.dosing.boluses import Boluses
from pump.monitoring import alarms as alarm
from pump.monitoring.monitors import Monitors
from pump.panel.front_panel import FrontPanel
from pump.panel.inputs import Inputs
from pump.panel.pending_confirmation import PRESCRIPTION
from pump.power_up import FAILED, PowerUp
from pump.prescription_change import PrescriptionChange
from pump.start_stop import StartStop
from pump.therapy_state import TherapyState

LONGEST_WAIT_MS = const(5_000)  # sensors are read at least this often
PAUSED_LONG_S = const(600)  # [ALM-20]


class Controller:
    """One pump. `motor`: the step generator; `nv`: the FRAM; `log`: a RecordLog; `trust`: a Trust; `vault`: a Vault."""

    def __init__(self, motor, nv, log, trust, vault):
        self.therapy = therapy = TherapyState(motor, nv, log)
        self.trust = trust
        self.inputs = inputs = Inputs()
        self.access = Access(therapy, trust)
        self.document_loading = DocumentLoading(therapy, trust, nv, vault, self._document_changed)
        self.boluses = Boluses(therapy)
        self.prescription_change = PrescriptionChange(therapy, self.boluses, trust)
        self.clinician_actions = ClinicianActions(therapy, inputs, self.boluses, trust, self.prescription_change)
        self.relief = OcclusionRelief(therapy)
        self.priming = Priming(therapy)
        self.monitors = Monitors(therapy)
        self.image_update = ImageUpdate(therapy, trust, self.access, self.relief)
        self._segments = BasalSegments(therapy)
        self._idle_rx = None  # the prescription that has not run since `_idle_since_s`, monotonic seconds
        self._idle_since_s = 0
        self.power_up = PowerUp(therapy, trust, self.boluses, self.prescription_change)
        self.start_stop = StartStop(
            therapy, inputs, self.boluses, self.prescription_change, self.monitors, self.priming, self._segments,
            self.relief,
        )  # fmt: skip
        self.front_panel = FrontPanel(
            therapy, inputs, self.start_stop, self.boluses, self.prescription_change, self.clinician_actions,
            self.document_loading, self.monitors, self.relief,
        )  # fmt: skip
        self.guard = self._make_guard()
        self._sealed_record = -1  # number of the next record when the guard was sealed last

    def _make_guard(self):
        """The guard of every dose variable (firmware/README.md)."""
        therapy, ledger, schedule = self.therapy, self.therapy.ledger, self.therapy.motion.schedule
        quick_words = therapy.clock.check_word, therapy.motion.check_word, schedule.check_word, ledger.check_word
        steady_words = (
            (
                therapy.check_word, therapy.prescribed_word, therapy.history.check_word, therapy.pca.check_word,
                self.prescription_change.check_word, self.priming.check_word, therapy.fluids.check_word,
            ),
            (
                therapy.limits_word, therapy.reservoir.check_word, therapy.lockouts.check_word,
                therapy.clinician.check_word, therapy.alarms.check_word, self.clinician_actions.check_word,
            ),
        )  # fmt: skip
        steady_lists = (ledger.base, ledger.folded_nl, ledger.folded_ng) + schedule.steady_lists()
        return DoseGuard((ledger.usteps,) + schedule.quick_lists(), quick_words, steady_lists, steady_words)

    # -- what comes in

    def rtc_read(self, rtc_s, kept):
        """A reading of the RTC, once a minute: Unix seconds, and whether it never lost its supply.

        What can be believed goes into a pulse at once, also while nothing moves: else the time since the last pulse
        would count as time without power. What cannot raises `clock_invalid` [ALM-23].
        """
        therapy = self.therapy
        valid = recovery.rtc_is_valid(rtc_s, kept)
        if valid and abs(recovery.rtc_drift_s(therapy, rtc_s)) > recovery.RTC_JUMP_S:
            therapy.wall_clock.doubt()
        self._clock_alarm(valid and not therapy.wall_clock.is_doubtful)
        recovery.remember_rtc(therapy, rtc_s if valid and recovery.rtc_agrees(therapy, rtc_s) else 0)
        therapy.motion.write_pulse(therapy.clock.s, therapy.clock.ms)
        if valid:
            therapy.wall_clock.rtc_read(rtc_s)

    def time_signed(self):
        """A clinician logged on with a signed time: an RTC that agrees is right, and so is the time off it shows."""
        therapy, access, wall_clock = self.therapy, self.access, self.therapy.wall_clock
        if not (access.signed_utc_s and wall_clock.is_known()):
            return
        if abs(access.signed_utc_s - wall_clock.rtc_s()) > recovery.SIGNED_AGREES_S:
            return
        wall_clock.believe()
        if therapy.moving() or therapy.motion.in_flight or self.relief.active:
            return  # a later log-on counts it
        off_s = self.power_up.report.take_unproven_off_s()
        if off_s:
            recovery.count_time_off(therapy, off_s)
            self.boluses.forget_next_possible()
            access.keep_alive()
            self._idle_rx = None  # ten minutes of pause are counted from here

    def _clock_alarm(self, is_right):
        if is_right:
            self.therapy.alarms.condition_gone(alarm.CLOCK_INVALID)
        else:
            self.therapy.alarms.raise_(alarm.CLOCK_INVALID)

    def load_prescription_in_pieces(self, document, signatures, override):
        """Work in pieces: stages a prescription and returns it. Raises Refused; then nothing has changed."""
        return self.prescription_change.load_prescription_in_pieces(
            document, signatures, override, self._load_blocked_by, self.access.number
        )

    def _load_blocked_by(self):
        """Code of what keeps a prescription from being loaded now, or None."""
        if self.inputs.door.bars_motion():
            return "door"
        if self.inputs.syringe.bars_motion():
            return "syringe"
        if self.power_up.self_test == FAILED:
            return "self_test"
        return "display" if self.therapy.alarms.active(alarm.DISPLAY) else None

    def _document_changed(self, kind):
        """A new people document ends the session; a new library needs a prescription that was checked against it."""
        therapy = self.therapy
        therapy.confirmation.drop()
        if kind == "people":
            self.access.log_off(BY_PEOPLE)
        else:
            therapy.alarms.condition_gone(alarm.LIBRARY)
            therapy.require_prescription()

    # -- the wake-up

    def seal(self, eventful):
        """Last of all at a wake-up: the dose variables are right as they are. `eventful`: a contact or a request came.

        Every event leaves a record, so without one only the variables of the delivery tick are sealed again. Returns
        whether there was an event.
        """
        therapy = self.therapy
        recorded = therapy.event_log.next_sequence
        if recorded != self._sealed_record or therapy.event_log.failed or not therapy.infusing():
            self._sealed_record = recorded
            eventful = True
        self.guard.seal(eventful)
        return eventful

    def step(self):
        """Acts on everything that came in since the last call. Returns the milliseconds until it must be called."""
        therapy, inputs = self.therapy, self.inputs
        clock = therapy.clock
        if therapy.motion.settle(clock.s, clock.ms):
            self._grant_ended()
        elif therapy.motion.is_overdue(clock.s, clock.ms):
            self._abandon_grant()
        inputs_ms = inputs.poll(clock.s, clock.ms)
        self.front_panel.act()
        self._watch_link()
        door, syringe = inputs.door.take_opening(), inputs.syringe.take_opening()
        self.monitors.step(door, syringe, inputs.button_fault(), self.relief.active)
        if therapy.alarms.stops() and therapy.state != ALARM:
            self._stop_for_alarm()
        self.clinician_actions.settle_order()
        if therapy.event_log.failed:
            self._stop_for_failed_log()
        if not therapy.motion.in_flight and therapy.event_log.room_wanted():
            therapy.event_log.make_room()  # between two grants: while flash is erased no key could stop a motor
            return 1
        if therapy.infusing():
            self._infuse()
        self._watch_pause()
        return self._wait_ms(inputs_ms)

    def _abandon_grant(self):
        """The step generator does not report the end of a grant: it is no longer trusted [ALM-12]."""
        therapy = self.therapy
        therapy.motion.abandon(therapy.clock.s, therapy.clock.ms)
        therapy.alarms.occur(alarm.SECOND_CHANNEL)
        self._grant_ended()
        self.relief.stop()

    def _grant_ended(self):
        self.monitors.grant_ended()
        if self.therapy.state == PRIMING:
            self.priming.grant_ended()
        elif self.relief.active:
            self.relief.grant_ended()
            self._judge_relief()

    def _infuse(self):
        """Ends boluses whose time is up, and grants what is due."""
        therapy, boluses = self.therapy, self.boluses
        motion, clock = therapy.motion, therapy.clock
        if boluses.running() and boluses.finish_due():
            therapy.enter(BOLUS if boluses.running() else INFUSING, BY_PLAN)
            therapy.update_flow()
        if not motion.in_flight and not self.inputs.is_undecided():
            if therapy.fluids.front_is_due():
                self._segments.close()
                self.prescription_change.pass_front()
            motion.grant_due(clock.s, clock.ms)
            if not motion.in_flight and boluses.running():
                motion.write_pulse(clock.s, clock.ms)  # after a power cut it tells how far the bolus had come
        self._segments.close_hourly()

    def _wait_ms(self, inputs_ms):
        """The nearest deadline in ms, 1 to LONGEST_WAIT_MS."""
        wait_ms = self._motion_wait_ms()
        if self.therapy.infusing():
            bolus_ms = self.boluses.due_ms()
            if 0 <= bolus_ms < wait_ms:
                wait_ms = bolus_ms
        if 0 <= inputs_ms < wait_ms:
            wait_ms = inputs_ms
        sensors_ms = self.monitors.again_in_ms
        if 0 <= sensors_ms < wait_ms:
            wait_ms = sensors_ms
        if wait_ms > LONGEST_WAIT_MS:
            return LONGEST_WAIT_MS
        return wait_ms if wait_ms > 1 else 1

    def _motion_wait_ms(self):
        """When motion needs the next call, in ms. Grants the next piece of priming or of a back-off."""
        therapy = self.therapy
        motion, clock = therapy.motion, therapy.clock
        if therapy.state == ALARM or therapy.state == STOPPED:
            return self._relieve()
        if self.inputs.is_undecided():
            return LONGEST_WAIT_MS  # motion is gated: nothing is granted until the contact has been decided
        if therapy.state == PRIMING:
            return self.start_stop.continue_priming() or LONGEST_WAIT_MS
        if motion.in_flight:
            return motion.ends_in_ms(clock.s, clock.ms)
        if therapy.infusing():
            due_us = motion.schedule.next_due_us()
            if due_us >= 0:
                return (due_us - WINDOW_US) // 1000 + 1
        return LONGEST_WAIT_MS

    # -- relief of the line

    def _relieve(self):
        """Draws back what the line holds, if that is owed and may be done. Returns ms until the next call."""
        wait_ms = self.relief.step(self._may_relieve())
        self._judge_relief()
        return wait_ms if wait_ms >= 0 else LONGEST_WAIT_MS

    def _may_relieve(self):
        """True unless a contact has gated the motor, or a sensor or an alarm forbids it."""
        return not self.inputs.is_undecided() and self.monitors.has_pressure() and not self.monitors.bar_relief()

    def _judge_relief(self):
        """The screw does not turn as the back-off wants: the relief stands still [ALM-10, ALM-12]."""
        if self.relief.active and self.relief.verdict:
            runs_away = self.relief.verdict == RUNS_AWAY
            self.therapy.alarms.occur(alarm.SECOND_CHANNEL if runs_away else alarm.STALL)
            self.relief.stop()

    # -- what ends or is missed

    def _stop_for_alarm(self):
        """An alarm whose action is `stop` is active: motion ends at once."""
        therapy = self.therapy
        if therapy.moving():
            self.start_stop.stop(ALARM, BY_ALARM)
        else:
            therapy.enter(ALARM, BY_ALARM)
        if not (therapy.alarms.active(alarm.DOOR) and not therapy.alarms.stops_beside(alarm.DOOR)):
            therapy.require_prescription()
        therapy.save_all()

    def _stop_for_failed_log(self):
        """Records can no longer be written: no new bolus; therapy ends with the bolus that runs [ALM-22]."""
        therapy = self.therapy
        therapy.alarms.raise_(alarm.LOG_FAILED)
        if therapy.infusing() and not self.boluses.running():
            self.start_stop.stop(ALARM, BY_ALARM)
            therapy.require_prescription()

    def _watch_link(self):
        """A session or a confirmation that was begun over the link and left raises its alarm [ALM-21, ALM-27]."""
        alarms, access, confirmation = self.therapy.alarms, self.access, self.therapy.confirmation
        if access.role != PATIENT:
            access.poll()
        if access.take_timed_out() and confirmation.kind_until_dropped == PRESCRIPTION:
            alarms.raise_(alarm.LINK)
        if confirmation.has_timed_out():
            if confirmation.kind_until_dropped == PRESCRIPTION:
                alarms.raise_(alarm.UNCONFIRMED)
            confirmation.drop()

    def idle(self):
        """What has no deadline, in the free time after a wake-up: called with some 10 ms to the next one."""
        self.monitors.judge_connection()

    def _watch_pause(self):
        """A therapy in force that has not run for 10 min raises paused_long, whatever the reason [ALM-20].

        An alarm that a person has acknowledged and whose cause is gone counts as a pause: until then it sounds itself.
        """
        therapy = self.therapy
        is_idle = therapy.state == STOPPED or (therapy.state == ALARM and therapy.alarms.stops_silently())
        if not (is_idle and therapy.in_force):
            self._idle_rx = None  # from the wake-up on at which it comes to rest, ten minutes are counted
        elif therapy.rx is not self._idle_rx:
            self._idle_rx, self._idle_since_s = therapy.rx, therapy.clock.s
        elif therapy.clock.s - self._idle_since_s >= PAUSED_LONG_S:
            therapy.alarms.raise_(alarm.PAUSED_LONG)
