"""Words and figures of the display in ISMP style: "mcg" and no Greek letter, a leading zero, no trailing zero [H01]."""

from pump.base.units import const

WIDTH = const(16)  # characters of a row

NAMES = {"morphine": "MORPHINE", "hydromorphone": "HYDROmorphone", "test-fluid": "TEST FLUID"}
ROUTES = {"intrathecal": "IT", "epidural": "EPI"}

# Why START does nothing, and what to do: code (of `StartStop.blocked_by`), two rows.
START_BLOCKED = (
    ("no_prescription", "no prescription:", "load one"),
    ("door", "door is open:", "close it"),
    ("clamp", "clamp is open:", "close it"),
    ("relief", "wait: line holds", "fluid to draw in"),  # the display says how much, in the second row
    ("relief_barred", "CLAMP THE LINE:", "it holds fluid"),
    ("alarm", "alarm: end its", "cause, press ACK"),
    ("prescription", "a prescription", "must be loaded"),
    ("exchange", "other syringe:", "exchange, refill"),
    ("unnamed", "syringe unknown:", "enter the refill"),
    ("refill", "refill is off:", "check, press ACK"),
    ("empty", "syringe is empty", "refill it"),
    ("key_stuck", "a key is stuck:", "free it"),
    ("stop_key", "STOP is pressed:", "release it"),
    ("line", "line not filled:", "prime it"),
)


def start_blocked(code):
    """The two rows for a code of START_BLOCKED; two empty ones for None. Any other code stands for itself."""
    if code is None:
        return "", ""
    for known, why, do in START_BLOCKED:
        if known == code:
            return why, do
    return code, ""


def dose(ng):
    """A mass in ng as text in mcg, with one decimal below 1000 mcg unless that is 0: "0.4 mcg", "140 mcg"."""
    tenths = ng // 100
    if tenths % 10 == 0 or tenths >= 10_000:
        return "%d mcg" % (tenths // 10)
    return "%d.%d mcg" % (tenths // 10, tenths % 10)


def flow(nl_per_h):
    """A flow in nL/h as text in mL/h, with three decimals."""
    return "%d.%03d mL/h" % (nl_per_h // 1_000_000, nl_per_h // 1000 % 1000)


def thousandths(n):
    """n / 1000 exactly, without a trailing zero: "0.5", "10", "9.75"."""
    if n % 1000 == 0:
        return "%d" % (n // 1000)
    decimals = 3
    while n % 10 == 0:
        n //= 10
        decimals -= 1
    whole, part = divmod(n, 10**decimals)
    return "%d.%0*d" % (whole, decimals, part)


def span(seconds):
    """A duration in s as text, rounded up to minutes: "1 h 05 min", "7 min"."""
    minutes = (seconds + 59) // 60
    if minutes >= 60:
        return "%d h %02d min" % (minutes // 60, minutes % 60)
    return "%d min" % minutes


def span_exact(seconds):
    """A duration in s as text, not rounded: "90 s", "60 min", "2 h 30 min"."""
    if seconds % 60:
        return "%d s" % seconds
    return "%d min" % (seconds // 60) if seconds < 6_000 else span(seconds)
