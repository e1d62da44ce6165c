"""The text of the display: eight rows of sixteen characters, see `panel.wording`."""

from pump.base import states
from pump.documents.provisioning import fingerprint
from pump.dosing import limits
from pump.dosing.limits import ACCEPTED, BRIDGE, REASONS
from pump.monitoring.alarms import CODES
from pump.panel.confirmation_pages import ROWS, order_rows
from pump.panel.pending_confirmation import NOTHING, ORDER, PRESCRIPTION, PROVISIONING
from pump.panel.wording import NAMES, ROUTES, WIDTH, dose, flow, span, start_blocked

SITES = {"lumbar": "lumb", "cisternal": "cist", "epidural": "epid"}

NOT_A_DEVICE = "NOT A MED DEVICE"


def _row(text):
    return text + " " * (WIDTH - len(text)) if len(text) < WIDTH else text[:WIDTH]


class Screen:
    """The rows for `pump` (the controller). A row's text is built only when its value has changed.

    `about`: a dict with `board`, `build` and `drivers`, as in the answer to `hello` on the link.
    """

    def __init__(self, pump, about):
        self._pump = pump
        drivers = "%d drivers" % len(about["drivers"])
        self._about = [_row(about["board"]), _row("build " + about["build"]), _row(drivers)]
        self._rows = [_row("")] * 8
        self._values = [None] * 8
        self._kind = NOTHING

    def notice(self):
        """The eight rows shown at power-up."""
        rows = ("Research and", "bench use only.", "Not a medical", "device.")
        return [_row("CISTERNA")] + self._about + [_row(row) for row in rows]

    def rows(self):
        """The eight rows now: the state of the pump, or what START would do while a confirmation is pending."""
        therapy = self._pump.therapy
        kind = therapy.confirmation.kind
        if kind != self._kind:
            self._kind = kind
            self._values = [None] * 8
        self._show(0, therapy.state * 2 + self._is_bench(), self._title)
        if kind == NOTHING:
            self._show_therapy()
        else:
            self._show_confirmation(kind)
        return self._rows

    def _show_therapy(self):
        therapy = self._pump.therapy
        self._show(1, therapy.rx, self._drug)
        if therapy.moving():
            self._show(2, therapy.rx, self._fluid)
            self._show(3, therapy.flow_nl_per_h, flow)
            self._show(4, therapy.ledger.booked_ng() // 100, self._total)
            self._show(5, self._bolus_wait(), self._bolus)
        else:
            self._show_rest()
        self._show(6, self._message(), str)
        self._show(7, NOT_A_DEVICE, str)

    def _show_rest(self):
        """Nothing moves: why START does nothing, and what to do, in rows 4 and 5."""
        therapy = self._pump.therapy
        if therapy.rx is None:
            self._rows[2:5] = self._about
            self._values[2:5] = (None,) * 3
            self._show(5, "load one", str)
            return
        code = self._pump.start_stop.blocked_by()
        why, do = start_blocked(code)
        if code in ("relief", "relief_barred"):
            do = "about %d uL" % (therapy.line.owed_nl // 1000)
        self._show(2, therapy.rx, self._fluid)
        self._show(3, therapy.ledger.booked_ng() // 100, self._total)
        self._show(4, why, str)
        self._show(5, do or self._bolus_wait(), self._bolus)

    def _show_confirmation(self, kind):
        """What START would put into force, in rows 1 to 6; in row 7 what START does. An active alarm takes row 0."""
        pump, confirmation = self._pump, self._pump.therapy.confirmation
        top = pump.therapy.alarms.top()
        if top >= 0:
            self._rows[0] = _row("!" + CODES[top])
            self._values[0] = None
        start = "press START"
        if kind == PROVISIONING:
            rows, start = self._provisioning_rows(pump.document_loading.staged), "hold START"
        elif kind == PRESCRIPTION:
            rows, start = pump.prescription_change.page(confirmation.page), "hold START"
        elif kind == ORDER:
            rows = order_rows(pump.clinician_actions.staged_order, pump.therapy.rx)
        else:
            rows = (
                "FILL THE LINE",
                "%d uL" % (pump.priming.left_nl() // 1000),
                "at 10 mL/h",
                "not connected",
                "to the patient",
            )
        if not confirmation.is_on_last_page():
            start = "START: %d of %d" % (confirmation.page + 2, confirmation.pages)
        for k in range(ROWS):
            self._rows[k + 1] = _row(rows[k] if k < len(rows) else "")
        self._rows[ROWS + 1] = _row(start)

    @staticmethod
    def _provisioning_rows(provisioning):
        serial, authority = provisioning.serial, fingerprint(provisioning.authority)
        return ("PUMP AND OWNER", serial[:WIDTH], serial[WIDTH:], "authority", authority)

    def _show(self, row, value, text):
        if value != self._values[row] or self._values[row] is None:
            self._values[row] = value
            self._rows[row] = _row(text(value))

    def _is_bench(self):
        provisioning = self._pump.trust.provisioning
        return int(provisioning is None or provisioning.bench)

    @staticmethod
    def _title(state_and_bench):
        title = states.NAMES[state_and_bench >> 1].upper()
        return title + " " * (WIDTH - 5 - len(title)) + "BENCH" if state_and_bench & 1 else title

    @staticmethod
    def _drug(rx):
        return NAMES.get(rx.drug, rx.drug) if rx else "no prescription"

    @staticmethod
    def _fluid(rx):
        return "%d mcg/mL %s %s" % (rx.concentration_ug_per_ml, ROUTES[rx.route], SITES[rx.site])

    @staticmethod
    def _total(tenths):
        return "total " + dose(tenths * 100)

    def _bolus_wait(self):
        """Minutes to the next possible bolus, or a text where that does not apply."""
        therapy = self._pump.therapy
        if therapy.rx is None or therapy.rx.bolus_ug == 0:
            return "left %d mL" % (therapy.reservoir.remaining_nl() // 1_000_000)
        if not therapy.infusing():
            return "rx " + therapy.rx.hash8
        when = self._pump.boluses.next_pca()
        if when is limits.NEVER:
            return "no bolus now"
        return (when[0] - therapy.clock.s + 59) // 60

    @staticmethod
    def _bolus(minutes):
        if isinstance(minutes, str):
            return minutes
        return "bolus ready" if minutes <= 0 else "bolus " + span(minutes * 60)

    def _message(self):
        pump, therapy = self._pump, self._pump.therapy
        top = therapy.alarms.top()
        if top >= 0:
            return "!" + CODES[top]
        if pump.inputs.hold:
            return "MONITOR: no bolus"
        refused = pump.front_panel.last_refusal
        if therapy.fluids.in_bridge() and therapy.infusing() and refused in (ACCEPTED, BRIDGE):
            return "old fluid %d uL" % (therapy.fluids.left_nl() // 1000)
        if therapy.infusing():
            return "no: " + REASONS[refused] if refused else ""
        return "press START" if self._pump.start_stop.blocked_by() is None else ""
