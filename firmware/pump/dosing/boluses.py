"""Runs the boluses: requests, refusals, start, suspension, end, interruption.

A PCA bolus is added to basal. It suspends a clinician bolus, which resumes afterwards with exactly the steps that were
left [DEL-04, DEL-11]. The intent is written to FRAM before the first step, the result after the last [LOG-08].
Instants are (s, ms).
"""

from pump.base.clock import before
from pump.base.refusal import Refused
from pump.base.units import (
    MAX_FLOW_NL_PER_H,
    const,
    flow_nl_per_h,
    mass_ng_of_usteps,
    usteps_of_volume,
    volume_nl_of_mass,
    volume_nl_of_usteps,
)
from pump.delivery.schedule import bolus_interval, shortest_bolus_ms
from pump.dosing import bolus_decision, limits
from pump.prescribing.rx_rules import BOLUS_FLOW_NL_PER_H
from pump.storage import records

LONGEST_STEP_MS = const(900_000)  # of a bolus, between two steps; as `prescribing.rx_rules.SLOWEST_STEP_S`


class Boluses:
    """The PCA and the clinician bolus of `therapy`, and the decision on each request."""

    def __init__(self, therapy):
        self._therapy = therapy
        self._context = bolus_decision.BolusContext(therapy.pca, therapy.clinician, therapy.lockouts)
        self._runs = (therapy.pca, therapy.clinician)
        self._next = None  # cached result of `next_pca`, valid while `_next_known`
        self._next_known = False
        self._judged_contact = None  # the contact of the last press, and the decision for it
        self._judged_reason = 0
        self._judged_next = (records.NO_TIME, 0)

    # -- requests

    def hold(self, held):
        """The interlock of a respiratory monitor: no bolus begins while `held`. A running one goes on [ITH-10]."""
        self._context.hold(held)
        self.forget_next_possible()

    def contact_closed(self, contact):
        """Decides on a press when the patient's button closes, at `contact`; `request_pca` acts on the decision."""
        mass_ng = self._pca_ng()
        self._judged_contact = contact
        self._judged_reason = self._decide(True, mass_ng, contact)
        self._judged_next = self._next_time(self._judged_reason, True, mass_ng, contact)

    def request_pca(self, contact):
        """Acts on a valid press that began at `contact` and is released now. Returns the reason, 0 accepted.

        A press counts at contact, and is decided on again now by every rule: what was true at contact does not excuse
        what is not true at the start of the bolus.
        """
        therapy = self._therapy
        if self._judged_contact != contact:
            self.contact_closed(contact)
        mass_ng = self._pca_ng()
        reason, (next_s, next_ms) = self._judged_reason, self._judged_next
        if reason == limits.ACCEPTED:
            reason_now = self._decide(True, mass_ng, therapy.now)
            if reason_now != limits.ACCEPTED:
                reason = reason_now
                next_s, next_ms = self._next_time(reason, True, mass_ng, therapy.now)
        nl = self._volume_nl(mass_ng)
        payload = (contact[0], contact[1], reason, next_s, next_ms, nl)
        therapy.event_log.note(records.PCA_DECISION, payload)
        if reason == limits.ACCEPTED:
            if therapy.clinician.active:
                self._suspend_clinician()
            self._begin(therapy.pca, contact, mass_ng, therapy.rx.bolus_duration_s)
        return reason

    def check_order(self, ug, over_s):
        """Raises Refused if the order cannot be given with what the line holds, apart from what time changes."""
        rx, fluids, pl = self._therapy.rx, self._therapy.fluids, self._therapy.ledger.pl_step
        strongest = max(rx.concentration_ug_per_ml, self._therapy.ledger.concentration_ug_per_ml)
        if over_s * 1000 > usteps_of_volume(volume_nl_of_mass(ug, strongest), pl) * LONGEST_STEP_MS:
            raise Refused("order_bolus_too_small", {"key": "ug", "held": ug, "do": "wait until the line is renewed"})
        flow = flow_nl_per_h(rx.basal_ug_per_day, fluids.weakest_ug_per_ml(rx))
        if flow > MAX_FLOW_NL_PER_H - BOLUS_FLOW_NL_PER_H:
            raise Refused("order_needs_flow", {"key": "ug", "held": ug, "do": "wait until the line is renewed"})

    def refusal_of_clinician(self, ug):
        """The reason against a clinician bolus of `ug` now, 0: none. A refusal is recorded."""
        therapy = self._therapy
        reason = self._decide(False, ug * 1000, therapy.now)
        if reason != limits.ACCEPTED:
            self._note_clinician(reason, ug * 1000, therapy.now)
        return reason

    def request_clinician(self, ug, over_s, request):
        """Starts a clinician bolus of `ug` over `over_s` that was ordered at `request` (s, ms) and confirmed now.

        Returns the reason, 0 accepted.
        """
        therapy = self._therapy
        mass_ng = ug * 1000
        reason = self._decide(False, mass_ng, therapy.now)
        self._note_clinician(reason, mass_ng, request)
        if reason == limits.ACCEPTED:
            self._begin(therapy.clinician, request, mass_ng, over_s)
        return reason

    def drop_clinician(self, ug, request):
        """Records that the bolus of `ug` ordered at `request` (s, ms) is not given: with what forbids it now, or
        NOT_CONFIRMED."""
        reason = self._decide(False, ug * 1000, self._therapy.now)
        self._note_clinician(reason or limits.NOT_CONFIRMED, ug * 1000, request)

    def _note_clinician(self, reason, mass_ng, request):
        next_s, next_ms = self._next_time(reason, False, mass_ng, self._therapy.now)
        payload = (request[0], request[1], reason, next_s, next_ms, self._volume_nl(mass_ng))
        self._therapy.event_log.note(records.CLINICIAN_DECISION, payload)

    def next_pca(self):
        """When a press could next be accepted, (s, ms), or None if unknown.

        Time alone does not move this instant, so it is computed once after each event (see `forget_next_possible`).
        """
        therapy = self._therapy
        if not therapy.infusing() or therapy.rx.bolus_ug == 0 or therapy.alarms.blocks_bolus() or self._context.held:
            return None
        if not self._next_known:
            self._update_context()
            self._next = bolus_decision.next_possible(self._context, True, therapy.rx.bolus_ug * 1000, therapy.now)
            self._next_known = True
        return self._next

    def forget_next_possible(self):
        """Drops the cached result of `next_pca`: a bolus, the prescription or the history has changed."""
        self._next_known = False

    def pending(self):
        """The running and suspended boluses as a list of `limits.Pending`."""
        return [run.pending(run.end) for run in self._runs if run.active]

    def _pca_ng(self):
        return self._therapy.rx.bolus_ug * 1000 if self._therapy.rx else 0

    def _decide(self, is_pca, mass_ng, at):
        self._update_context()
        return bolus_decision.refusal(self._context, is_pca, mass_ng, at, self._fits_reservoir(mass_ng))

    def _update_context(self):
        therapy, context = self._therapy, self._context
        context.alarmed = therapy.alarms.blocks_bolus()
        context.infusing = therapy.infusing()
        context.log_failed = therapy.event_log.failed
        context.windows = therapy.limits
        context.lockout_s = therapy.rx.lockout_s if therapy.rx else 0
        context.bridged_for(therapy.fluids.barred_ms() if therapy.fluids.bars_bolus() else 0, therapy.now)

    def _fits_reservoir(self, mass_ng):
        therapy = self._therapy
        if therapy.rx is None:
            return False
        left = therapy.motion.schedule.left[therapy.clinician.stream] if therapy.clinician.active else 0
        clinician_left_nl = volume_nl_of_usteps(left, therapy.ledger.pl_step)
        bolus_nl = volume_nl_of_mass(mass_ng, therapy.fluids.weakest_ug_per_ml(therapy.rx)) // 1000
        return therapy.reservoir.fits(bolus_nl, clinician_left_nl)

    def _volume_nl(self, mass_ng):
        therapy = self._therapy
        return volume_nl_of_mass(mass_ng, therapy.ledger.concentration_ug_per_ml) // 1000 if therapy.rx else 0

    def _next_time(self, reason, is_pca, mass_ng, at):
        """Next possible time (s, ms) for the record of a refusal, or (NO_TIME, 0) if unknown or accepted."""
        if reason != limits.ACCEPTED and bolus_decision.has_next_time(reason):
            when = bolus_decision.next_possible(self._context, is_pca, mass_ng, at)
            if when is not None:
                return when
        return records.NO_TIME, 0

    # -- running

    def _begin(self, run, request, mass_ng, wanted_s):
        therapy = self._therapy
        self.forget_next_possible()
        now, pl = therapy.now, therapy.ledger.pl_step
        usteps = usteps_of_volume(self._volume_nl(mass_ng), pl)
        duration_ms = self._duration_ms(usteps, wanted_s * 1000)
        run.begin(now, request, usteps, mass_ng, duration_ms, therapy.ledger.usteps[run.stream])
        nl = self._volume_nl(mass_ng)
        therapy.event_log.note(
            records.BOLUS_START, (run.kind, request[0], request[1], usteps, nl, mass_ng, duration_ms)
        )
        therapy.save()  # the intent, before any of its steps
        therapy.motion.halt(therapy.clock.s, therapy.clock.ms)  # the schedule replans, with the bolus
        therapy.motion.schedule.start(run.stream, bolus_interval(usteps, duration_ms), usteps)

    def _duration_ms(self, usteps, wanted_ms):
        """Duration of `usteps` beside the basal of now: `wanted_ms`, or longer where 10 mL/h would be passed."""
        ledger = self._therapy.ledger
        basal = self._therapy.fluids.tip_basal_ug_per_day
        return max(wanted_ms, shortest_bolus_ms(usteps, ledger.pl_step, basal, ledger.concentration_ug_per_ml))

    def pass_front(self, was_ug_per_ml):
        """Another strength is at the tip than `was_ug_per_ml`: what is left of each bolus keeps its mass per second."""
        therapy = self._therapy
        ledger, schedule = therapy.ledger, therapy.motion.schedule
        for run in self._runs:
            left = schedule.left[run.stream] if run.active else 0
            if left == 0:
                continue
            made_ng = mass_ng_of_usteps(run.usteps - left, ledger.pl_step, was_ug_per_ml)
            usteps = left * was_ug_per_ml // ledger.concentration_ug_per_ml
            left_ms = min(run.left_ms(therapy.now), usteps * LONGEST_STEP_MS)
            duration_ms = self._duration_ms(usteps, left_ms)
            run.restate(therapy.now, usteps, made_ng, duration_ms)
            schedule.restate(run.stream, bolus_interval(usteps, duration_ms) if usteps else None, usteps)
        self.forget_next_possible()

    def _suspend_clinician(self):
        therapy = self._therapy
        therapy.motion.halt(therapy.clock.s, therapy.clock.ms)
        therapy.clinician.suspend(therapy.now)
        therapy.motion.schedule.hold(therapy.clinician.stream, True)
        self._note_suspension(1)

    def _resume_clinician(self):
        therapy = self._therapy
        therapy.motion.halt(therapy.clock.s, therapy.clock.ms)
        therapy.clinician.resume(therapy.now)
        therapy.motion.schedule.hold(therapy.clinician.stream, False)
        self._note_suspension(0)

    def _note_suspension(self, suspended):
        self.forget_next_possible()
        run = self._therapy.clinician
        left = self._therapy.motion.schedule.left[run.stream]
        self._therapy.event_log.note(records.BOLUS_SUSPENDED, (run.kind, suspended, left))

    def running(self):
        """True while any bolus runs or is suspended."""
        return self._runs[0].active or self._runs[1].active

    def due_ms(self):
        """Ms until the next planned end of a bolus; -1: none runs, or its last step is late. No allocation."""
        soonest = -1
        clock = self._therapy.clock
        for run in self._runs:
            if run.active and run.suspended is None:
                ms = (run.end[0] - clock.s) * 1000 + run.end[1] - clock.ms
                if ms > 0 and (soonest < 0 or ms < soonest):
                    soonest = ms
        return soonest

    def finish_due(self):
        """Ends the boluses whose planned end is over and whose last step is made. True if one ended."""
        therapy = self._therapy
        motion, schedule = therapy.motion, therapy.motion.schedule
        ended = False
        for run in self._runs:
            if not run.active or run.suspended is not None:
                continue
            if before(therapy.clock.s, therapy.clock.ms, run.end[0], run.end[1]):
                continue
            if schedule.left[run.stream] == 0 and not (motion.in_flight and schedule.planned[run.stream]):
                self._book(run, run.mass_ng)
                self._note_end(run, therapy.ledger.usteps[run.stream] - run.mark, run.mass_ng, interrupted=0)
                ended = True
                if run is therapy.pca and therapy.clinician.active:
                    self._resume_clinician()
        return ended

    def next_after_cut(self, run, mass_ng):
        """The next possible time (s, ms), or (NO_TIME, 0), after the bolus `run` that a power cut ended."""
        therapy = self._therapy
        if therapy.limits is None:
            return records.NO_TIME, 0
        self._update_context()
        mass_ng = self._pca_ng() if run is therapy.pca else mass_ng
        when = bolus_decision.next_possible(self._context, run is therapy.pca, mass_ng, therapy.now)
        return (records.NO_TIME, 0) if when is None else when

    def interrupt(self):
        """Ends the running and suspended boluses now, for good [H33]. Motion must have been halted."""
        therapy = self._therapy
        ended = []
        for run in self._runs:
            if run.active:
                made = run.usteps - therapy.motion.schedule.left[run.stream]
                ledger = therapy.ledger
                ng = run.made_ng + mass_ng_of_usteps(made, ledger.pl_step, ledger.concentration_ug_per_ml)
                ng = min(ng, run.mass_ng)
                self._book(run, ng)
                ended.append((run, ledger.usteps[run.stream] - run.mark, ng))
                therapy.motion.schedule.stop(run.stream)
        for run, made, ng in ended:  # in a second loop: the next time must not count a bolus of this loop as running
            self._note_end(run, made, ng, interrupted=1)

    def _book(self, run, mass_ng):
        """Books the end of `run`: history and lockout first, then the journal that makes them valid."""
        therapy = self._therapy
        s, ms = therapy.now
        run.finish()
        self.forget_next_possible()
        therapy.history.bolus_ended(s, ms, run.kind, mass_ng)
        therapy.lockouts.bolus_ended(s, ms, run is therapy.pca, therapy.rx.lockout_s)
        therapy.save()

    def _note_end(self, run, usteps, mass_ng, interrupted):
        """Writes the record of a booked end, with the next possible time."""
        therapy = self._therapy
        s, ms = therapy.now
        self._update_context()
        mass = therapy.rx.bolus_ug * 1000 if run is therapy.pca else run.mass_ng
        when = bolus_decision.next_possible(self._context, run is therapy.pca, mass, (s, ms))
        next_s, next_ms = (records.NO_TIME, 0) if when is None else when
        nl = volume_nl_of_usteps(usteps, therapy.ledger.pl_step)
        therapy.event_log.note(records.BOLUS_END, (run.kind, interrupted, usteps, nl, mass_ng, next_s, next_ms))
