"""Power-up: what FRAM holds comes back, and the pump lands in `stopped` or, where an alarm stands, in `alarm`.

Nothing resumes by itself [decision 7]. Called once, in this order: `restore`, `motor_powered`, `self_tested`.
"""

from pump import recovery, saved_state
from pump.base.states import ALARM, BOLUS, BY_BOOT, INFUSING, PRIMING, STOPPED
from pump.base.units import DAY_S, const
from pump.monitoring import alarms as alarm
from pump.storage import journal, records

NEXT_PULSE_S = const(15)  # while the pump moves a pulse is written at least every 10 s

# Causes of the last reset, for the records
RESET_POWER = 1
RESET_WATCHDOG = 3

# Results of the self-test
RUNNING, PASSED, FAILED = "running", "passed", "failed"


class PowerUp:
    """Of one pump. report: what power-up found (`recovery.Report`). self_test: RUNNING, PASSED or FAILED."""

    def __init__(self, therapy, trust, boluses, prescription_change):
        self._therapy = therapy
        self._trust = trust
        self._boluses = boluses
        self._prescription_change = prescription_change
        self.report = None
        self.self_test = RUNNING
        self._was_damaged = False

    def restore(self, rtc_s, rtc_proven, reset_cause):
        """Brings the therapy back from FRAM. `rtc_s`: Unix seconds; `rtc_proven`: the RTC never lost its supply."""
        therapy = self._therapy
        rtc_proven = recovery.rtc_is_valid(rtc_s, rtc_proven)
        report = self.report = recovery.restore(therapy, rtc_s, rtc_proven)
        if rtc_proven:
            therapy.wall_clock.rtc_read(rtc_s)
        therapy.motion.note_encoder(report.encoder_raw)
        was_moving = report.was in (INFUSING, BOLUS, PRIMING)
        words = (reset_cause, int(was_moving), int(report.time_proven), report.off_s, int(report.journal_ok), 0)
        therapy.event_log.note(records.BOOT, words)
        therapy.line.restore()
        therapy.require_prescription()
        self._trust.drop_older_than(therapy.document_numbers.people, therapy.document_numbers.library)
        if therapy.rx:
            self._prescription_change.prepare()
        self._note_cut_boluses()
        therapy.enter(STOPPED, BY_BOOT)
        self._raise_alarms(was_moving, reset_cause)
        if not rtc_proven:
            therapy.alarms.raise_(alarm.CLOCK_INVALID)
        if therapy.alarms.stops():
            therapy.enter(ALARM, BY_BOOT)
        therapy.save_all()

    def _note_cut_boluses(self):
        for run, usteps, nl, mass_ng, end in self.report.cut_boluses:
            next_s, next_ms = self._boluses.next_after_cut(run, mass_ng)
            words = (run.kind, usteps, nl, end[0], end[1], next_s, next_ms)
            self._therapy.event_log.note(records.BOLUS_CUT, words)

    def _raise_alarms(self, was_moving, reset_cause):
        report, alarms = self.report, self._therapy.alarms
        if not report.journal_ok:
            alarms.occur(alarm.CONFIG)
        if self._trust.is_library_lost:
            alarms.raise_(alarm.LIBRARY)
        alarms.restore(report.alarms)
        self._was_damaged = reset_cause == RESET_WATCHDOG and alarms.active(alarm.SELF_TEST)
        if was_moving and report.was != PRIMING:
            by_watchdog = reset_cause == RESET_WATCHDOG
            alarms.occur(alarm.UNEXPECTED_RESET, None if by_watchdog else alarm.ACTION_NONE)

    def motor_powered(self, encoder_raw):
        """The motor driver was energised after power-up: books a jump of the rotor that this caused."""
        jump = recovery.boot_jump_usteps(self.report, encoder_raw) if self._therapy.boot > 1 else 0
        recovery.book_jump(self._therapy, jump, encoder_raw)

    def self_tested(self, failed_driver):
        """Result of the board's self-test: -1 passed, else the number of the driver that failed."""
        therapy = self._therapy
        passed = failed_driver < 0
        therapy.event_log.note(records.SELF_TEST, (int(passed), failed_driver))
        self.self_test = PASSED if passed else FAILED
        if passed:
            if not self._was_damaged:  # else the alarm is not for the self-test of an earlier power-up
                therapy.alarms.condition_gone(alarm.SELF_TEST)
                therapy.alarms.clear(alarm.SELF_TEST)
            if therapy.state == ALARM and not therapy.alarms.stops():
                therapy.enter(STOPPED, BY_BOOT)
        else:
            therapy.require_prescription()
            therapy.alarms.raise_(alarm.SELF_TEST)
            therapy.enter(ALARM, BY_BOOT)

    def note_damage(self):
        """A dose variable has changed in RAM by itself; the caller then resets the CPU.

        Nothing that is in RAM is written to FRAM: what counts at the next power-up is what was written ahead. If the
        pump was delivering, it comes back in `alarm` with `self_test` [WDG-07]; else it is only recorded [WDG-08].
        """
        therapy = self._therapy
        words, was_moving = therapy.pulse.words, False
        if therapy.pulse.restore():
            was_moving = words[journal.PHASE] & 0xF in (INFUSING, BOLUS, PRIMING)
            if not 0 <= therapy.clock.s - words[journal.MONO_S] <= (NEXT_PULSE_S if was_moving else DAY_S):
                therapy.clock.restore(words[journal.MONO_S], words[journal.MONO_MS])  # it is the clock that has changed
        therapy.event_log.note(records.FAULT, (records.DOSE_MEMORY, 0))
        memory = saved_state.state_journal(therapy.nv)  # one that has read nothing yet
        saved = memory.restore()
        if was_moving and saved is not None:
            saved["alarms"] |= 1 << alarm.SELF_TEST
            memory.write(saved)
