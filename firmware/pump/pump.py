"""The pump: one therapy on one machine. Told of time, edges and readings, it decides, books, and grants motion.

`step` is called at every wake-up and says how long to sleep. The states, and what may move in each:
    self_test, stopped   nothing
    priming              the line is filled; the patient is not connected
    infusing             basal
    bolus                basal and a PCA or clinician bolus
    alarm                nothing, but the retraction that relieves an occluded line
Every power-up lands in `stopped`; nothing resumes by itself, and nothing missed is caught up [decision 7, H32].

It has no clock and no machine of its own: the step generator, the FRAM and the record log are given to it, so the same
file runs on the RP2040, the Unix port and CPython.
"""

from pump import alarms as alarm
from pump import image_order, records, recovery
from pump.access import BY_PEOPLE, PATIENT, Access
from pump.boluses import Boluses
from pump.core import (
    ALARM,
    BOLUS,
    BY_ALARM,
    BY_BOOT,
    BY_KEY,
    BY_LINK,
    BY_PLAN,
    INFUSING,
    PRIMING,
    STATES,
    STOPPED,
    Core,
)
from pump.enrolment import Enrolment
from pump.intake import Intake
from pump.keys import Keys
from pump.ledger import BASAL as BASAL_ACCOUNT
from pump.monitors import Monitors
from pump.pendant import Pendant
from pump.priming import Priming
from pump.refusal import Refused
from pump.relief import Relief
from pump.schedule import BASAL, WINDOW_US
from pump.units import HOUR_S, const, volume_nl_of_usteps
from pump.waiting import NOTHING, ORDER, PRESCRIPTION, PROVISIONING
from pump.waiting import PRIMING as PRIMING_WAITS

# Contacts, numbered as the board numbers them
START_KEY = const(0)
STOP_KEY = const(1)
ACK_KEY = const(2)
PCA_NO = const(3)
PCA_NC = const(4)
DOOR = const(5)
SYRINGE = const(6)
CONTACTS = const(7)

LONGEST_WAIT_MS = const(5_000)  # sensors are read at least this often
REPEAT_STOPS = const(3)  # stop keys while infusing ...
REPEAT_WINDOW_S = const(600)  # ... within this time [ALM-19]
PAUSED_LONG_S = const(600)  # [ALM-20]

RESET_POWER = const(1)
RESET_WATCHDOG = const(3)


