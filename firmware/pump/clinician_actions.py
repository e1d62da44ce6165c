"""What a clinician does besides prescribing: orders of a bolus, refills, the wall clock.

Everything is checked before anything changes. An order only waits: START at the pump gives it [decision 11].
"""

from pump.base.refusal import Refused
from pump.base.units import capacity_ul, const
from pump.dosing import limits
from pump.monitoring.alarms import REFILL, RESERVOIR_EMPTY, RESERVOIR_LOW
from pump.panel.pending_confirmation import ORDER
from pump.prescribing import bolus_order
from pump.storage import records

MOST_RETURNED_UL = const(100_000)
OLDEST_CLOCK_S = 1_577_836_800  # 2020-01-01
NEWEST_CLOCK_S = 4_102_444_800  # 2100-01-01
_MOST_OFFSET_S = 0x7FFFFFFF  # a payload word of a record

# A returned volume that is off by more than both may be a pocket fill or a diversion [H17].
RETURNED_TOLERANCE_NL = const(100_000)
RETURNED_TOLERANCE_PERCENT = const(5)


class ClinicianActions:
    """Of one pump. `inputs`: the clamp as it stands. `trust`: the keys that count here."""

    def __init__(self, therapy, inputs, boluses, trust, prescription_change):
        self._therapy = therapy
        self._inputs = inputs
        self._boluses = boluses
        self._trust = trust
        self._prescription_change = prescription_change
        self._order = None
        self._ordered_at = (0, 0)

    @property
    def staged_order(self):
        """The clinician's bolus that waits for START, or None: it waits only while basal runs."""
        therapy = self._therapy
        return self._order if therapy.confirmation.kind == ORDER and therapy.infusing() else None

    def order_bolus_in_pieces(self, document, by, signature_hex):
        """Work in pieces: stages a clinician's bolus. Returns the reason, 0 accepted; then the order waits for START.

        Raises Refused for a document that is not valid. An order that could not be given now returns its reason.
        """
        therapy = self._therapy
        if therapy.confirmation.kind == ORDER:
            therapy.confirmation.drop()  # a new order ends the old one, also if the new one is refused
        self.settle_order()
        therapy.need_display()
        checked = yield from bolus_order.admit_order_in_pieces(
            document, by, signature_hex, self._trust, lambda: (therapy.sequence, therapy.rx)
        )
        therapy.use_sequence(checked.sequence)
        therapy.save()
        self._boluses.check_order(checked.ug, checked.over_s)
        reason = self._boluses.refusal_of_clinician(checked.ug)
        if reason == limits.ACCEPTED:
            self._order, self._ordered_at = checked, therapy.now
            therapy.confirmation.put(ORDER)
        return reason

    def give_order(self):
        """START was pressed: decides on the order that waits, and gives it. Returns the reason, 0 accepted."""
        order, self._order = self.staged_order, None
        self._therapy.confirmation.drop()
        return self._boluses.request_clinician(order.ug, order.over_s, self._ordered_at)

    def settle_order(self):
        """Records an order that waits no more and was not given: stop, alarm, another request, or its time is over."""
        if self._order is not None and self._therapy.confirmation.kind != ORDER:
            order, self._order = self._order, None
            self._boluses.drop_clinician(order.ug, self._ordered_at)

    def refill(self, fill_ul, returned_ul, drug, concentration_ug_per_ml, syringe):
        """A `syringe` with `fill_ul` is in; `returned_ul` came back in the old one, or None. Raises Refused.

        A returned volume that is off by more than max(0.1 mL, 5 % of the expected volume) raises `refill`, and START
        does nothing until the alarm was acknowledged at the pump [H17, RES-08].
        """
        therapy, rx = self._therapy, self._therapy.rx
        if rx is None:
            raise Refused("refill_no_prescription", {"key": "rx", "do": "confirm a prescription first"})
        if therapy.moving() or therapy.motion.in_flight:
            raise Refused("refill_while_infusing", {"key": "state", "do": "stop the pump first"})
        self._check_syringe(drug, concentration_ug_per_ml, syringe)
        if not 0 < fill_ul <= capacity_ul(rx.syringe):
            allowed = "1 to %d uL, what a %s holds" % (capacity_ul(rx.syringe), rx.syringe)
            raise Refused("refill_volume", {"key": "fill_ul", "held": fill_ul, "allowed": allowed})
        if returned_ul is not None and not 0 <= returned_ul <= MOST_RETURNED_UL:
            allowed = "0 to %d uL" % MOST_RETURNED_UL
            raise Refused("refill_returned", {"key": "returned_ul", "held": returned_ul, "allowed": allowed})
        expected_nl = therapy.reservoir.remaining_nl()
        therapy.confirmation.drop()  # a confirmation that waits was meant for the old syringe
        therapy.fluids.named(rx, therapy.primed)
        therapy.reservoir.fill(fill_ul * 1000)
        self._prescription_change.prepare()
        if therapy.fluids.in_bridge():
            self._prescription_change.note_front()
        returned_nl = -1 if returned_ul is None else returned_ul * 1000
        therapy.event_log.note(records.REFILL, (fill_ul * 1000, returned_nl, expected_nl, concentration_ug_per_ml))
        therapy.alarms.condition_gone(RESERVOIR_LOW)
        therapy.alarms.condition_gone(RESERVOIR_EMPTY)
        tolerance_nl = max(RETURNED_TOLERANCE_NL, expected_nl * RETURNED_TOLERANCE_PERCENT // 100)
        therapy.repeat_stops.refilled()
        if returned_ul is not None and abs(returned_nl - expected_nl) > tolerance_nl:
            therapy.alarms.occur(REFILL)
        therapy.save_all()

    def _check_syringe(self, drug, concentration_ug_per_ml, syringe):
        """Raises Refused unless this syringe is prescribed, and was put in through the clamp, if it is another one."""
        therapy, rx = self._therapy, self._therapy.rx
        if self._inputs.syringe.bars_motion():
            raise Refused("refill_clamp", {"key": "clamp", "held": "open", "do": "close it"})
        if syringe != rx.syringe:
            raise Refused("refill_syringe", {"key": "syringe", "held": syringe, "allowed": rx.syringe})
        if (drug, concentration_ug_per_ml) != (rx.drug, rx.concentration_ug_per_ml):
            held = "%s %d ug/mL" % (drug, concentration_ug_per_ml)
            allowed = "%s %d ug/mL" % (rx.drug, rx.concentration_ug_per_ml)
            raise Refused("refill_fluid", {"key": "drug", "held": held, "allowed": allowed})
        if not (therapy.fluids.unnamed or therapy.fluids.as_prescribed):
            held = "closed since the last refill"
            raise Refused("refill_clamp", {"key": "clamp", "held": held, "do": "open it and exchange the syringe"})

    def set_clock(self, utc_s):
        """Sets the wall clock to `utc_s`, Unix seconds: for display and records only [H28]. Raises Refused."""
        therapy = self._therapy
        if not therapy.wall_clock.is_known():
            raise Refused("clock_unknown", {"key": "rtc", "do": "provision the real-time clock"})
        if not OLDEST_CLOCK_S <= utc_s <= NEWEST_CLOCK_S:
            raise Refused("clock_range", {"key": "utc_s", "held": utc_s, "allowed": "2020-01-01 to 2100-01-01"})
        old = therapy.wall_clock.offset_s
        therapy.wall_clock.set(utc_s)
        therapy.save()
        therapy.event_log.note(records.TIME_SET, (_as_word(therapy.wall_clock.offset_s), _as_word(old)))

    def check_word(self):
        """See `base.dose_guard`: the order that waits."""
        order = self._order
        return 0 if order is None else order.ug ^ order.over_s ^ self._ordered_at[0] ^ self._ordered_at[1]


def _as_word(offset_s):
    """The offset as a payload word, limited to what a word holds."""
    return max(-_MOST_OFFSET_S, min(_MOST_OFFSET_S, offset_s))
