"""What comes in from outside: prescriptions, clinician's orders, refills, the wall clock.

Everything is checked before anything changes; a refused document changes nothing [RX-03, decision 11]. Prescriptions
and orders come over the link, but only a finger on the pump's own key makes them count: nothing remote raises a dose.
"""

from binascii import crc32

from pump import limits, order, prescription, records
from pump.alarms import REFILL, RESERVOIR_EMPTY, RESERVOIR_LOW
from pump.journal import RX_BASE
from pump.limits import Limits
from pump.refusal import Refused
from pump.reservoir import EMPTY_NL
from pump.schedule import basal_interval
from pump.units import DAY_S, capacity_ul, const, pl_per_ustep, volume_nl_of_mass
from pump.waiting import ORDER, PRESCRIPTION

RX_SLOT_BYTES = const(0x800)
MOST_RETURNED_UL = const(100_000)
OLDEST_CLOCK_S = 1_577_836_800
NEWEST_CLOCK_S = 4_102_444_800
GRANT_NL = const(1_000)  # given back when the alarm cut the grant in motion
DRUGS = ("test-fluid", "morphine", "hydromorphone")  # numbered in the records

# A refill whose returned volume is off by more than this may be a pocket fill or a diversion [H17].
RETURNED_TOLERANCE_NL = const(1_000_000)
RETURNED_TOLERANCE_PERCENT = const(5)


