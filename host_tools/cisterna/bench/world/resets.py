"""Exceptions that end the firmware at any instant: reset, power cut, watchdog reset.

They derive from BaseException, so that no `except Exception` of the firmware catches them.
"""


class CpuReset(BaseException):
    """The CPU restarts: `machine.reset()`, or one of the two subclasses."""


class PowerCut(CpuReset):
    """The supply failed. Raised from the current hardware access or wait."""


class WatchdogReset(CpuReset):
    """The internal watchdog timed out."""
