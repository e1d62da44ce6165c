"""Checks each record of the pump against the reference model: every decision must equal the model's.

The model is given the events (start, end, stop) and asked for its decision. The checker also keeps books in true time
from the steps of the motor alone: no window over its limit, no bolus inside a lockout, no step unbooked, none made
twice, none in a state that may not move.
"""

from fractions import Fraction

from pump.base.units import pl_per_ustep

from support.therapy.ideal_plant import Meter
from support.therapy.reference_model import REASONS_OF_TIME, WINDOWS_MS, ReferenceModel
from support.therapy.therapy_rig import ACCOUNTS, NO_TIME, action_name, bolus_kind, reason_name, state_name

INFUSING = ("infusing", "bolus")
MOVING = (*INFUSING, "priming")
LATE_MS = 12  # a bolus ends when its last step is made; the floor of the step period may delay that
NEAR_NL = 5_000  # what is granted ahead may be booked or not at the instant of a decision
US_PER_DAY = 86_400_000_000


PROVEN_OFF_MS = 4 * 3_600_000  # of time off, by the RTC alone


class RecordChecker:
    """Checks a rig from before its first prescription."""

    def __init__(self, rig):
        self.rig = rig
        self.model = ReferenceModel()
        self.loaded = None  # the prescription loaded last, not yet confirmed
        self.next_possible = None  # (kind, ng, pump's ms) of the last next-possible time; None once something happened
        self.accepted = 0
        self.refused = {}  # reason -> how often
        self.last_reason = None
        self.queue = None  # a `FluidQueue`: what the line holds
        self._fronts = 0  # records of another fluid at the tip
        self.in_force = []  # (true ms, prescription)
        self._ended = []  # arguments of `_check_next` for ends that are not checked yet
        self._locks = []  # [kind, true ms of the end, longest lockout since in ms]
        self._was_time_proven = True  # the RTC was proven at the last power-up
        self._usteps = {}  # kind -> (usteps promised, usteps on the account before)
        self._state = "self_test"
        self._stretch = None  # (pump's ms, usteps of basal) when infusion began
        self._cuts = 0
        self._late_ms = {}  # kind -> ms that a delayed bolus may end late
        self._idle_us = self._hangs = 0  # of this infusion: us without motion while the processor hung
        self._read = 0
        self._now = None  # the entry being checked
        rig.plant.on_grant = self._granted
        rig.after_wake = self.check_new_records

    # --- records

    def check_new_records(self):
        """Check every new record, and the books."""
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
        self.in_force.append((true_ms, self.loaded))
        for lock in self._locks:
            lock[2] = max(lock[2], 1000 * self.loaded.lockout_s)
        self.next_possible = None

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
            self.next_possible = None

    def _on_press(self, t, true_ms, contact_s, contact_ms, demand, **_):
        assert self.model.pressed(contact_s * 1000 + contact_ms) == bool(demand)

    def _on_pca_decision(self, t, true_ms, contact_s, contact_ms, reason, next_s, next_ms, **_):
        contact = contact_s * 1000 + contact_ms
        self._decided("pca", self.model.rx.bolus_ug * 1000, contact, t, reason, next_s, next_ms)

    def _on_clinician_decision(self, t, true_ms, request_s, request_ms, reason, next_s, next_ms, **_):
        ordered_ng = self.rig.orders_ng[request_s * 1000 + request_ms]
        self._decided("clinician", ordered_ng, t, t, reason, next_s, next_ms)

    def _decided(self, kind, ng, at, t, reason, next_s, next_ms):
        """A request at `at` was decided at `t`, both in the pump's ms."""
        reason = reason_name(reason)
        for bolus in self.model.running(t):
            bolus.booked_ng = self._ng_of(self._on_account(bolus.kind) - self._usteps[bolus.kind][1])
        possible = set()
        for bridged in self.queue.may_be_bridged() if self.queue else (False,):
            self.model.bridged = bridged
            possible |= {self.model.refusal(at, kind, ng, remaining) for remaining in self._remaining()}
        if any(b.end is not None and b.end > at for b in self.model.boluses):
            possible.add(self.model.refusal(t, kind, ng))  # it ended during the press
        # An order dropped without START, or replaced by another order, is one that the rules allow.
        of_rules = None if kind == "clinician" and reason == "not_confirmed" else reason
        assert of_rules in possible, f"{kind}: {reason}, the model says {possible}"
        self.last_reason = reason
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.model.bridged = False
        if reason == "bridge":
            self.next_possible = None  # the end of the bridge depends on the flow: the tests of a rotation check it
        elif reason is not None:
            # Decided at the contact, and again at the release for what happened between.
            self._check_next(kind, ng, (at, t), next_s, next_ms, reason in REASONS_OF_TIME)

    def _on_bolus_start(self, t, true_ms, kind, request_s, request_ms, usteps, mass_ng, duration_ms, **_):
        kind, rx = bolus_kind(kind), self.model.rx
        request = request_s * 1000 + request_ms
        prescribed_ng = rx.bolus_ug * 1000 if kind == "pca" else self.rig.orders_ng[request]
        exact = Fraction(prescribed_ng * 10**6, self._at_tip() * pl_per_ustep(self.rig.syringe))
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
        self._fronts = 0
        self.accepted += 1
        self.next_possible = None

    def _on_bolus_end(self, t, true_ms, kind, interrupted, usteps, mass_ng, next_s, next_ms, **_):
        kind = bolus_kind(kind)
        (bolus,) = (b for b in self.model.boluses if b.end is None and b.kind == kind)
        promised, before = self._usteps.pop(kind)
        assert self._on_account(kind) - before == usteps
        if interrupted:
            assert usteps <= promised or self._fronts
            assert self._ng_of(usteps) <= mass_ng <= bolus.prescribed_ng or self._fronts
            self.model.interrupted(bolus, t, mass_ng)
        else:
            assert usteps == promised or self._fronts
            assert bolus.planned_end <= t <= bolus.planned_end + self._late_ms.pop(kind, LATE_MS)
            self.model.delivered(bolus, t)
            for long in self.model.running(t, "clinician"):
                long.planned_end += t - bolus.planned_end
        self._locks.append([kind, true_ms, 1000 * self.model.rx.lockout_s])
        ng = self.model.rx.bolus_ug * 1000 if kind == "pca" else bolus.prescribed_ng
        self._ended.append((kind, ng, (t,), next_s, next_ms, True))
        if interrupted and self.model.running(t, "clinician"):
            return  # the same interruption ends it too, with the next record; only then is it known what runs
        while self._ended:
            self._check_next(*self._ended.pop(0))

    def _on_front(self, t, true_ms, **_):
        """Another fluid is in the line, or at the tip: mass is no longer usteps times one strength."""
        self._fronts += 1
        self._stretch = None
        self.next_possible = None

    def _at_tip(self):
        """Strength at the tip as the pump has it, ug/mL; `FluidQueue` says what really leaves it."""
        return self.rig.pump.therapy.ledger.concentration_ug_per_ml

    def _on_alarm_on(self, t, true_ms, alarm, action, **_):
        self.model.alarms[alarm] = action_name(action)

    def _on_alarm_off(self, t, true_ms, alarm, **_):
        self.model.alarms.pop(alarm, None)

    def _check_next(self, kind, ng, moments, next_s, next_ms, named):
        told = None if next_s == NO_TIME else next_s * 1000 + next_ms
        wanted = {self.model.next_possible(t, kind, ng) if named else None for t in moments}
        assert told in wanted, f"next {kind} at {told}, the model says {wanted}, at {moments}"
        self.next_possible = None if told is None else (kind, ng, told)

    def _remaining(self):
        """Volumes left as the pump has it, nL: exact, and 5 uL (granted ahead) to either side."""
        remaining_nl = self.rig.remaining_nl()
        return (remaining_nl - NEAR_NL, remaining_nl, remaining_nl + NEAR_NL)

    def _on_account(self, kind):
        """Usteps of "basal", "pca" or "clinician" that the ledger held when the present entry was written."""
        return self._now.usteps[ACCOUNTS[kind]]

    def _ng_of(self, usteps):
        """Exact mass, ng, of usteps at the strength at the tip."""
        return Fraction(usteps * pl_per_ustep(self.rig.syringe) * self._at_tip(), 10**6)

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
        # After a power-up without RTC time, time off cannot be proven at the next cut.
        counts, self._was_time_proven = proven and self._was_time_proven, proven
        counts = counts and off_ms <= PROVEN_OFF_MS
        if counts:
            assert back_ms >= cut_mono_ms + off_ms - 3000, "time off that is proven does not count"
        lockout_ms = 1000 * self.model.rx.lockout_s
        for bolus in running:
            end_ms = rig.reported_end_ms(bolus.kind)
            assert end_ms <= back_ms
            assert back_ms - end_ms <= off_ms, f"ended {back_ms - end_ms - off_ms} ms before the cut"
            self.model.cut(bolus, end_ms)
            self._locks.append([bolus.kind, cut_true_ms, lockout_ms])
        self._usteps.clear()
        self.model.stopped(back_ms)
        self.model.presses.clear()  # the last one is forgotten; stopped, it could have given nothing
        self._state, self._stretch, self.next_possible = "stopped", None, None
        self._cuts += 1
        self.check_new_records()

    # --- a processor that hangs

    def hang(self, ms):
        """Stop the main loop for `ms`: the motion of that time is dropped, except one step."""
        rig = self.rig
        landing_us = rig.plant.runs[-1].last_us if rig.in_flight() else rig.plant.now_us
        rig.plant.now_us += 1000 * ms
        idle_us = max(0, min(1000 * ms, rig.plant.now_us - landing_us))
        for bolus in self.model.running(rig.mono_ms()):
            self._late_ms[bolus.kind] = self._late_ms.get(bolus.kind, LATE_MS) + idle_us // 1000 + 1
        self._idle_us += idle_us
        self._hangs += 1
        self.next_possible = None
        rig.wake()

    # --- true books

    def _granted(self, run):
        assert self.rig.state in MOVING, f"a grant in state {self.rig.state}"
        assert run.sign == 1
        run.owner = self._at_tip() if self.rig.state != "priming" else 0

    def _check_still(self, true_ms):
        run = self._now.run
        assert not (run and run.count and run.last_us > true_ms * 1000), "a step in a state that may not move"

    def _check_books(self):
        rig = self.rig
        pumped = rig.plant.position()
        booked = rig.booked_usteps()
        assert booked >= pumped, f"{pumped - booked} usteps were made and not booked"
        if not rig.in_flight():
            most = self._cuts * rig.grant_usteps()
            assert booked - pumped <= most, f"{booked - pumped} usteps were booked and not made"

    def _check_stretch(self, t):
        """Check the basal of one stretch of infusion against exact division of its time."""
        if self._stretch is None or self.rig.pump.therapy.fluids.in_bridge():
            return
        start, before = self._stretch
        rx, made = self.model.rx, self._on_account("basal") - before
        per_us = Fraction(rx.basal_ug_per_day * 10**9, US_PER_DAY * rx.concentration_ug_per_ml)
        per_us /= pl_per_ustep(self.rig.syringe)
        span_us = (t - start) * 1000
        least, most = (span_us - self._idle_us) * per_us - 2, (span_us - self._idle_us) * per_us + 1
        assert least < made <= most + 2 * self._hangs, f"{made} usteps of basal in {t - start} ms: {float(most)}"

    def check_windows(self):
        """Check that no rolling window of pumped mass exceeded its limit by more than two usteps."""
        runs = self.rig.plant.runs
        pl = pl_per_ustep(self.rig.syringe)
        meter = Meter([run for run in runs if run.owner], weight=lambda run: run.owner * pl)
        ends = [true_ms for true_ms, _ in self.in_force[1:]] + [self.rig.plant.now_ms + 1]
        for (true_ms, rx), end_ms in zip(self.in_force, ends, strict=True):
            for name, window_ms in WINDOWS_MS.items():
                limit_ng = rx.limit_ng(name)
                if limit_ng is not None:
                    peak = meter.peak(window_ms * 1000, true_ms * 1000, end_ms * 1000)
                    assert peak <= limit_ng * 10**6 + 2 * pl * 25_000, f"{peak} pg * 10^-3 in {name} of {rx}"