class Intake:
    """Loads and confirms for one pump. `trust`: whom it believes."""

    def __init__(self, core, boluses, trust):
        self._core = core
        self._boluses = boluses
        self._trust = trust
        self._staged = None
        self._order = None
        self._order_at = (0, 0)

    @property
    def staged(self):
        """The prescription that waits for its confirmation, or None [RX-06]."""
        return self._staged if self._core.waiting.kind == PRESCRIPTION else None

    @property
    def staged_order(self):
        """The clinician's bolus that waits for the start key, or None: it waits only while basal runs."""
        core = self._core
        return self._order if core.waiting.kind == ORDER and core.infusing() else None

    def _stage(self, kind, prescription_=None, order_=None):
        self._staged, self._order = prescription_, order_
        self._order_at = self._core.now
        self._core.waiting.put(kind)

    # -- prescriptions

    def loading(self, document, signatures, override, blocked_by, by):
        """Work in pieces: checks and stages a prescription, and returns it. Raises Refused; then what was staged stays.

        `blocked_by()`: code of what keeps anything from being loaded now (an open door ...), or None. `by`: number of
        the person who loads it.
        """
        diary = self._core.diary
        try:
            self._need_free(blocked_by)
            rx = yield from self._admitting(document, signatures, override)
            self._need_free(blocked_by)
        except Refused as refused:
            diary.note(records.RX_REFUSED, (self._core.sequence, records.word_of(refused.code)))
            raise refused
        self._stage(PRESCRIPTION, prescription_=rx)
        words = (rx.sequence, rx.basal_ug_per_day, rx.bolus_ug, rx.lockout_s, rx.limit_24h_ug)
        diary.note(records.RX_LOAD, words)
        signers = [self._trust.people.number_of(signatures[role]["by"]) for role in ("prescriber", "second")]
        diary.note(records.RX_SIGNED, (rx.sequence, signers[0], signers[1], int(rx.is_overridden), by))
        return rx

    @staticmethod
    def _need_free(blocked_by):
        code = blocked_by()
        if code:
            raise Refused(code, {"key": "pump", "do": "remove the cause at the pump first"})

    def _admitting(self, document, signatures, override):
        core = self._core
        rx = yield from prescription.admitting(
            document, signatures, override, self._trust, lambda: (core.sequence, core.rx)
        )
        if core.reservoir.fill_nl and core.reservoir.remaining_nl() <= EMPTY_NL + GRANT_NL:
            raise Refused("reservoir_empty", {"key": "reservoir", "do": "refill before a prescription is loaded"})
        self._check_history(rx)
        return rx

    def _check_history(self, rx):
        """What was given already, and the rate in force until now, must fit the new limits [scenario: restart]."""
        core = self._core
        s, ms = core.now
        core.history.drop_expired(s, ms)
        factor = self._factor(rx)
        if not core.history.has_room(factor != (1, 1)):
            raise Refused("rx_history_full", {"key": "rx", "do": "wait until older boluses or rates are 24 h past"})
        in_force = core.rx.basal_ug_per_day if core.rx else 0
        reason = Limits(rx, core.history, factor).admits(s, ms, self._boluses.pending(), in_force)
        if reason != limits.ACCEPTED:
            name = limits.REASONS[reason]
            raise Refused(name, {"key": name + "_ug", "do": "boluses given and basal must fit this window"})

    def _factor(self, rx):
        """How past mass is restated in the new drug: mass of the new for mass of the old.

        Once in 24 h: restating what was restated could let past mass shrink.
        """
        old = self._core.rx
        if old is None or old.drug == rx.drug:
            return 1, 1
        if self._core.converted_s and self._core.clock.s - self._core.converted_s < DAY_S:
            raise Refused("rx_drug_changed_lately", {"key": "drug", "do": "wait 24 h after the last change of drug"})
        if old.basal_ug_per_day == 0 and rx.equiv_prev_ug_per_day and self._core.history.is_empty():
            return 1, 1  # nothing was given that could be restated
        if old.basal_ug_per_day == 0 or rx.equiv_prev_ug_per_day == 0:
            raise Refused("rx_no_equivalence", {"key": "equiv_prev_ug_per_day", "allowed": "a daily dose in ug"})
        return rx.equiv_prev_ug_per_day, old.basal_ug_per_day

    def recheck(self):
        """The staged prescription once more at the moment of its confirmation [LIB-06]. Raises Refused."""
        if self.staged.sequence <= self._core.sequence:
            raise Refused("rx_sequence", {"key": "sequence", "held": self.staged.sequence, "do": "sign it anew"})
        if not prescription.is_as_signed(self.staged):
            raise Refused("rx_changed", {"key": "prescription", "do": "load it again"})
        self._check_history(self.staged)

    def adopt(self):
        """The staged prescription is confirmed: it replaces the old one. Nothing moves and no bolus runs now."""
        core, rx = self._core, self.staged
        core.waiting.drop()
        s, ms = core.now
        factor = self._factor(rx)
        if core.rx and (core.rx.basal_ug_per_day != rx.basal_ug_per_day or factor != (1, 1)):
            core.history.rate_replaced(s, ms, core.rx.basal_ug_per_day)
        if factor != (1, 1):
            core.history.convert(factor[0], factor[1])
            core.converted_s = max(1, s)
        core.ledger.set_fluid(pl_per_ustep(rx.syringe), rx.concentration_ug_per_ml)
        if core.reservoir.fill_nl == 0:
            core.reservoir.fill(rx.fill_ul * 1000)
        core.rx_slot ^= 1
        core.rx_crc = crc32(rx.document)
        core.nv.write(RX_BASE + core.rx_slot * RX_SLOT_BYTES, rx.document)
        core.rx = rx
        core.sequence = rx.sequence
        core.started = False
        core.needs_rx = False
        core.lockouts.prescribed(rx.lockout_s)
        core.diary.rx_hash = rx.rx_hash
        self.prepare()
        core.save_all()
        drug = DRUGS.index(rx.drug) if rx.drug in DRUGS else -1
        words = (rx.sequence, drug, rx.concentration_ug_per_ml, rx.basal_ug_per_day, rx.bolus_ug, rx.lockout_s)
        core.diary.note(records.RX_CONFIRM, words + (rx.limit_24h_ug,))

    def prepare(self):
        """Derives what the delivery needs from the prescription in force; frozen until the next one."""
        core, rx = self._core, self._core.rx
        core.adopt_limits()
        self._boluses.changed()
        core.motion.schedule.configure(core.ledger.pl_step)
        self.basal = None
        if rx.basal_ug_per_day:
            self.basal = basal_interval(rx.basal_ug_per_day, rx.concentration_ug_per_ml, core.ledger.pl_step)
        self.watch_reservoir()

    def watch_reservoir(self):
        """Sets the marks of the reservoir for the prescription in force."""
        core, rx = self._core, self._core.rx
        bolus_nl = volume_nl_of_mass(rx.bolus_ug, rx.concentration_ug_per_ml)
        core.reservoir.watch(bolus_nl, rx.flow_nl_per_h)

    # -- orders, refills, clock

    def ordering(self, document, by, signature_hex):
        """Work in pieces: a clinician's bolus. Returns the reason, 0 accepted; then it waits for the start key.

        Raises Refused for a bad order. One that could not be given now is refused now, with its reason.
        """
        core = self._core
        if core.waiting.kind == ORDER:
            core.waiting.drop()  # whatever comes of this one, the last is not to be given any more
        checked = yield from order.admitting_order(
            document, by, signature_hex, self._trust, lambda: (core.sequence, core.rx)
        )
        core.sequence = checked.sequence
        core.save()
        reason = self._boluses.refusal_of_clinician(checked.ug)
        if reason == limits.ACCEPTED:
            self._stage(ORDER, order_=checked)
        return reason

    def give_order(self):
        """The start key was pressed: the order that waits is decided on, and given. Returns the reason, 0 accepted."""
        given = self.staged_order
        self._core.waiting.drop()
        return self._boluses.request_clinician(given.ug, given.over_s, self._order_at)

    def refill(self, fill_ul, returned_ul, drug, concentration_ug_per_ml):
        """Another syringe is in. Raises Refused, and then nothing changed.

        A returned volume that is off by more than max(1 mL, 5 %) raises `refill`, and only a new prescription
        leads back to infusion [H17].
        """
        core, rx = self._core, self._core.rx
        if rx is None:
            raise Refused("refill_no_prescription", {"key": "rx", "do": "confirm a prescription first"})
        if core.moving() or core.motion.flying:
            raise Refused("refill_while_infusing", {"key": "state", "do": "stop the pump first"})
        if not 0 < fill_ul <= capacity_ul(rx.syringe):
            allowed = "1 to %d uL, what a %s holds" % (capacity_ul(rx.syringe), rx.syringe)
            raise Refused("refill_volume", {"key": "fill_ul", "held": fill_ul, "allowed": allowed})
        if (drug, concentration_ug_per_ml) != (rx.drug, rx.concentration_ug_per_ml):
            held = "%s %d ug/mL" % (drug, concentration_ug_per_ml)
            allowed = "%s %d ug/mL" % (rx.drug, rx.concentration_ug_per_ml)
            raise Refused("refill_fluid", {"key": "drug", "held": held, "allowed": allowed})
        if returned_ul is not None and not 0 <= returned_ul <= MOST_RETURNED_UL:
            allowed = "0 to %d uL" % MOST_RETURNED_UL
            raise Refused("refill_returned", {"key": "returned_ul", "held": returned_ul, "allowed": allowed})
        expected_nl = core.reservoir.remaining_nl()
        core.waiting.drop()  # it was meant for the syringe that was in
        core.reservoir.fill(fill_ul * 1000)
        self.watch_reservoir()
        returned_nl = -1 if returned_ul is None else returned_ul * 1000
        core.diary.note(records.REFILL, (fill_ul * 1000, returned_nl, expected_nl, concentration_ug_per_ml))
        core.alarms.condition_gone(RESERVOIR_LOW)
        core.alarms.condition_gone(RESERVOIR_EMPTY)
        tolerance_nl = max(RETURNED_TOLERANCE_NL, expected_nl * RETURNED_TOLERANCE_PERCENT // 100)
        if returned_ul is not None and abs(returned_nl - expected_nl) > tolerance_nl:
            core.needs_rx = True
            core.alarms.occur(REFILL)
        core.save_all()

    def set_clock(self, utc_s):
        """Somebody sets the wall clock: an offset, for display and records; therapy time does not know it [H28]."""
        core = self._core
        if core.diary.wall_offset_s is None:
            raise Refused("clock_unknown", {"key": "rtc", "do": "provision the real-time clock"})
        if not OLDEST_CLOCK_S <= utc_s <= NEWEST_CLOCK_S:
            raise Refused("clock_range", {"key": "utc_s", "held": utc_s, "allowed": "2020-01-01 to 2100-01-01"})
        old = core.clock_offset_s
        core.clock_offset_s = old + utc_s - core.diary.wall_s()
        core.diary.wall_offset_s += core.clock_offset_s - old
        core.save()
        limit = 0x7FFFFFFF
        words = (max(-limit, min(limit, core.clock_offset_s)), max(-limit, min(limit, old)))
        core.diary.note(records.TIME_SET, words)
