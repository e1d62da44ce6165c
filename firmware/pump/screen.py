"""What the display says: eight rows of sixteen characters.

Plain words, in the style of the ISMP: mcg and not a Greek letter, a leading zero, no trailing one [H01].
"""

from pump import limits
from pump.alarms import CODES
from pump.core import STATES, STOPPED
from pump.limits import REASONS
from pump.units import const

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
        self._rows[7] = _row(NOT_A_DEVICE)

    def notice(self):
        """What is shown at power-up."""
        rows = ("Research and", "bench use only.", "Not a medical", "device.")
        return [_row("CISTERNA")] + self._about + [_row(row) for row in rows]

    def rows(self):
        """The eight rows now."""
        core = self._pump.core
        self._show(0, core.state * 2 + self._is_bench(), self._title)
        self._show(1, core.rx, self._drug)
        if core.rx is None:
            self._rows[2:5] = self._about
        else:
            self._show(2, core.rx, self._fluid)
            self._show(3, core.flow_nl_per_h, flow)
            self._show(4, core.ledger.booked_ng() // 100, self._total)
        self._show(5, self._waiting() or self._bolus_minutes(), self._bolus)
        self._show(6, self._message(), str)
        return self._rows

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

    def _waiting(self):
        """What has to be seen before START is held: a new pump's serial number, or a soft limit that is passed."""
        pump = self._pump
        if pump.enrolment.is_waiting and pump.enrolment.staged:
            return pump.enrolment.staged.serial
        if pump.intake.is_waiting and pump.intake.staged and pump.intake.staged.soft_limits:
            return "!" + pump.intake.staged.soft_limits[0]
        return ""

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
        if pump.enrolment.is_waiting and pump.enrolment.staged:
            return "hold START " + pump.enrolment.hash8[:4]
        if pump.intake.staged:
            return "hold START " + pump.intake.staged.hash8[:4]
        if pump.intake.staged_order:
            return "START: " + dose(pump.intake.staged_order.ug * 1000)
        if core.infusing():
            return "no: " + REASONS[pump.last_refusal] if pump.last_refusal else ""
        return "press START" if core.state == STOPPED and core.rx and not core.needs_rx else ""
