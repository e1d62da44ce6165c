"""A region of the flash: the log, or the vault. Interrupts are off while a sector is erased, for 45 to 400 ms."""

from micropython import const

_ERASE = const(6)


class HeldFlash:
    """Block device over `flash` (rp2.Flash). `contacts` are told when their interrupts are held back."""

    def __init__(self, flash, contacts):
        self._flash = flash
        self._contacts = contacts
        self.readblocks = flash.readblocks
        self.writeblocks = flash.writeblocks

    def ioctl(self, op, arg):
        if op != _ERASE:
            return self._flash.ioctl(op, arg)
        self._contacts.hold_back()
        try:
            return self._flash.ioctl(op, arg)
        finally:
            self._contacts.let_in()
