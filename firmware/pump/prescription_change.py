"""A changed prescription: loaded over the link, staged, and put in force by a press of START held at the pump.

Everything is checked before anything changes; a refused document changes nothing [RX-03, decision 11].
"""

from pump.base.refusal import Refused
from pump.base.units import DAY_S, const, volume_nl_of_mass
from pump.delivery.reservoir import EMPTY_NL
from pump.delivery.schedule import BASAL, basal_interval
from pump.dosing import limits
from pump.dosing.limits import Limits
from pump.panel.confirmation_pages import prescription_pages
from pump.panel.pending_confirmation import PRESCRIPTION
from pump.prescribing import prescription, rx_rules
from pump.storage import records

GRANT_NL = const(1_000)  # given back when an alarm cuts the grant in flight
DRUGS = ("test-fluid", "morphine", "hydromorphone")  # numbered in the records


class PrescriptionChange:
    """Of one pump. `trust`: the keys and the drug library that count here.

    basal  the schedule interval of basal under the prescription in force; None: no basal
    """

    def __init__(self, therapy, boluses, trust):
        self._therapy = therapy
        self._boluses = boluses
        self._trust = trust
        self._staged = None
        self.basal = None

    @property
    def staged(self):
        """The prescription that waits for its confirmation, or None [RX-06]."""
        return self._staged if self._therapy.confirmation.kind == PRESCRIPTION else None

    def page(self, number):
        """Rows of page `number`, from 0, of the staged prescription, for the display."""
        return prescription_pages(self.staged, self._therapy.rx)[number]

    def load_prescription_in_pieces(self, document, signatures, override, blocked_by, by):
        """Work in pieces: checks and stages a prescription, and returns it. Raises Refused; a staged one then stays.

        `blocked_by()`: code of what forbids loading now (an open door ...), or None. `by`: 1-based index of the person
        who loads it.
        """
        event_log = self._therapy.event_log
        try:
            self._need_free(blocked_by)
            rx = yield from self._admit_in_pieces(document, signatures, override)
            self._need_free(blocked_by)
        except Refused as refused:
            event_log.note(records.RX_REFUSED, (self._therapy.sequence, records.word_of(refused.code)))
            raise refused
        self._staged = rx
        self._therapy.confirmation.put(PRESCRIPTION, len(prescription_pages(rx, self._therapy.rx)))
        words = (rx.sequence, rx.basal_ug_per_day, rx.bolus_ug, rx.lockout_s, rx.limit_24h_ug)
        event_log.note(records.RX_LOAD, words)
        signers = [self._trust.people.number_of(signatures[role]["by"]) for role in ("prescriber", "second")]
        event_log.note(records.RX_SIGNED, (rx.sequence, signers[0], signers[1], int(rx.is_overridden), by))
        return rx

    @staticmethod
    def _need_free(blocked_by):
        code = blocked_by()
        if code:
            raise Refused(code, {"key": "pump", "do": "remove the cause at the pump first"})

    def _admit_in_pieces(self, document, signatures, override):
        therapy = self._therapy
        rx = yield from prescription.admit_in_pieces(
            document, signatures, override, self._trust, lambda: (therapy.sequence, therapy.rx)
        )
        if therapy.reservoir.fill_nl and therapy.reservoir.remaining_nl() <= EMPTY_NL + GRANT_NL:
            raise Refused("reservoir_empty", {"key": "reservoir", "do": "refill before a prescription is loaded"})
        self._check_line(rx)
        self._check_history(rx)
        return rx

    def _check_line(self, rx):
        """Raises Refused unless the pump can dose what the line holds until the fluid of `rx` has come to the tip."""
        therapy = self._therapy
        fluids = therapy.fluids
        if not (therapy.primed and fluids.drug):
            return
        if fluids.in_bridge() and not fluids.is_of(rx):
            raise Refused("bridge", {"key": "line", "held": "two fluids", "do": "wait until the old one has left it"})
        line_basal, equivalence = fluids.line_basal_ug_per_day, fluids.equivalence
        if therapy.rx and therapy.rx.drug != rx.drug:
            line_basal = therapy.rx.basal_ug_per_day
            equivalence = self._factor(rx) if line_basal else (0, 1)
        for basal, ug_per_ml in fluids.phases(rx, line_basal, equivalence):
            rx_rules.check_tip(rx, basal, ug_per_ml)

    def _check_history(self, rx):
        """Raises Refused unless past boluses and the rate in force until now fit the limits of `rx`."""
        therapy = self._therapy
        s, ms = therapy.now
        therapy.history.drop_expired(s, ms)
        factor = self._factor(rx)
        if not therapy.history.has_room(factor != (1, 1)):
            raise Refused("rx_history_full", {"key": "rx", "do": "wait until older boluses or rates are 24 h past"})
        in_force = therapy.rx.basal_ug_per_day if therapy.rx else 0
        reason = Limits(rx, therapy.history, factor).refusal_of_prescription(s, ms, self._boluses.pending(), in_force)
        if reason != limits.ACCEPTED:
            name = limits.REASONS[reason]
            raise Refused(name, {"key": name + "_ug", "do": "boluses given and basal must fit this window"})

    def _factor(self, rx):
        """Past mass in the drug of `rx`, as (mass of the new drug, mass of the old drug). Raises Refused.

        Only once in 24 h: a second conversion of the same past mass could shrink it.
        """
        old = self._therapy.rx
        if old is None or old.drug == rx.drug:
            return 1, 1
        if self._therapy.converted_s and self._therapy.clock.s - self._therapy.converted_s < DAY_S:
            raise Refused("rx_drug_changed_lately", {"key": "drug", "do": "wait 24 h after the last change of drug"})
        if old.basal_ug_per_day == 0 and rx.equiv_prev_ug_per_day and self._therapy.history.is_empty():
            return 1, 1  # there is no past mass
        if old.basal_ug_per_day == 0 or rx.equiv_prev_ug_per_day == 0:
            raise Refused("rx_no_equivalence", {"key": "equiv_prev_ug_per_day", "allowed": "a daily dose in ug"})
        return rx.equiv_prev_ug_per_day, old.basal_ug_per_day

    def recheck(self):
        """Checks the staged prescription again at the moment of its confirmation [LIB-06]. Raises Refused."""
        if self.staged.sequence <= self._therapy.sequence:
            raise Refused(
                "rx_sequence", {"key": "sequence", "held": self.staged.sequence, "do": "sign it with a higher one"}
            )
        if not prescription.is_as_signed(self.staged):
            raise Refused("rx_changed", {"key": "prescription", "do": "load it again"})
        self._check_line(self.staged)
        self._check_history(self.staged)

    def adopt(self):
        """Puts the staged prescription in force. Nothing moves and no bolus runs now."""
        therapy, rx = self._therapy, self.staged
        therapy.confirmation.drop()
        s, ms = therapy.now
        factor = self._factor(rx)
        if therapy.rx and (therapy.rx.basal_ug_per_day != rx.basal_ug_per_day or factor != (1, 1)):
            therapy.history.rate_replaced(s, ms, therapy.rx.basal_ug_per_day)
        if factor != (1, 1):
            therapy.history.convert(factor[0], factor[1])
            therapy.history_converted(s)
        if therapy.rx and therapy.rx.drug != rx.drug:
            therapy.fluids.drug_changed(rx, therapy.rx, factor)
        if therapy.reservoir.fill_nl == 0:  # the first prescription of this pump names its first syringe
            therapy.fluids.named(rx, False)
            therapy.reservoir.fill(rx.fill_ul * 1000)
        therapy.confirm(rx)
        self.prepare()
        therapy.save_all()
        drug = DRUGS.index(rx.drug) if rx.drug in DRUGS else -1
        words = (rx.sequence, drug, rx.concentration_ug_per_ml, rx.basal_ug_per_day, rx.bolus_ug, rx.lockout_s)
        therapy.event_log.note(records.RX_CONFIRM, words + (rx.limit_24h_ug,))

    def prepare(self):
        """Derives the parameters of delivery from the prescription in force; they stay until the next one."""
        therapy, rx = self._therapy, self._therapy.rx
        therapy.adopt_limits()
        therapy.fluids.settle(rx, therapy.primed)
        self._boluses.forget_next_possible()
        therapy.motion.schedule.configure(therapy.ledger.pl_step)
        self.basal = None
        basal = therapy.fluids.tip_basal_ug_per_day
        if basal:
            ledger = therapy.ledger
            self.basal = basal_interval(basal, ledger.concentration_ug_per_ml, ledger.pl_step)
        self.set_reservoir_thresholds()

    def pass_front(self):
        """The front of the new fluid has come to a mark in the line: doses by what is at the tip from now on.

        Nothing may be in flight. A bolus that runs keeps its mass per second.
        """
        therapy = self._therapy
        was, basal = therapy.ledger.concentration_ug_per_ml, therapy.fluids.tip_basal_ug_per_day
        therapy.motion.halt(therapy.clock.s, therapy.clock.ms)
        self.prepare()
        is_changed = therapy.ledger.concentration_ug_per_ml != was
        if is_changed or therapy.fluids.tip_basal_ug_per_day != basal:
            if self.basal:
                therapy.motion.schedule.start(BASAL, self.basal)
            else:
                therapy.motion.schedule.stop(BASAL)
        if is_changed:
            self._boluses.pass_front(was)
        therapy.update_flow()
        self.note_front()
        therapy.save_all()

    def note_front(self):
        """Writes the record of what is at the tip."""
        therapy = self._therapy
        strength = therapy.ledger.concentration_ug_per_ml
        words = (therapy.fluids.left_nl(), strength, therapy.fluids.tip_basal_ug_per_day)
        therapy.event_log.note(records.FRONT, words)

    def set_reservoir_thresholds(self):
        """Sets the volumes at which the reservoir is low or empty, for the prescription in force."""
        therapy, rx = self._therapy, self._therapy.rx
        weakest = therapy.fluids.weakest_ug_per_ml(rx)
        flow = max(rx.flow_nl_per_h, therapy.fluids.flow_nl_per_h())
        therapy.reservoir.set_thresholds(volume_nl_of_mass(rx.bolus_ug, weakest), flow)

    def check_word(self):
        """See `base.dose_guard`."""
        return 0 if self.basal is None else self.basal.check_word()
