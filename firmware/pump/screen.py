"""What the display says: eight rows of sixteen characters. Plain words, ISMP style: mcg, no trailing zero, leading zero."""

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
    """Rows of one pump."""

    def __init__(self, pump, provisioning):
        self._pump = pump
        self._bench = provisioning is None or provisioning.bench

    def notice(self):
        """What is shown at power-up."""
        rows = ("CISTERNA", "intrathecal PCA", "", "Research and", "bench use only.", "", "Not a medical", "device.")
        return [_row(row) for row in rows]

    def rows(self):
        """The eight rows now."""
        pump, core = self._pump, self._pump.core
        rx = core.rx
        title = STATES[core.state].upper()
        rows = [title + (" " * (WIDTH - 5 - len(title)) + "BENCH" if self._bench else "")]
        if rx is None:
            rows += ["no prescription", "", "", ""]
        else:
            rows.append(NAMES.get(rx.drug, rx.drug))
            rows.append("%d mcg/mL %s %s" % (rx.concentration_ug_per_ml, ROUTES[rx.route], SITES[rx.site]))
            rows.append(flow(core.flow_nl_per_h))
            rows.append("total " + dose(core.ledger.booked_ng()))
        rows.append(self._bolus_row())
        rows.append(self._message_row())
        rows.append(NOT_A_DEVICE)
        return [_row(row) for row in rows]

    def _bolus_row(self):
        core = self._pump.core
        if core.rx is None or core.rx.bolus_ug == 0:
            return "left %d.%d mL" % (core.reservoir.remaining_nl() // 1_000_000,
                                      core.reservoir.remaining_nl() // 100_000 % 10)  # fmt: skip
        if not core.infusing():
            return "rx " + core.rx.hash8
        when = self._pump.boluses.next_pca()
        if when is limits.NEVER:
            return "no bolus now"
        wait_s = when[0] - core.clock.s
        return "bolus ready" if wait_s <= 0 else "bolus " + span(wait_s)

    def _message_row(self):
        pump, core = self._pump, self._pump.core
        if core.alarms.top() >= 0:
            return "!" + CODES[core.alarms.top()]
        if pump.intake.staged:
            return "hold START " + pump.intake.staged.hash8[:4]
        if core.infusing() and pump.last_refusal:
            return "no: " + REASONS[pump.last_refusal]
        return "press START" if core.state == STOPPED and core.rx and not core.needs_rx else ""
