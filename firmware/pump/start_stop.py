"""Start and stop: when START may begin motion, and how all motion ends.

Every method that begins motion is called from the front panel, by a press of START. Nothing missed is caught up [H32].
"""

from pump.base import states
from pump.base.contacts import STOP_KEY
from pump.base.refusal import Refused
from pump.base.states import ALARM, BY_KEY, BY_LINK, BY_PLAN, INFUSING, PRIMING, STOPPED
from pump.delivery.priming import ATMOSPHERIC_PA
from pump.delivery.schedule import BASAL
from pump.monitoring import alarms as alarm
from pump.panel.pending_confirmation import ORDER
from pump.panel.pending_confirmation import PRIMING as PRIMING_WAITS
from pump.storage import records


class StartStop:
    """Of one pump. `inputs`: door, clamp and keys as they stand."""

    def __init__(self, therapy, inputs, boluses, prescription_change, monitors, priming, segments, relief):
        self._therapy = therapy
        self._inputs = inputs
        self._boluses = boluses
        self._prescription_change = prescription_change
        self._monitors = monitors
        self._priming = priming
        self._segments = segments
        self._relief = relief

    # -- infusion

    def start(self):
        """START: infusion begins or resumes, unless something blocks it (`blocked_by`)."""
        therapy = self._therapy
        if therapy.line.bars_start():
            return  # and it is not remembered
        if therapy.state == ALARM and self._only_door_alarm():
            therapy.alarms.clear(alarm.DOOR)
            therapy.enter(STOPPED, BY_KEY)
        if therapy.state == STOPPED and self.blocked_by() is None:
            self._begin_infusion()

    def _only_door_alarm(self):
        """True if the door is closed again, and its alarm is the only one that stops the pump."""
        alarms = self._therapy.alarms
        if self._inputs.door.bars_motion() or not alarms.active(alarm.DOOR):
            return False
        return not alarms.stops_beside(alarm.DOOR)

    def blocked_by(self):
        """Code of what keeps START from beginning the infusion, None: nothing does, or it has begun.

        The first that a person has to do something about; the texts are in `panel.wording`. No allocation.
        """
        therapy, inputs = self._therapy, self._inputs
        alarms = therapy.alarms
        if therapy.moving():
            return None
        if therapy.rx is None:
            return "no_prescription"
        if inputs.door.bars_motion():
            return "door"
        if inputs.syringe.bars_motion():
            return "clamp"
        if therapy.line.bars_start():
            return "relief_barred" if self._monitors.bar_relief() else "relief"
        if alarms.stops() and not self._only_door_alarm() and not (alarms.stops_silently() and therapy.needs_rx):
            return "alarm"
        if therapy.needs_rx:
            return "prescription"
        if not therapy.fluids.as_prescribed:
            return "exchange"
        if therapy.fluids.unnamed:
            return "unnamed"
        if alarms.unseen(alarm.REFILL):
            return "refill"
        if therapy.reservoir.is_empty():
            return "empty"
        return self._blocked_by_key() or (None if therapy.primed else "line")

    def _blocked_by_key(self):
        keys = self._inputs.keys
        if keys.stuck:
            return "key_stuck"
        return "stop_key" if keys.is_down(STOP_KEY) else None

    def _begin_infusion(self):
        therapy = self._therapy
        self._free_motor(True)
        therapy.motion.begin(therapy.clock.s, therapy.clock.ms)
        therapy.motion.schedule.stop_all()
        self._prescription_change.prepare()  # a back-off has moved the fluids in the line
        if self._prescription_change.basal:
            therapy.motion.schedule.start(BASAL, self._prescription_change.basal)
        self._monitors.configure()
        therapy.therapy_started()
        therapy.repeat_stops.started()
        therapy.alarms.condition_gone(alarm.PAUSED_LONG)
        therapy.alarms.clear(alarm.REFILL)  # acknowledged, or START would have done nothing
        therapy.enter(INFUSING, BY_KEY)
        self._monitors.infusion_starts()
        self._segments.begin()
        therapy.update_flow()
        self._begin_motion()

    def _free_motor(self, is_therapy):
        """Takes the no-flow pressure, clears a gate that was latched while nothing moved, and energises the motor."""
        self._set_line()
        if self._relief.motion_begins(is_therapy):
            self._monitors.line_was_relieved()
        self._therapy.motor.halt()
        self._therapy.motor.enable(True)

    def _set_line(self):
        monitors = self._monitors
        self._relief.set_line(monitors.best_compliance_nl_per_kpa(), monitors.resistance_pa_per_ml_h())

    def _begin_motion(self):
        therapy = self._therapy
        therapy.motion.begin(therapy.clock.s, therapy.clock.ms)
        self._monitors.start()
        therapy.save_all()

    # -- stop

    def stop(self, state, cause):
        """Ends all motion and every bolus; the state is `state` afterwards. `cause`: one of base.states.BY_*."""
        therapy = self._therapy
        if therapy.confirmation.kind == ORDER:
            therapy.confirmation.drop()
        ended = therapy.motion.halt(therapy.clock.s, therapy.clock.ms)
        if therapy.infusing():
            self._boluses.interrupt()
            self._segments.close()
        elif therapy.state == PRIMING:
            if ended:
                self._priming.grant_ended()
            self._priming.note(int(therapy.primed))
        therapy.motion.schedule.stop_all()
        therapy.motor.enable(False)
        self._set_line()
        self._relief.motion_ended(self._monitors.no_flow_pa(), self._monitors.flow_drop_pa())
        therapy.enter(state, cause)
        therapy.update_flow()
        therapy.save_all()

    def pause(self):
        """Over the link: what the stop key does. START resumes basal; an interrupted bolus does not resume."""
        if self._therapy.moving():
            self.stop(STOPPED, BY_LINK)

    def end_therapy(self, signer):
        """A clinician ends the therapy: motion stops, and only a new prescription leads back [LIM-27].

        signer: 1-based index in the people document of the person who signed that.
        """
        therapy = self._therapy
        self.pause()
        therapy.therapy_ended()
        therapy.confirmation.drop()
        therapy.alarms.condition_gone(alarm.PAUSED_LONG)
        therapy.event_log.note(records.RX_END, (therapy.sequence, signer))
        therapy.save_all()

    # -- priming

    def make_ready_to_prime(self):
        """Makes ready to fill the line; START begins it within 3 min [H13].

        Returns the volume in nL. Raises Refused. A full line may be filled again, after a change of its set.
        """
        nl = self._check_priming()
        self._therapy.confirmation.put(PRIMING_WAITS)
        return nl

    def _check_priming(self):
        therapy = self._therapy
        if therapy.rx is None or therapy.needs_rx:
            raise Refused("prime_no_prescription", {"key": "rx", "do": "load and confirm a prescription first"})
        therapy.need_display()
        if therapy.state != STOPPED or self._inputs.open_access():
            allowed = "stopped, door closed"
            raise Refused("prime_state", {"key": "state", "held": states.NAMES[therapy.state], "allowed": allowed})
        self._check_syringe()
        if abs(therapy.pressure_pa) > ATMOSPHERIC_PA:
            allowed = "%d to %d, that of an open line" % (-ATMOSPHERIC_PA, ATMOSPHERIC_PA)
            raise Refused("prime_connected", {"key": "pressure_pa", "held": therapy.pressure_pa, "allowed": allowed})
        nl = self._priming.prepare(therapy.rx.deadspace_ul)
        if nl > therapy.reservoir.remaining_nl():
            held = therapy.rx.deadspace_ul
            raise Refused("prime_volume", {"key": "deadspace_ul", "held": held, "do": "refill first"})
        return nl

    def _check_syringe(self):
        """Raises Refused `refill` while the syringe of the prescription is not in the holder, or no refill named it."""
        therapy = self._therapy
        if therapy.fluids.unnamed or not therapy.fluids.as_prescribed:
            raise Refused("refill", {"key": "syringe", "do": "exchange it and enter the refill"})

    def begin_priming(self):
        """START: the line is filled, if that may still be done now."""
        if self._therapy.line.bars_start():
            return
        try:
            self._check_priming()
        except Refused:
            return
        self._free_motor(False)
        self._monitors.configure()
        self._priming.begin()
        self._therapy.enter(PRIMING, BY_KEY)
        self._begin_motion()

    def continue_priming(self):
        """Grants the next piece. Returns ms to the next call, 0 when priming has ended; then the pump has stopped.

        It ends when the line is full, or is found to be on the catheter: then it counts as not filled [H13].
        """
        wait_ms = self._priming.step()
        if wait_ms == 0 and self._priming.is_connected:
            self.stop(STOPPED, BY_PLAN)
            words = (self._therapy.sequence, records.word_of("prime_connected"))
            self._therapy.event_log.note(records.RX_REFUSED, words)
            self._therapy.confirmation.refuse("prime_connected")
        elif wait_ms == 0:
            self._therapy.line_filled()
            self.stop(STOPPED, BY_PLAN)
            self._therapy.save_all()
        return wait_ms
