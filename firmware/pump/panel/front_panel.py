"""The keys and the pendant, and what each press does.

START does what the display says, and only for a press that began half a second after the display said so; with nothing
to confirm it starts the infusion. A prescription has pages: START pressed turns them, START held on the last one
confirms. Nothing else begins motion or brings a prescription into force.
"""

from pump.base.contacts import PCA_NC, PCA_NO
from pump.base.refusal import Refused
from pump.base.states import ALARM, BOLUS, BY_KEY, BY_PLAN, PRIMING, STOPPED
from pump.base.units import const
from pump.monitoring import alarms as alarm
from pump.panel.keys import Keys
from pump.panel.pending_confirmation import NOTHING, ORDER, PRESCRIPTION, PROVISIONING
from pump.panel.pending_confirmation import PRIMING as PRIMING_WAITS
from pump.storage import records

DISPLAY_FAILURES = const(2)  # in a row; one is a glitch on the bus


class FrontPanel:
    """Of one pump. last_refusal: reason of the last refused press of the pendant (`dosing.limits`), for the display."""

    def __init__(
        self,
        therapy,
        inputs,
        start_stop,
        boluses,
        prescription_change,
        clinician_actions,
        document_loading,
        monitors,
        relief,
    ):
        self._therapy = therapy
        self._inputs = inputs
        self._start_stop = start_stop
        self._boluses = boluses
        self._prescription_change = prescription_change
        self._clinician_actions = clinician_actions
        self._document_loading = document_loading
        self._monitors = monitors
        self._relief = relief
        self.last_refusal = 0
        self._display_failures = 0
        self._held = False

    # -- what comes in

    def set_level(self, contact, level):
        """The raw level of a contact at power-up, or after edges were lost; called for each contact, in their order."""
        clock = self._therapy.clock
        self._inputs.set_level(contact, level, clock.s, clock.ms)
        self._note_hold()

    def resync(self, contact, level, was_stop_lost):
        """The raw level of a contact after edges were lost. `was_stop_lost`: one of them stops the motor."""
        clock = self._therapy.clock
        self._inputs.resync(contact, level, was_stop_lost, clock.s, clock.ms)
        self._note_hold()

    def edge(self, contact, level, s, ms):
        """A contact changed to the raw `level` at (s, ms)."""
        self._inputs.edge(contact, level, s, ms)
        self._note_hold()
        if (contact == PCA_NO or contact == PCA_NC) and self._inputs.pendant.contact_closed_at(s, ms):
            self._boluses.contact_closed((s, ms))

    def _note_hold(self):
        """The hold line has changed: boluses are held, or no longer, and the change is recorded."""
        if self._inputs.hold != self._held:
            self._held = self._inputs.hold
            self._boluses.hold(self._held)
            self._therapy.event_log.note(records.HOLD, (int(self._held),))

    def act(self):
        """Acts on every press that has come in since the last call, and on an opening of the clamp."""
        if self._inputs.syringe.has_opened:
            self._therapy.fluids.clamp_opened()
            self._therapy.save()
        if self._inputs.keys.queued:
            self._act_on_keys()
        if self._inputs.pendant.queued:
            self._act_on_pendant()

    # -- keys

    def _act_on_keys(self):
        therapy, keys = self._therapy, self._inputs.keys
        event = keys.take()
        while event is not None:
            therapy.event_log.note(records.KEY, (event, keys.held_ms))
            therapy.alarms.condition_gone(alarm.LINK)  # a person is at the pump
            therapy.alarms.condition_gone(alarm.UNCONFIRMED)
            if event == Keys.START_SHORT:
                self._start_pressed()
            elif event == Keys.START_HOLD:
                self._start_held()
            elif event == Keys.STOP:
                therapy.confirmation.drop()
                self._stop_pressed()
            else:
                therapy.alarms.acknowledge()
            event = keys.take()

    def _start_pressed(self):
        therapy, keys = self._therapy, self._inputs.keys
        confirmation = therapy.confirmation
        kind = confirmation.kind
        if kind == NOTHING:
            if not confirmation.waited_at_press(keys.at_s, keys.at_ms, keys.held_ms):
                self._start_stop.start()
        elif not confirmation.shown_before_press(keys.at_s, keys.at_ms, keys.held_ms):
            return
        elif not confirmation.is_drawn:
            self._refuse(therapy.sequence, "display")
        elif not confirmation.is_on_last_page():
            confirmation.turn_page()
        elif kind == ORDER:
            if self._clinician_actions.staged_order:
                self._clinician_actions.give_order()
                self._enter_bolus()
            confirmation.drop()
        elif kind == PRIMING_WAITS:
            confirmation.drop()
            self._start_stop.begin_priming()
        elif kind == PRESCRIPTION:
            confirmation.turn_page()  # to the first again

    def _start_held(self):
        therapy, keys = self._therapy, self._inputs.keys
        confirmation = therapy.confirmation
        kind = confirmation.kind
        if kind == NOTHING or not confirmation.shown_before_press(keys.at_s, keys.at_ms):
            return
        if not confirmation.is_drawn:
            self._refuse(therapy.sequence, "display")
            return
        if not confirmation.is_on_last_page():
            return
        if kind == PROVISIONING:
            self._document_loading.confirm()
        elif kind == PRESCRIPTION:
            self._confirm_prescription()

    def _refuse(self, sequence, code):
        """What waited is refused at the press of START; the host is told why."""
        self._therapy.event_log.note(records.RX_REFUSED, (sequence, records.word_of(code)))
        self._therapy.confirmation.refuse(code)

    def display_works(self, works):
        """The display took what it was sent and is on, or not. DISPLAY_FAILURES in a row raise the alarm `display`."""
        alarms = self._therapy.alarms
        if works:
            self._display_failures = 0
            alarms.condition_gone(alarm.DISPLAY)
        else:
            self._display_failures += 1
            if self._display_failures >= DISPLAY_FAILURES:
                alarms.raise_(alarm.DISPLAY)

    def _stop_pressed(self):
        therapy = self._therapy
        if therapy.infusing():
            is_third = therapy.repeat_stops.stopped(therapy.now)
            self._start_stop.stop(STOPPED, BY_KEY)  # which saves the count
            if is_third:
                therapy.alarms.occur(alarm.REPEAT_STOPS)
        elif therapy.state == PRIMING:
            self._start_stop.stop(STOPPED, BY_KEY)

    def _confirm_prescription(self):
        """START was held: the staged prescription comes into force, if it still may [RX-01]."""
        therapy, change = self._therapy, self._prescription_change
        try:
            if self._inputs.open_access():
                raise Refused("door", {"key": "door", "do": "close it and hold start again"})
            change.recheck()
            if therapy.moving():
                self._start_stop.stop(STOPPED, BY_KEY)
                change.recheck()  # the history now holds what the stop has ended
        except Refused as refused:
            self._refuse(change.staged.sequence, refused.code)
            return
        self._relief.prescription_changes(change.staged)
        change.adopt()
        therapy.alarms.condition_gone(alarm.PAUSED_LONG)
        self._monitors.configure()
        therapy.alarms.clear_gone()
        therapy.enter(ALARM if therapy.alarms.stops() else STOPPED, BY_KEY)
        therapy.save_all()

    # -- pendant

    def _act_on_pendant(self):
        pendant = self._inputs.pendant
        while pendant.take():
            contact = (pendant.contact_s, pendant.contact_ms)
            words = (contact[0], contact[1], pendant.held_ms, int(pendant.demand))
            self._therapy.event_log.note(records.PRESS, words)
            if pendant.demand:
                self.last_refusal = self._boluses.request_pca(contact)
                self._enter_bolus()

    def _enter_bolus(self):
        therapy = self._therapy
        if therapy.infusing() and self._boluses.running():
            therapy.enter(BOLUS, BY_PLAN)
            therapy.update_flow()