class Pump:
    """One pump. `log` is a RecordLog, `trust` a Trust, `vault` a Vault.

    wants_boot_loader  the pump has been told to make way for another image
    """

    def __init__(self, motor, nv, log, trust, vault):
        self.core = core = Core(motor, nv, log)
        self.trust = trust
        self.access = Access(core, trust)
        self.enrolment = Enrolment(core, trust, nv, vault, self._document_changed)
        self.wants_boot_loader = False
        self.self_test = "running"
        self.boluses = Boluses(core)
        self.intake = Intake(core, self.boluses, trust)
        self.relief = Relief(core)
        self.priming = Priming(core)
        self.monitors = Monitors(core)
        self.keys = Keys()
        self.pendant = Pendant()
        self.door_open = False
        self.syringe_off = False
        self.last_refusal = 0  # reason of the last refused press, for the display
        self._stops = [-REPEAT_WINDOW_S] * REPEAT_STOPS  # when the stop key last ended an infusion
        self._stop_turn = 0
        self._no_at_power_up = 1
        self._segment_s = 0
        self._segment_usteps = 0
        self._reset_while_infusing = False

    # -- power-up

    def power_up(self, rtc_s, rtc_proven, reset_cause):
        """Restores what FRAM holds and lands in `stopped` or, where an alarm stands, in `alarm`."""
        core = self.core
        report = self.report = recovery.restore(core, rtc_s, rtc_proven)
        if rtc_proven:
            core.diary.wall_offset_s = rtc_s - core.clock.s + core.clock_offset_s
        core.motion.encoder_raw = report.encoder_raw
        was_moving = report.was in (INFUSING, BOLUS, PRIMING)
        words = (reset_cause, int(was_moving), int(report.time_proven), report.off_s, int(report.journal_ok), 0)
        core.diary.note(records.BOOT, words)
        core.needs_rx = True
        self.trust.hold_to(core.people_number, core.library_number)
        if core.rx:
            self.intake.prepare()
        for run, usteps, nl, mass_ng, end in report.cut_boluses:
            next_s, next_ms = self.boluses.next_after_cut(run, mass_ng)
            core.diary.note(records.BOLUS_CUT, (run.kind, usteps, nl, end[0], end[1], next_s, next_ms))
        core.enter(STOPPED, BY_BOOT)
        if not report.journal_ok:
            core.alarms.occur(alarm.CONFIG)
        if self.trust.is_library_lost:
            core.alarms.raise_(alarm.LIBRARY)
        core.alarms.restore(report.alarms)
        if was_moving and report.was != PRIMING:
            by_watchdog = reset_cause == RESET_WATCHDOG
            core.alarms.occur(alarm.UNEXPECTED_RESET, None if by_watchdog else alarm.ACTION_NONE)
        if core.alarms.stops():
            core.enter(ALARM, BY_BOOT)
        core.save_all()

    def self_tested(self, failed_driver):
        """Result of the board's self-test: -1 passed, else the number of the driver that failed."""
        self.core.diary.note(records.SELF_TEST, (int(failed_driver < 0), failed_driver))
        self.self_test = "passed" if failed_driver < 0 else "failed"
        if failed_driver < 0:
            self.core.alarms.condition_gone(alarm.SELF_TEST)
            self.core.alarms.clear(alarm.SELF_TEST)
            if self.core.state == ALARM and not self.core.alarms.stops():
                self.core.enter(STOPPED, BY_BOOT)
        else:
            self.core.needs_rx = True
            self.core.alarms.raise_(alarm.SELF_TEST)
            self.core.enter(ALARM, BY_BOOT)

    def motor_powered(self, encoder_raw):
        """The driver was energised after power-up: books a jump of the rotor that it caused."""
        jump = recovery.boot_jump_usteps(self.report, encoder_raw) if self.core.boot > 1 else 0
        recovery.book_jump(self.core, jump)
        self.core.motion.encoder_raw = encoder_raw

    # -- what comes in

    def settled(self, contact, level):
        """The raw level of a contact at power-up; told of each, in their order."""
        clock = self.core.clock
        if contact == DOOR:
            self.door_open = level == 1
        elif contact == SYRINGE:
            self.syringe_off = level == 1
        elif contact == PCA_NO:
            self._no_at_power_up = level
        elif contact == PCA_NC:
            self.pendant.settled(self._no_at_power_up, level, clock.s, clock.ms)
        else:
            self.keys.settled(contact, level, clock.s, clock.ms)

    def tell_rtc(self, rtc_s):
        """The RTC's time in Unix seconds, proven; once a minute. It goes into the next pulse, if it can be believed."""
        recovery.remember_rtc(self.core, rtc_s if recovery.rtc_agrees(self.core, rtc_s) else 0)
        self.core.diary.wall_offset_s = rtc_s - self.core.clock.s + self.core.clock_offset_s

    def edge(self, contact, level, s, ms):
        """A contact changed to the raw pin `level` at (s, ms)."""
        if contact == DOOR:
            self.door_open = level == 1
        elif contact == SYRINGE:
            self.syringe_off = level == 1
            if self.syringe_off:
                self.core.needs_rx = True  # whatever is put in is another syringe until a clinician says so
        elif contact == PCA_NO or contact == PCA_NC:
            self.pendant.edge(contact == PCA_NO, level, s, ms)
            if self.pendant.touched_at(s, ms):
                self.boluses.touch((s, ms))
        else:
            self.keys.edge(contact, level, s, ms)

    def loading(self, document, signatures, override):
        """Work in pieces: stages a prescription and returns it. Raises Refused; nothing else changes either way."""
        return self.intake.loading(document, signatures, override, self._load_blocked_by, self.access.number)

    def _load_blocked_by(self):
        if self.door_open:
            return "door"
        if self.syringe_off:
            return "syringe"
        return "self_test" if self.core.alarms.active(alarm.SELF_TEST) else None

    def _document_changed(self, kind):
        """New people end what the old ones had begun; a new library wants a prescription that was judged by it."""
        self.core.waiting.drop()
        if kind == "people":
            self.access.log_off(BY_PEOPLE)
        else:
            self.core.alarms.condition_gone(alarm.LIBRARY)
            self.core.needs_rx = True

    def leaving(self, document, signature_hex):
        """Work in pieces: makes way for the image that the authority has signed. Raises Refused; then nothing changes.

        Only a pump whose therapy has been ended does: after the restart it is to be prescribed anew in any case.
        """
        core = self.core
        values = yield from image_order.admitting(document, signature_hex, self.trust)
        if core.moving() or core.motion.flying or self.relief.active:
            raise Refused("image_infusing", {"key": "state", "held": STATES[core.state], "allowed": "stopped"})
        if core.started and not core.needs_rx:
            raise Refused("image_therapy", {"key": "rx", "held": core.rx.hash8, "do": "end the therapy first"})
        core.diary.note(records.BOOT_LOADER, (self.access.number, records.word_of(values["build"])))
        core.waiting.drop()
        core.needs_rx = True  # so that START begins nothing any more
        core.save_all()
        self.wants_boot_loader = True

    def prime(self):
        """Makes ready to fill the line: the start key begins it, while it waits for that [H13].

        Returns the volume in nL. Raises Refused: a line is filled once, before its therapy begins.
        """
        nl = self._prepare_priming()
        self.core.waiting.put(PRIMING_WAITS)
        return nl

    def _prepare_priming(self):
        core = self.core
        if core.rx is None or core.needs_rx:
            raise Refused("prime_no_prescription", {"key": "rx", "do": "load and confirm a prescription first"})
        if core.state != STOPPED or self.door_open or self.syringe_off:
            allowed = "stopped, door closed"
            raise Refused("prime_state", {"key": "state", "held": STATES[core.state], "allowed": allowed})
        if core.primed or core.started:
            raise Refused("prime_done", {"key": "line", "held": "full", "do": "start the infusion"})
        nl = self.priming.prepare(core.rx.deadspace_ul)
        if nl > core.reservoir.remaining_nl():
            raise Refused("prime_volume", {"key": "deadspace_ul", "held": core.rx.deadspace_ul, "do": "refill first"})
        return nl

    def _prime_on_key(self):
        core = self.core
        try:
            self._prepare_priming()  # by what is true now, not by what was when it was made ready
        except Refused:
            return
        core.motor.halt()  # a gate that was latched while nothing moved
        core.motor.enable(True)
        core.enter(PRIMING, BY_KEY)
        self._start_motion()

    def pause(self):
        """What the stop key does, from afar: motion and whatever bolus runs end; the start key goes on with basal."""
        if self.core.moving():
            self._stop(STOPPED, BY_LINK)

    def cancel(self):
        """Therapy ended by the clinician: stops, and only a new prescription leads back [LIM-27]."""
        core = self.core
        if core.moving():
            self._stop(STOPPED, BY_LINK)
        core.started = False
        core.needs_rx = True
        core.waiting.drop()
        core.alarms.condition_gone(alarm.PAUSED_LONG)
        core.diary.note(records.RX_END, (core.sequence,))
        core.save_all()

    # -- the wake-up

    def step(self):
        """Acts on everything that was told since the last call. Returns the milliseconds until it must be called."""
        core = self.core
        clock = core.clock
        if core.motion.settle(clock.s, clock.ms):
            self._grant_ended()
        wait_ms = self.keys.poll(clock.s, clock.ms)
        pendant_ms = self.pendant.poll(clock.s, clock.ms)
        if self.keys.waiting:
            self._hear_keys()
        if self.pendant.waiting:
            self._hear_pendant()
        self._watch_link()
        self.monitors.step(self.door_open, self.syringe_off, self.pendant.fault or self.keys.stuck)
        if self.core.alarms.stops() and core.state != ALARM:
            self._alarm()
        if self.relief.active:
            self.relief.hold(self.door_open or self.syringe_off)  # nothing moves with an open door
        if core.diary.failed:
            self._log_failed()
        if not core.motion.flying and core.diary.room_wanted():
            core.diary.make_room()  # between two grants: while flash is erased no key could stop a motor
            return 1
        if core.infusing():
            self._infuse()
        elif core.state == STOPPED:
            self._watch_pause()
        return self._wait_ms(wait_ms, pendant_ms)

    def _grant_ended(self):
        core = self.core
        if core.state == PRIMING:
            self.priming.ended()
        elif self.relief.active:
            self.relief.ended()
        self.monitors.grant_ended()

    def _infuse(self):
        core = self.core
        if self.boluses.running() and self.boluses.finish_due():
            core.enter(BOLUS if self.boluses.running() else INFUSING, BY_PLAN)
            self._note_flow()
        if not core.motion.flying and not self.keys.stop_pending:
            core.motion.go(core.clock.s, core.clock.ms)
            if not core.motion.flying and self.boluses.running():
                core.motion.write_pulse(core.clock.s, core.clock.ms)  # a cut is to find how far the bolus had come
        if core.clock.s - self._segment_s >= HOUR_S:
            self._close_segment()

    def _wait_ms(self, keys_ms, pendant_ms):
        """The nearest deadline, at most LONGEST_WAIT_MS."""
        core = self.core
        wait_ms = LONGEST_WAIT_MS
        if self.keys.stop_pending:
            wait_ms = LONGEST_WAIT_MS  # gated: nothing is granted until the key has spoken
        elif core.state == PRIMING:
            wait_ms = self._prime_on()
        elif self.relief.active:
            wait_ms = self.relief.step()
        elif core.motion.flying:
            wait_ms = core.motion.lands_in_ms(core.clock.s, core.clock.ms)
        elif core.infusing():
            due_us = core.motion.schedule.next_due_us()
            if due_us >= 0:
                wait_ms = (due_us - WINDOW_US) // 1000 + 1
        if core.infusing():
            bolus_ms = self.boluses.due_ms()
            if 0 <= bolus_ms < wait_ms:
                wait_ms = bolus_ms
        if 0 <= keys_ms < wait_ms:
            wait_ms = keys_ms
        if 0 <= pendant_ms < wait_ms:
            wait_ms = pendant_ms
        sensors_ms = self.monitors.again_in_ms
        if 0 <= sensors_ms < wait_ms:
            wait_ms = sensors_ms
        if wait_ms > LONGEST_WAIT_MS:
            return LONGEST_WAIT_MS
        return wait_ms if wait_ms > 1 else 1

    def _prime_on(self):
        wait_ms = self.priming.step()
        if wait_ms == 0:
            core = self.core
            core.primed = True
            self._stop(STOPPED, BY_PLAN)
            core.save_all()
            wait_ms = LONGEST_WAIT_MS
        return wait_ms

    # -- keys and pendant

    def _hear_keys(self):
        keys = self.keys
        event = keys.take()
        while event is not None:
            self.core.diary.note(records.KEY, (event, keys.held_ms))
            self.core.alarms.condition_gone(alarm.LINK)  # somebody is at the pump
            self.core.alarms.condition_gone(alarm.UNCONFIRMED)
            if event == Keys.START_SHORT:
                self._start_pressed()
            elif event == Keys.START_HOLD:
                self._start_held()
            elif event == Keys.STOP:
                self.core.waiting.drop()
                self._stop_key()
            else:
                self.core.alarms.acknowledge()
            event = keys.take()

    def _hear_pendant(self):
        pendant = self.pendant
        while pendant.take():
            contact = (pendant.contact_s, pendant.contact_ms)
            words = (contact[0], contact[1], pendant.held_ms, int(pendant.demand))
            self.core.diary.note(records.PRESS, words)
            if pendant.demand:
                self.last_refusal = self.boluses.request_pca(contact)
                self._bolus_may_run()

    def ordering(self, document, by, signature_hex):
        """Work in pieces: a clinician's bolus. Returns the reason, 0 accepted: then the start key gives it."""
        return self.intake.ordering(document, by, signature_hex)

    def _bolus_may_run(self):
        if self.core.infusing() and self.boluses.running():
            self.core.enter(BOLUS, BY_PLAN)
            self._note_flow()

    def _start_pressed(self):
        """START does what the display says it does, for a press that began when it said so; otherwise it starts."""
        waiting, keys = self.core.waiting, self.keys
        kind = waiting.kind
        if kind == NOTHING:
            self._start_key()
        elif not waiting.was_seen(keys.at_s, keys.at_ms, keys.held_ms):
            return
        elif kind == ORDER:
            if self.intake.staged_order:
                self.intake.give_order()
                self._bolus_may_run()
            waiting.drop()
        elif kind == PRIMING_WAITS:
            waiting.drop()
            self._prime_on_key()

    def _start_held(self):
        waiting = self.core.waiting
        kind = waiting.kind
        if kind == NOTHING or not waiting.was_seen(self.keys.at_s, self.keys.at_ms):
            return
        if kind == PROVISIONING:
            self.enrolment.confirm()
        elif kind == PRESCRIPTION:
            self._confirm()

    def _start_key(self):
        core = self.core
        if core.state == ALARM and self._only_door():
            core.alarms.clear(alarm.DOOR)
            core.enter(STOPPED, BY_KEY)
        if core.state == STOPPED and self._may_move() and core.primed:
            self._start()

    def _only_door(self):
        """The door is closed again, and it was the only thing that stopped the pump."""
        if self.door_open or not self.core.alarms.active(alarm.DOOR):
            return False
        return not self.core.alarms.stops_beside(alarm.DOOR)

    def _may_move(self):
        """Whether the start key may begin motion: confirmed, closed, gripped, no alarm, the stop key up, not empty."""
        core = self.core
        if core.rx is None or core.needs_rx or self.door_open or self.syringe_off or core.alarms.stops():
            return False
        return not (self.keys.stuck or self.keys.is_down(STOP_KEY) or core.reservoir.is_empty())

    def _start(self):
        """Infusion begins, or goes on after an ordinary stop."""
        core = self.core
        core.motor.halt()  # a gate that was latched while nothing moved
        core.motor.enable(True)
        core.motion.begin(core.clock.s, core.clock.ms)
        core.motion.schedule.stop_all()
        if self.intake.basal:
            core.motion.schedule.start(BASAL, self.intake.basal)
        core.started = True
        core.alarms.condition_gone(alarm.PAUSED_LONG)
        core.enter(INFUSING, BY_KEY)
        self.monitors.infusion_starts()
        self._segment_s = core.clock.s
        self._segment_usteps = core.ledger.usteps[BASAL_ACCOUNT]
        self._note_flow()
        self._start_motion()

    def _start_motion(self):
        core = self.core
        core.motion.begin(core.clock.s, core.clock.ms)
        self.monitors.start()
        core.save_all()

    def _stop_key(self):
        core = self.core
        if core.infusing():
            self._stop(STOPPED, BY_KEY)
            if self._stopped_too_often():
                core.alarms.occur(alarm.REPEAT_STOPS)
        elif core.state == PRIMING:
            self._stop(STOPPED, BY_KEY)

    def _stopped_too_often(self):
        """True at the third stop key within 10 min [ALM-19]."""
        now_s = self.core.clock.s
        self._stops[self._stop_turn] = now_s
        self._stop_turn = (self._stop_turn + 1) % REPEAT_STOPS
        return now_s - self._stops[self._stop_turn] < REPEAT_WINDOW_S

    def _stop(self, state, cause):
        """Ends all motion and whatever bolus runs; the state is `state` afterwards."""
        core = self.core
        if core.waiting.kind == ORDER:
            core.waiting.drop()
        ended = core.motion.halt(core.clock.s, core.clock.ms)
        if core.infusing():
            self.boluses.interrupt()
            self._close_segment()
        elif core.state == PRIMING:
            if ended:
                self.priming.ended()
            self.priming.note(int(core.primed))
        core.motion.schedule.stop_all()
        core.motor.enable(False)
        core.enter(state, cause)
        self._note_flow()
        core.save_all()

    def _confirm(self):
        """The start key was held: the staged prescription becomes the one in force [RX-01]."""
        core = self.core
        try:
            if self.door_open or self.syringe_off:
                raise Refused("door", {"key": "door", "do": "close it and hold start again"})
            self.intake.recheck()
            if core.moving():
                self._stop(STOPPED, BY_KEY)
                self.intake.recheck()  # once more, with what that has ended
        except Refused:
            core.diary.note(records.RX_REFUSED, (self.intake.staged.sequence, 0))
            core.waiting.drop()
            return
        self.relief.stop()
        self.intake.adopt()
        core.alarms.condition_gone(alarm.PAUSED_LONG)
        self.monitors.configure()
        core.alarms.clear_gone()
        core.enter(ALARM if core.alarms.stops() else STOPPED, BY_KEY)
        core.save_all()

    # -- alarms

    def _alarm(self):
        """An alarm whose action is `stop` is active: motion ends at once; an occluded line is relieved."""
        core = self.core
        occluded = core.alarms.active(alarm.OCCLUSION_DOWNSTREAM) and core.infusing()
        if core.infusing() or core.state == PRIMING:
            self._stop(ALARM, BY_ALARM)
        else:
            core.enter(ALARM, BY_ALARM)
        if not (core.alarms.active(alarm.DOOR) and not core.alarms.stops_beside(alarm.DOOR)):
            core.needs_rx = True
        alone = not core.alarms.stops_beside(alarm.OCCLUSION_DOWNSTREAM)
        if occluded and alone and not (self.door_open or self.syringe_off):
            self.relief.start(self.monitors.no_flow_pa(), self.monitors.compliance_nl_per_kpa())
        core.save_all()

    def _watch_link(self):
        """What somebody began over the link and left: the host's silence matters only then [ALM-21, ALM-27]."""
        core, access = self.core, self.access
        if access.role != PATIENT:
            access.poll()
        waiting = core.waiting
        if access.is_lost:
            access.is_lost = False
            if waiting.forgotten == PRESCRIPTION:
                core.alarms.raise_(alarm.LINK)
        if waiting.is_forgotten():
            if waiting.forgotten == PRESCRIPTION:
                core.alarms.raise_(alarm.UNCONFIRMED)
            waiting.drop()

    def _log_failed(self):
        """Records can no longer be written: no new bolus; therapy ends with the one that runs [ALM-22]."""
        core = self.core
        core.alarms.raise_(alarm.LOG_FAILED)
        if core.infusing() and not self.boluses.running():
            self._stop(ALARM, BY_ALARM)
            core.needs_rx = True

    def _watch_pause(self):
        core = self.core
        if core.started and not core.needs_rx and core.clock.s - core.state_since_s >= PAUSED_LONG_S:
            core.alarms.raise_(alarm.PAUSED_LONG)

    # -- accounts

    def _close_segment(self):
        """Notes what basal gave since the last note."""
        core = self.core
        usteps = core.ledger.usteps[BASAL_ACCOUNT] - self._segment_usteps
        seconds = core.clock.s - self._segment_s
        nl = volume_nl_of_usteps(usteps, core.ledger.pl_step)
        core.diary.note(records.BASAL_SEGMENT, (core.rx.basal_ug_per_day, seconds, usteps, nl))
        self._segment_s = core.clock.s
        self._segment_usteps += usteps

    def _note_flow(self):
        """Works out the commanded flow in nL/h, rounded down, once whenever it changes."""
        core = self.core
        flow = core.rx.flow_nl_per_h if core.infusing() else 0
        for run in (core.pca, core.clinician):
            if run.active and run.suspended is None:
                flow += volume_nl_of_usteps(run.usteps, core.ledger.pl_step) * HOUR_S * 1000 // run.duration_ms
        core.flow_nl_per_h = flow
