"""The simulated world around one pump: chips, motor, screw, syringe, line, catheter tip, keys and power.

Written in the Python that MicroPython and CPython both run. The world has no access to `machine`, the host or the
firmware's state: pins, bus transactions and steps go in; levels, bytes and interrupts come out.
"""

from .resets import CpuReset, PowerCut, WatchdogReset
from .settings import PUMP_DEFAULTS, SYRINGES
from .world import World

__all__ = ["PUMP_DEFAULTS", "SYRINGES", "CpuReset", "PowerCut", "WatchdogReset", "World"]
