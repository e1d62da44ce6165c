"""Runs the pump on a development board. Ctrl-C or an error switches the motor off and leaves a REPL."""

import micropython
import rp2
import vfs
from boards import wiring
from machine import Pin, mem32

_WATCHDOG_CTRL_CLEAR = 0x4005B000  # RP2040 data sheet 4.7.6 and 2.1.2: bits written here are cleared in CTRL
_ENABLE = 1 << 30


def switch_off():
    """Switches the motor off, and the watchdog, so that the board is not reset during work in the REPL.

    The pump itself never stops its watchdog: after an error the unfed watchdog resets the board.
    """
    micropython.kbd_intr(-1)  # a second Ctrl-C must not interrupt this
    Pin(wiring.ENN, Pin.OUT, value=1)
    rp2.StateMachine(wiring.STEP_MACHINE).active(0)
    mem32[_WATCHDOG_CTRL_CLEAR] = _ENABLE


if not vfs.mount():
    print("FAULT: the file system cannot be mounted, so the pump was not started.")
    print("`cisterna deploy --format` makes a new one.")
else:
    try:
        import main

        main.main()
    finally:
        switch_off()
