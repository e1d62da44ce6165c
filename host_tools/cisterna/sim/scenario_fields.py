"""Field types of the scenario models: durations, times, and the error that says what is allowed."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from cisterna import durations

DAY_MS = 86_400_000
MAX_DAYS = 36_500  # of any duration; the world's time has 60 bits of us
MAX_OFF_DAYS = 366


def not_allowed(allowed: str) -> PydanticCustomError:
    """The error for a value outside `allowed`, a text for the error line."""
    return PydanticCustomError("cisterna", "{allowed}", {"allowed": allowed})


def duration_ms(value: object) -> int:
    """A duration as `durations.parse_ms` reads it, in ms; may be negative."""
    try:
        ms = durations.parse_ms(value)
    except ValueError as error:
        raise not_allowed(str(error)) from None
    if abs(ms) > MAX_DAYS * DAY_MS:
        raise not_allowed(f"at most {MAX_DAYS}d")
    return ms


def power_off_ms(value: object) -> int:
    """As `positive_duration_ms`, at most MAX_OFF_DAYS: the log is read when power is back."""
    ms = positive_duration_ms(value)
    if ms > MAX_OFF_DAYS * DAY_MS:
        raise not_allowed(f"at most {MAX_OFF_DAYS}d")
    return ms


def positive_duration_ms(value: object) -> int:
    """As `duration_ms`, more than 0."""
    ms = duration_ms(value)
    if ms <= 0:
        raise not_allowed("more than 0: " + durations.ALLOWED)
    return ms


def unix_s_of(value: object) -> int:
    """An ISO time or a TOML date-time in whole seconds since 1970, before 2106. Without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        when = None
    if not isinstance(when, datetime):
        raise not_allowed('an ISO time, as "2026-01-05T08:00:00Z"')
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    unix_s = int(when.timestamp())
    if not 0 <= unix_s < 2**32:
        raise not_allowed("an ISO time from 1970 to 2106")
    return unix_s


DurationMs = Annotated[int, PlainValidator(positive_duration_ms)]
PowerOffMs = Annotated[int, PlainValidator(power_off_ms)]
MomentMs = Annotated[int, PlainValidator(duration_ms)]
UnixS = Annotated[int, PlainValidator(unix_s_of)]
