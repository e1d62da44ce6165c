"""What ends the firmware at once, in the middle of anything.

Not children of Exception: the firmware's own handlers must never see them, as a real CPU never sees its own
end.
"""


class CpuReset(BaseException):
    """The CPU starts anew: `machine.reset()`, or one of the two below."""


class PowerCut(CpuReset):
    """Supply gone. Raised out of the hardware access or the wait that was going on."""


class WatchdogBite(CpuReset):
    """The internal watchdog was not fed in time."""
