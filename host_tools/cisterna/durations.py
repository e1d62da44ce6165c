"""Durations as text, numbers with units; internally integer milliseconds."""

import re
from decimal import Decimal

ALLOWED = 'numbers with their unit s, min, h or d, as "90s", "1.5h", "2h40min"'

_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d)", re.ASCII)
_WHOLE = re.compile(rf"\s*([+-]?)((?:{_PART.pattern})+)\s*", re.ASCII)


def parse_ms(text: object) -> int:
    """`text` in ms, rounded to the nearest, may be negative. Raises ValueError with what is allowed."""
    match = _WHOLE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(ALLOWED)
    total = sum((Decimal(number) * _MS[unit] for number, unit in _PART.findall(match[2])), Decimal())
    return int((-total if match[1] == "-" else total).to_integral_value())


def seconds(ms: int | None) -> float | None:
    """ms as the s of the summary; None stays None."""
    return None if ms is None else ms / 1000


def readable(seconds_: float) -> str:
    """`seconds_` as `1 d 02:03:04` or `02:03:04`, with a sign if negative."""
    sign = "-" if seconds_ < 0 else ""
    whole = abs(int(seconds_))
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{sign}{days} d {clock}" if days else f"{sign}{clock}"
