"""A region of the flash (log or vault). An erase disables interrupts for 45 to 400 ms, so the contacts are informed."""

from micropython import const

_ERASE = const(6)  # `op` of ioctl: erase block `arg`


class FlashRegion:
    """Block device over `flash` (rp2.Flash). `contacts`: `interrupts_off` and `interrupts_on` enclose an erase."""

    def __init__(self, flash, contacts):
        self._flash = flash
        self._contacts = contacts
        self.readblocks = flash.readblocks
        self.writeblocks = flash.writeblocks

    def ioctl(self, op, arg):
        """As `ioctl` of rp2.Flash."""
        if op != _ERASE:
            return self._flash.ioctl(op, arg)
        self._contacts.interrupts_off()
        try:
            return self._flash.ioctl(op, arg)
        finally:
            self._contacts.interrupts_on()
