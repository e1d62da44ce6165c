"""An I2C bus at the level of whole transactions, and the base classes of its chips."""

EIO = 5  # MicroPython's rp2 port raises OSError(EIO) when no chip acknowledges


class Chip:
    """One device on the bus; subclasses implement `write` and `read_into`.

    unplugged  True: it does not acknowledge (a broken wire)
    """

    unplugged = False

    def write(self, data):
        """A write transaction: `data` is all bytes from START to STOP (or repeated START) but the address."""
        raise NotImplementedError

    def read_into(self, buf):
        """A read transaction that fills `buf`."""
        raise NotImplementedError

    def write_at(self, register, width, data):
        """Write `data` at `register`, an address of `width` bytes."""
        self.write(register.to_bytes(width, "big") + bytes(data))

    def read_at(self, register, width, buf):
        """Set the address `register` (`width` bytes) by a write, then fill `buf` after a repeated START."""
        self.write(register.to_bytes(width, "big"))
        self.read_into(buf)

    def power_up(self):
        """The chip's supply has returned: set volatile state to its reset value."""


class RegisterChip(Chip):
    """A chip of byte registers with an address pointer that counts up after each byte."""

    def __init__(self):
        self.pointer = 0

    def write(self, data):
        if data:
            self.pointer = data[0]
            if len(data) > 1:
                self.write_at(data[0], 1, data[1:])

    def read_into(self, buf):
        self.read_at(self.pointer, 1, buf)

    def power_up(self):
        self.pointer = 0


class Bus:
    """Chips by their 7-bit address."""

    def __init__(self, chips):
        self.chips = chips

    def chip(self, address):
        """The chip that acknowledges `address`. OSError(EIO) if none does."""
        chip = self.chips.get(address)
        if chip is None or chip.unplugged:
            raise OSError(EIO)
        return chip

    def addresses(self):
        """Addresses that acknowledge now, ascending."""
        return sorted(a for a in self.chips if not self.chips[a].unplugged)
