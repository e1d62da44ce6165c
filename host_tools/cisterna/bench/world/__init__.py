"""The simulated world around one pump: chips, motor, screw, syringe, line, tip, fingers and power.

Written in the Python that MicroPython and CPython both run. It knows nothing of `machine`, of the host, or
of the firmware's state: pins, bus transactions and steps go in, levels, bytes and interrupts come out.
"""

from .resets import CpuReset, PowerCut, WatchdogBite
from .settings import PUMP_DEFAULTS, SYRINGES
from .world import World

__all__ = ["PUMP_DEFAULTS", "SYRINGES", "CpuReset", "PowerCut", "WatchdogBite", "World"]
