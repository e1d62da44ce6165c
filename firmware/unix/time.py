"""`time` of the simulated board: virtual time, with ticks that wrap at 2^30 as on the RP2040."""

import machine

try:
    from utime import gmtime, localtime, mktime
except ImportError:  # CPython, where tests replace `time` by this module
    from time import gmtime, localtime, mktime

__all__ = [
    "gmtime", "localtime", "mktime", "sleep", "sleep_ms", "sleep_us", "ticks_add", "ticks_cpu", "ticks_diff",
    "ticks_ms", "ticks_us", "time", "time_ns",
]  # fmt: skip

_MASK = (1 << 30) - 1
_HALF = 1 << 29
_POWER_UP_UNIX_S = 1_609_459_200  # 1 January 2021, the date of an unset chip


def ticks_ms():
    """Milliseconds since power-up, plus the start value that the bench has set, modulo 2^30."""
    world = machine._world
    timeline = world.timeline
    timeline.touch()
    return (world.ticks_at_power_up_ms + (timeline.now_us - world.booted_us) // 1000) & _MASK


def ticks_us():
    """Microseconds, modulo 2^30."""
    world = machine._world
    timeline = world.timeline
    timeline.touch()
    return (world.ticks_at_power_up_ms * 1000 + timeline.now_us - world.booted_us) & _MASK


ticks_cpu = ticks_us


def ticks_diff(end, start):
    """`end` - `start` in ticks; correct if they are less than 2^29 apart."""
    return ((end - start + _HALF) & _MASK) - _HALF


def ticks_add(ticks, delta):
    """`ticks` + `delta`. OverflowError if `delta` is 2^29 or more either way."""
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & _MASK


def sleep_us(us):
    """Sleeps for `us`; interrupts are served meanwhile."""
    timeline = machine._world.timeline
    timeline.touch()
    timeline.sleep_until(timeline.now_us + us)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def time():
    """Seconds since 1970 on an unset chip. The wall clock is the RTC."""
    world = machine.attached()
    return _POWER_UP_UNIX_S + (world.timeline.now_us - world.booted_us) // 1_000_000


def time_ns():
    return time() * 1_000_000_000
