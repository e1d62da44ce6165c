"""Boluses: asked for, refused with a reason or started, suspended, ended, interrupted.

A PCA bolus is added to basal and suspends a clinician bolus, which goes on afterwards with exactly what was left
[DEL-04, DEL-11]. Intent is written to FRAM before the first step, the result after the last [LOG-08].
"""

from pump import decision, limits, records
from pump.clock import before
from pump.schedule import bolus_duration_ms, bolus_interval
from pump.units import mass_ng_of_usteps, pl_per_ustep, usteps_of_volume, volume_nl_of_mass, volume_nl_of_usteps


class Boluses:
    """The two boluses of `core`, and the decision on each request."""

    def __init__(self, core):
        self._core = core
        self._standing = decision.Standing(core.pca, core.clinician, core.lockouts)
        self._runs = (core.pca, core.clinician)
        self._next = None
        self._next_known = False
        self._touched_at = None
        self._touch_reason = 0
        self._touch_next = (records.NO_TIME, 0)

    # -- requests

    def touch(self, contact):
        """The patient's button closes at `contact` (s, ms): a press counts from here, so it is judged here."""
        mass_ng = self._pca_ng()
        self._touched_at = contact
        self._touch_reason = self._decide(True, mass_ng, contact)
        self._touch_next = self._next_time(self._touch_reason, True, mass_ng, contact)

    def request_pca(self, contact):
        """A demand: the patient's button, pressed at `contact` (s, ms), let go now. Returns the reason, 0 accepted.

        Judged at its contact; what has stopped the pump since still refuses it.
        """
        core = self._core
        if self._touched_at != contact:
            self.touch(contact)
        mass_ng = self._pca_ng()
        reason, (next_s, next_ms) = self._touch_reason, self._touch_next
        if reason == limits.ACCEPTED:
            now_refused = self._decide(True, mass_ng, core.now)
            if now_refused and now_refused <= limits.RUNNING or now_refused == limits.RESERVOIR:
                reason = now_refused
                next_s, next_ms = self._next_time(reason, True, mass_ng, core.now)
        nl = self._volume_nl(mass_ng)
        payload = (contact[0], contact[1], reason, next_s, next_ms, nl)
        core.diary.note(records.PCA_DECISION, payload)
        if reason == limits.ACCEPTED:
            if core.clinician.active:
                self._suspend_clinician()
            self._begin(core.pca, contact, mass_ng, core.rx.bolus_duration_s)
        return reason

    def refusal_of_clinician(self, ug):
        """Why an authenticated order of `ug` could not be given now; recorded then. 0: it could."""
        core = self._core
        reason = self._decide(False, ug * 1000, core.now)
        if reason != limits.ACCEPTED:
            self._note_clinician(reason, ug * 1000, core.now)
        return reason

    def request_clinician(self, ug, over_s, request):
        """An order of `ug` over `over_s` that came at `request` (s, ms), confirmed at the pump now.

        Returns the reason, 0 accepted.
        """
        core = self._core
        mass_ng = ug * 1000
        reason = self._decide(False, mass_ng, core.now)
        self._note_clinician(reason, mass_ng, request)
        if reason == limits.ACCEPTED:
            self._begin(core.clinician, request, mass_ng, over_s)
        return reason

    def _note_clinician(self, reason, mass_ng, request):
        next_s, next_ms = self._next_time(reason, False, mass_ng, self._core.now)
        payload = (request[0], request[1], reason, next_s, next_ms, self._volume_nl(mass_ng))
        self._core.diary.note(records.CLINICIAN_DECISION, payload)

    def next_pca(self):
        """When a press could next be accepted, (s, ms) or None when that cannot be named.

        As time alone goes by this instant stays the same, so it is worked out only after something has happened.
        """
        core = self._core
        if not core.infusing() or core.rx.bolus_ug == 0 or core.alarms.blocks_bolus():
            return None
        if not self._next_known:
            self._gather()
            self._next = decision.next_possible(self._standing, True, core.rx.bolus_ug * 1000, core.now)
            self._next_known = True
        return self._next

    def changed(self):
        """Something has happened that the next possible time rests on."""
        self._next_known = False

    def pending(self):
        """What runs, as the windows count it."""
        return [run.pending(run.end) for run in self._runs if run.active]

    def _pca_ng(self):
        return self._core.rx.bolus_ug * 1000 if self._core.rx else 0

    def _decide(self, is_pca, mass_ng, at):
        self._gather()
        return decision.refusal(self._standing, is_pca, mass_ng, at, self._fits_reservoir(mass_ng))

    def _gather(self):
        core, standing = self._core, self._standing
        standing.alarmed = core.alarms.blocks_bolus()
        standing.infusing = core.infusing()
        standing.log_failed = core.diary.failed
        standing.windows = core.limits
        standing.lockout_s = core.rx.lockout_s if core.rx else 0

    def _fits_reservoir(self, mass_ng):
        core = self._core
        if core.rx is None:
            return False
        rest = core.motion.schedule.left[core.clinician.stream] if core.clinician.active else 0
        rest_nl = volume_nl_of_usteps(rest, core.ledger.pl_step)
        return core.reservoir.fits(self._volume_nl(mass_ng), rest_nl)

    def _volume_nl(self, mass_ng):
        core = self._core
        return volume_nl_of_mass(mass_ng, core.rx.concentration_ug_per_ml) // 1000 if core.rx else 0

    def _next_time(self, reason, is_pca, mass_ng, at):
        """(s, ms) for the records; NO_TIME where no time can be named. An accepted request tells it at its end."""
        if reason != limits.ACCEPTED and decision.has_next_time(reason):
            when = decision.next_possible(self._standing, is_pca, mass_ng, at)
            if when is not limits.NEVER:
                return when
        return records.NO_TIME, 0

    # -- running

    def _begin(self, run, request, mass_ng, wanted_s):
        core = self._core
        self.changed()
        rx, now = core.rx, core.now
        pl = pl_per_ustep(rx.syringe)
        usteps = usteps_of_volume(self._volume_nl(mass_ng), pl)
        duration_ms = bolus_duration_ms(usteps, pl, wanted_s, rx.basal_ug_per_day, rx.concentration_ug_per_ml)
        run.begin(now, request, usteps, mass_ng, duration_ms, core.ledger.usteps[run.stream])
        nl = self._volume_nl(mass_ng)
        core.diary.note(
            records.BOLUS_START, (run.kind, request[0], request[1], usteps, nl, mass_ng, duration_ms)
        )
        core.save()  # the intent, before any of its steps
        core.motion.halt(core.clock.s, core.clock.ms)  # what was granted without it is planned anew
        core.motion.schedule.start(run.stream, bolus_interval(usteps, duration_ms), usteps)

    def _suspend_clinician(self):
        core = self._core
        core.motion.halt(core.clock.s, core.clock.ms)
        core.clinician.suspend(core.now)
        core.motion.schedule.hold(core.clinician.stream, True)
        self._note_suspension(1)

    def _resume_clinician(self):
        core = self._core
        core.motion.halt(core.clock.s, core.clock.ms)
        core.clinician.resume(core.now)
        core.motion.schedule.hold(core.clinician.stream, False)
        self._note_suspension(0)

    def _note_suspension(self, suspended):
        self.changed()
        run = self._core.clinician
        left = self._core.motion.schedule.left[run.stream]
        self._core.diary.note(records.BOLUS_SUSPENDED, (run.kind, suspended, left))

    def running(self):
        """True while any bolus runs or is suspended."""
        return self._runs[0].active or self._runs[1].active

    def due_ms(self):
        """Milliseconds until a running bolus is to end, or -1 when none is or its last step is late. No allocation."""
        soonest = -1
        clock = self._core.clock
        for run in self._runs:
            if run.active and run.suspended is None:
                ms = (run.end[0] - clock.s) * 1000 + run.end[1] - clock.ms
                if ms > 0 and (soonest < 0 or ms < soonest):
                    soonest = ms
        return soonest

    def finish_due(self):
        """Ends the boluses whose time is up and whose last step is made. True when one ended."""
        core = self._core
        motion, schedule = core.motion, core.motion.schedule
        ended = False
        for run in self._runs:
            if not run.active or run.suspended is not None:
                continue
            if before(core.clock.s, core.clock.ms, run.end[0], run.end[1]):
                continue
            if schedule.left[run.stream] == 0 and not (motion.flying and schedule.planned[run.stream]):
                self._book(run, run.mass_ng)
                self._note_end(run, run.usteps, run.mass_ng, interrupted=0)
                ended = True
                if run is core.pca and core.clinician.active:
                    self._resume_clinician()
        return ended

    def next_after_cut(self, run, mass_ng):
        """When a bolus like the one that a power cut ended could be next, (s, ms), or (NO_TIME, 0)."""
        core = self._core
        if core.limits is None:
            return records.NO_TIME, 0
        self._gather()
        mass_ng = self._pca_ng() if run is core.pca else mass_ng
        when = decision.next_possible(self._standing, run is core.pca, mass_ng, core.now)
        return (records.NO_TIME, 0) if when is limits.NEVER else when

    def interrupt(self):
        """Ends whatever runs, now; the remainder is never resumed [H33]. Motion must have been halted."""
        core = self._core
        ended = []
        for run in self._runs:
            if run.active:
                made = run.usteps - core.motion.schedule.left[run.stream]
                ng = min(mass_ng_of_usteps(made, core.ledger.pl_step, core.rx.concentration_ug_per_ml), run.mass_ng)
                self._book(run, ng)
                ended.append((run, made, ng))
                core.motion.schedule.stop(run.stream)
        for run, made, ng in ended:  # only now: the next time must not count what was just ended as running
            self._note_end(run, made, ng, interrupted=1)

    def _book(self, run, mass_ng):
        """Books the end: history and lockout first, then the journal that makes them valid."""
        core = self._core
        s, ms = core.now
        run.active = False
        self.changed()
        core.history.bolus_ended(s, ms, run.kind, mass_ng)
        core.lockouts.bolus_ended(s, ms, run is core.pca, core.rx.lockout_s)
        core.save()

    def _note_end(self, run, usteps, mass_ng, interrupted):
        """Records an end that is booked, with the next possible time."""
        core = self._core
        s, ms = core.now
        self._gather()
        mass = core.rx.bolus_ug * 1000 if run is core.pca else run.mass_ng
        when = decision.next_possible(self._standing, run is core.pca, mass, (s, ms))
        next_s, next_ms = (records.NO_TIME, 0) if when is limits.NEVER else when
        nl = volume_nl_of_usteps(usteps, core.ledger.pl_step)
        core.diary.note(records.BOLUS_END, (run.kind, interrupted, usteps, nl, mass_ng, next_s, next_ms))
