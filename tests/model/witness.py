"""Reads the pump's tape beside the reference model: what the pump decided must be what the model decides.

The model is told what happened (it started, it ended, it was stopped) and asked what should; the pump's
answers are compared with its own. Beside that the witness keeps books in true time, from the steps of the
motor alone: no window over its limit, no bolus inside a lockout, no step unbooked, none made twice and
none in a state that may not move.
"""

from fractions import Fraction

from pump.units import pl_per_ustep

from model.plant import Meter
from model.reference import REASONS_OF_TIME, WINDOWS_MS, Reference
from model.rig import ACCOUNTS, NO_TIME, action_name, bolus_kind, reason_name, state_name

INFUSING = ("infusing", "bolus")
MOVING = (*INFUSING, "priming")
LATE_MS = 12  # a bolus ends when its last step is made; the floor of the step period may delay that
NEAR_NL = 5_000  # what is granted ahead may be booked or not at the instant of a decision
US_PER_DAY = 86_400_000_000


class Witness:
    """Follows a rig that has not been given a prescription yet."""

    def __init__(self, rig):
        self.rig = rig
        self.model = Reference()
        self.loaded = None  # the prescription that was loaded last, to be confirmed
        self.ordered_ng = 0  # the clinician's last order
        self.told = None  # (kind, ng, pump's ms) of the newest next time, while nothing has happened since
        self.accepted = 0
        self.refused = {}  # reason -> how often
        self.last_reason = None
        self.reigns = []  # (true ms, prescription)
        self._ended = []  # ends whose next time is not looked at yet: `_check_next`'s arguments
        self._locks = []  # [kind, true ms of the end, longest lockout since in ms]
        self._tied = True  # the RTC was proven at the last power-up
        self._usteps = {}  # kind -> (usteps promised, usteps on the account before)
        self._state = "self_test"
        self._stretch = None  # (pump's ms, usteps of basal) when infusion began
        self._cuts = 0
        self._late_ms = {}  # kind -> how late a bolus may end that was held up
        self._idle_us = self._hangs = 0  # of this stretch: time held up without motion
        self._read = 0
        self._now = None  # the entry that is judged
        rig.plant.on_grant = self._granted
        rig.after_wake = self.hear

    # --- what the tape says

    def hear(self):
        """Judges everything on the tape that is new, and the books."""
        entries = self.rig.tape.entries
        while self._read < len(entries):
            entry = entries[self._read]
            self._read += 1
            listener = getattr(self, "_on_" + entry.what, None)
            if listener:
                self._now = entry
                listener(entry.mono_ms, entry.true_ms, **entry.payload)
        assert not self._ended, "a PCA bolus was interrupted, and the clinician's goes on"
        self._check_books()

    def _on_rx_confirm(self, t, true_ms, **_):
        assert self.model.new_prescription_refusal(t, self.loaded) is None
        self.model.confirmed(t, self.loaded)
        self.reigns.append((true_ms, self.loaded))
        for lock in self._locks:
            lock[2] = max(lock[2], 1000 * self.loaded.lockout_s)
        self.told = None

    def _on_state(self, t, true_ms, to_state, **_):
        was, self._state = self._state, state_name(to_state)
        if self._state in INFUSING and was not in INFUSING:
            self.model.started(t)
            self._idle_us = self._hangs = 0
            self._stretch = (t, self._on_account("basal"))
        elif was in INFUSING and self._state not in INFUSING:
            self.model.stopped(t)
            self._check_stretch(t)
        if self._state not in MOVING:
            self._check_still(true_ms)
        if self._state not in INFUSING:
            self.told = None

    def _on_press(self, t, true_ms, contact_s, contact_ms, demand, **_):
        assert self.model.pressed(contact_s * 1000 + contact_ms) == bool(demand)

    def _on_pca_decision(self, t, true_ms, contact_s, contact_ms, reason, next_s, next_ms, **_):
        contact = contact_s * 1000 + contact_ms
        self._decided("pca", self.model.rx.bolus_ug * 1000, contact, t, reason, next_s, next_ms)

    def _on_clinician_decision(self, t, true_ms, reason, next_s, next_ms, **_):
        self._decided("clinician", self.ordered_ng, t, t, reason, next_s, next_ms)

    def _decided(self, kind, ng, at, t, reason, next_s, next_ms):
        """A request at `at` was decided at `t`, both in the pump's ms."""
        reason = reason_name(reason)
        for bolus in self.model.running(t):
            bolus.booked_ng = self._ng_of(self._on_account(bolus.kind) - self._usteps[bolus.kind][1])
        possible = {self.model.refusal(at, kind, ng, remaining) for remaining in self._remaining()}
        if any(b.end is not None and b.end > at for b in self.model.boluses):
            possible.add(self.model.refusal(t, kind, ng))  # it ended while the finger was down
        assert reason in possible, f"{kind}: {reason}, the model says {possible}"
        self.last_reason = reason
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if reason is not None:
            # Judged at the contact, and once more at the release for what has happened since.
            self._check_next(kind, ng, (at, t), next_s, next_ms, reason in REASONS_OF_TIME)

    def _on_bolus_start(self, t, true_ms, kind, usteps, mass_ng, duration_ms, **_):
        kind, rx = bolus_kind(kind), self.model.rx
        prescribed_ng = rx.bolus_ug * 1000 if kind == "pca" else self.ordered_ng
        exact = Fraction(prescribed_ng * 10**6, rx.concentration_ug_per_ml * pl_per_ustep(self.rig.syringe))
        assert self._state in INFUSING
        assert mass_ng == prescribed_ng
        assert exact - 2 < usteps <= exact
        during_clinician = self.model.running(t, "clinician")
        for lock_kind, end_ms, lockout_ms in self._locks:
            if lock_kind != "clinician" or not during_clinician:
                assert true_ms >= end_ms + lockout_ms, "a bolus inside a lockout"
        for long in during_clinician:
            long.planned_end += duration_ms
        self.model.accepted(t, kind, mass_ng, t + duration_ms)
        self._usteps[kind] = (usteps, self._on_account(kind))
        self.accepted += 1
        self.told = None

    def _on_bolus_end(self, t, true_ms, kind, interrupted, usteps, mass_ng, next_s, next_ms, **_):
        kind = bolus_kind(kind)
        (bolus,) = (b for b in self.model.boluses if b.end is None and b.kind == kind)
        promised, before = self._usteps.pop(kind)
        assert self._on_account(kind) - before == usteps
        if interrupted:
            assert usteps <= promised
            assert self._ng_of(usteps) <= mass_ng <= bolus.prescribed_ng
            self.model.interrupted(bolus, t, mass_ng)
        else:
            assert usteps == promised
            assert bolus.planned_end <= t <= bolus.planned_end + self._late_ms.pop(kind, LATE_MS)
            self.model.delivered(bolus, t)
            for long in self.model.running(t, "clinician"):
                long.planned_end += t - bolus.planned_end
        self._locks.append([kind, true_ms, 1000 * self.model.rx.lockout_s])
        ng = self.model.rx.bolus_ug * 1000 if kind == "pca" else bolus.prescribed_ng
        self._ended.append((kind, ng, (t,), next_s, next_ms, True))
        if interrupted and self.model.running(t, "clinician"):
            return  # the same interruption ends it, too, with the next record: only then is known what runs
        while self._ended:
            self._check_next(*self._ended.pop(0))

    def _on_alarm_on(self, t, true_ms, alarm, action, **_):
        self.model.alarms[alarm] = action_name(action)

    def _on_alarm_off(self, t, true_ms, alarm, **_):
        self.model.alarms.pop(alarm, None)

    def _check_next(self, kind, ng, moments, next_s, next_ms, named):
        told = None if next_s == NO_TIME else next_s * 1000 + next_ms
        wanted = {self.model.next_possible(t, kind, ng) if named else None for t in moments}
        assert told in wanted, f"next {kind} at {told}, the model says {wanted}, at {moments}"
        self.told = None if told is None else (kind, ng, told)

    def _remaining(self):
        """The volume left as the pump has it, give or take what is granted ahead."""
        remaining_nl = self.rig.remaining_nl()
        return (remaining_nl - NEAR_NL, remaining_nl, remaining_nl + NEAR_NL)

    def _on_account(self, kind):
        """Usteps of "basal", "pca" or "clinician" that the ledger held when the present entry was written."""
        return self._now.usteps[ACCOUNTS[kind]]

    def _ng_of(self, usteps):
        """Exact mass of usteps of the fluid that the prescription in force says is in the syringe."""
        return Fraction(usteps * pl_per_ustep(self.rig.syringe) * self.model.rx.concentration_ug_per_ml, 10**6)

    # --- power

    def cut(self, off_ms, proven, ticks_ms=0):
        """Power fails now, for `off_ms`."""
        rig = self.rig
        cut_true_ms, cut_mono_ms = rig.plant.now_ms, rig.pump_ms_now()
        self._check_books()
        running = [b for b in self.model.boluses if b.end is None]
        self.model.alarms.clear()
        rig.cut(off_ms, proven, ticks_ms)
        back_ms = rig.mono_ms()
        assert back_ms <= cut_mono_ms + off_ms, "the pump counts time that did not pass"
        # A clock that was lost at the last power-up has nothing to be compared with, until the next one.
        counts, self._tied = proven and self._tied, proven
        if counts:
            assert back_ms >= cut_mono_ms + off_ms - 3000, "time off that is proven does not count"
        lockout_ms = 1000 * self.model.rx.lockout_s
        for bolus in running:
            end_ms = rig.told_end_ms(bolus.kind)
            assert end_ms <= back_ms
            assert back_ms - end_ms <= off_ms, f"ended {back_ms - end_ms - off_ms} ms before the cut"
            self.model.cut(bolus, end_ms)
            self._locks.append([bolus.kind, cut_true_ms, lockout_ms])
        self._usteps.clear()
        if not counts:
            self.model.time_lost(back_ms)
            if self._locks:
                self._locks.append(["time", rig.plant.now_ms, lockout_ms])
        self.model.stopped(back_ms)
        self.model.presses.clear()  # the last one is forgotten; stopped, it could have given nothing
        self._state, self._stretch, self.told = "stopped", None, None
        self._cuts += 1
        self.hear()

    # --- a processor that is held up

    def hang(self, ms):
        """The main loop is not run for `ms`: what it would have moved then is given up, but for one step."""
        rig = self.rig
        landing_us = rig.plant.runs[-1].last_us if rig.flying() else rig.plant.now_us
        rig.plant.now_us += 1000 * ms
        idle_us = max(0, min(1000 * ms, rig.plant.now_us - landing_us))
        for bolus in self.model.running(rig.mono_ms()):
            self._late_ms[bolus.kind] = self._late_ms.get(bolus.kind, LATE_MS) + idle_us // 1000 + 1
        self._idle_us += idle_us
        self._hangs += 1
        self.told = None
        rig.wake()

    # --- true books

    def _granted(self, run):
        assert self.rig.state in MOVING, f"a grant in state {self.rig.state}"
        assert run.sign == 1
        run.owner = self.model.rx.concentration_ug_per_ml if self.rig.state != "priming" else 0

    def _check_still(self, true_ms):
        run = self._now.run
        assert not (run and run.count and run.last_us > true_ms * 1000), "a step in a state that may not move"

    def _check_books(self):
        rig = self.rig
        pumped = rig.plant.position()
        booked = rig.booked_usteps()
        assert booked >= pumped, f"{pumped - booked} usteps were made and not booked"
        if not rig.flying():
            most = self._cuts * rig.grant_usteps()
            assert booked - pumped <= most, f"{booked - pumped} usteps were booked and not made"

    def _check_stretch(self, t):
        """Basal of one stretch of infusion, against exact division of its time."""
        start, before = self._stretch
        rx, made = self.model.rx, self._on_account("basal") - before
        per_us = Fraction(rx.basal_ug_per_day * 10**9, US_PER_DAY * rx.concentration_ug_per_ml)
        per_us /= pl_per_ustep(self.rig.syringe)
        span_us = (t - start) * 1000
        least, most = (span_us - self._idle_us) * per_us - 2, (span_us - self._idle_us) * per_us + 1
        assert least < made <= most + 2 * self._hangs, f"{made} usteps of basal in {t - start} ms: {float(most)}"

    def check_windows(self):
        """No rolling window of what was pumped ever held more than its limit, to two usteps."""
        runs = self.rig.plant.runs
        pl = pl_per_ustep(self.rig.syringe)
        meter = Meter([run for run in runs if run.owner], weight=lambda run: run.owner * pl)
        ends = [true_ms for true_ms, _ in self.reigns[1:]] + [self.rig.plant.now_ms + 1]
        for (true_ms, rx), end_ms in zip(self.reigns, ends, strict=True):
            for name, window_ms in WINDOWS_MS.items():
                limit_ng = rx.limit_ng(name)
                if limit_ng is not None:
                    peak = meter.peak(window_ms * 1000, true_ms * 1000, end_ms * 1000)
                    assert peak <= limit_ng * 10**6 + 2 * pl * 25_000, f"{peak} pg * 10^-3 in {name} of {rx}"
