"""Runs the pump on a development board; Ctrl-C, or an error, ends it with the motor let go and leaves a REPL."""

import micropython
import rp2
import vfs
from boards import wiring
from machine import Pin, mem32

_WATCHDOG_CTRL_CLEAR = 0x4005B000  # RP2040 data sheet 4.7.6 and 2.1.2: what is written here is cleared in CTRL
_ENABLE = 1 << 30


def let_go():
    """The motor off, and nothing left that would reset the board while somebody works on it.

    The pump never stops its watchdog: an unfed one is how it ends. Only here a person takes over.
    """
    micropython.kbd_intr(-1)  # a second Ctrl-C must not get in between
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
        let_go()
