"""What the display says: eight rows of sixteen characters.

Plain words, in the style of the ISMP: mcg and not a Greek letter, a leading zero, no trailing one [H01].
"""

from pump import limits
from pump.alarms import CODES
from pump.core import STATES, STOPPED
from pump.limits import REASONS
from pump.provisioning import fingerprint
from pump.units import const
from pump.waiting import NOTHING, ORDER, PRESCRIPTION, PROVISIONING

WIDTH = const(16)

NAMES = {"morphine": "MORPHINE", "hydromorphone": "HYDROmorphone", "test-fluid": "TEST FLUID"}
ROUTES = {"intrathecal": "IT", "epidural": "EPI"}
SITES = {"lumbar": "lumb", "cisternal": "cist", "epidural": "epid"}

NOT_A_DEVICE = "NOT A MED DEVICE"


def _row(text):
    return text + " " * (WIDTH - len(text)) if len(text) < WIDTH else text[:WIDTH]


def dose(ng):
    """A mass in ng as mcg with at most one decimal: "0.4 mcg", "140 mcg"."""
    tenths = ng // 100
    if tenths % 10 == 0 or tenths >= 10_000:
        return "%d mcg" % (tenths // 10)
    return "%d.%d mcg" % (tenths // 10, tenths % 10)


def flow(nl_per_h):
    """A flow as mL/h with three decimals."""
    return "%d.%03d mL/h" % (nl_per_h // 1_000_000, nl_per_h // 1000 % 1000)


def span(seconds):
    """A time to wait, rounded up to minutes: "1 h 05 min", "7 min"."""
    minutes = (seconds + 59) // 60
    if minutes >= 60:
        return "%d h %02d min" % (minutes // 60, minutes % 60)
    return "%d min" % minutes


class Screen:
    """Rows of one pump. A row is written anew only when what it shows has changed.

    `about`: what `hello` on the link says of board, build and drivers.
    """

    def __init__(self, pump, about):
        self._pump = pump
        drivers = "%d drivers" % len(about["drivers"])
        self._about = [_row(about["board"]), _row("build " + about["build"]), _row(drivers)]
        self._rows = [_row("")] * 8
        self._shown = [None] * 8
        self._kind = NOTHING

    def notice(self):
        """What is shown at power-up."""
        rows = ("Research and", "bench use only.", "Not a medical", "device.")
        return [_row("CISTERNA")] + self._about + [_row(row) for row in rows]

    def rows(self):
        """The eight rows now: what the pump does, or, while something waits for the start key, what that will do."""
        core = self._pump.core
        kind = core.waiting.kind
        if kind != self._kind:
            self._kind = kind
            self._shown = [None] * 8
        self._show(0, core.state * 2 + self._is_bench(), self._title)
        if kind == NOTHING:
            self._show_therapy()
        else:
            self._show_question(kind)
        return self._rows

    def _show_therapy(self):
        core = self._pump.core
        self._show(1, core.rx, self._drug)
        if core.rx is None:
            self._rows[2:5] = self._about
        else:
            self._show(2, core.rx, self._fluid)
            self._show(3, core.flow_nl_per_h, flow)
            self._show(4, core.ledger.booked_ng() // 100, self._total)
        self._show(5, self._bolus_minutes(), self._bolus)
        self._show(6, self._message(), str)
        self._show(7, NOT_A_DEVICE, str)

    def _show_question(self, kind):
        """All that a finger on START makes true, in rows 1 to 7; an alarm that stands has the first row."""
        pump = self._pump
        top = pump.core.alarms.top()
        if top >= 0:
            self._rows[0] = _row("!" + CODES[top])
            self._shown[0] = None
        if kind == PROVISIONING:
            rows = self._of_provisioning(pump.enrolment.staged)
        elif kind == PRESCRIPTION:
            rows = self._of_prescription(pump.intake.staged)
        elif kind == ORDER:
            rows = self._of_order(pump.intake.staged_order)
        else:
            volume = "%d uL" % (pump.priming.left_nl() // 1000)
            rows = ("FILL THE LINE", volume, "at 10 mL/h", "not connected", "to the patient", "", "press START")
        for k in range(7):
            self._rows[k + 1] = _row(rows[k])

    @staticmethod
    def _of_provisioning(known):
        first, rest, authority = known.serial[:WIDTH], known.serial[WIDTH:], fingerprint(known.authority)
        return ("PUMP AND OWNER", first, rest, "authority", authority, "", "hold START")

    @staticmethod
    def _of_prescription(rx):
        bolus = "no bolus"
        if rx.bolus_ug:
            bolus = "%d mcg / %d min" % (rx.bolus_ug, -(-rx.lockout_s // 60))
        most = "24h %d mcg" % rx.limit_24h_ug if rx.limit_24h_ug else "24h no limit"
        if rx.soft_limits:
            most = "!" + rx.soft_limits[0]
        return (
            NAMES.get(rx.drug, rx.drug), "%d mcg/mL" % rx.concentration_ug_per_ml, ROUTES[rx.route] + " " + rx.site,
            "%d mcg/day" % rx.basal_ug_per_day, bolus, most, "hold START " + rx.hash8[:4],
        )  # fmt: skip

    @staticmethod
    def _of_order(order):
        if order is None:
            return ("",) * 7
        return ("CLINICIAN BOLUS", dose(order.ug * 1000), "over " + span(order.over_s), "", "", "", "press START")

    def _show(self, row, value, text):
        if value != self._shown[row] or self._shown[row] is None:
            self._shown[row] = value
            self._rows[row] = _row(text(value))

    def _is_bench(self):
        known = self._pump.trust.provisioning
        return int(known is None or known.bench)

    @staticmethod
    def _title(state_and_bench):
        title = STATES[state_and_bench >> 1].upper()
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

    def _bolus_minutes(self):
        """Minutes to the next possible bolus, or what else the row says."""
        core = self._pump.core
        if core.rx is None or core.rx.bolus_ug == 0:
            return "left %d mL" % (core.reservoir.remaining_nl() // 1_000_000)
        if not core.infusing():
            return "rx " + core.rx.hash8
        when = self._pump.boluses.next_pca()
        if when is limits.NEVER:
            return "no bolus now"
        return (when[0] - core.clock.s + 59) // 60

    @staticmethod
    def _bolus(minutes):
        if isinstance(minutes, str):
            return minutes
        return "bolus ready" if minutes <= 0 else "bolus " + span(minutes * 60)

    def _message(self):
        pump, core = self._pump, self._pump.core
        top = core.alarms.top()
        if top >= 0:
            return "!" + CODES[top]
        if core.infusing():
            return "no: " + REASONS[pump.last_refusal] if pump.last_refusal else ""
        if core.state != STOPPED or core.rx is None or core.needs_rx:
            return ""
        return "press START" if core.primed else "line not filled"
