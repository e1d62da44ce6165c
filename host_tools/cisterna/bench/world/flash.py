"""The NOR flash from the vault's region on: 64 KiB of vault, then 1 MiB of log, in sectors of 4096 bytes.

Erasing sets bits; programming only clears them.
"""

SECTOR = 4096
SECTORS = 16 + 256
_BLANK = b"\xff" * SECTOR


class NorFlash:
    """Sectors that were never written take no memory. `planned_cut` (`PlannedPowerCut`) may end a write early."""

    def __init__(self, planned_cut):
        self.planned_cut = planned_cut
        self.sectors = [None] * SECTORS
        self.erases = [0] * SECTORS

    def load(self, address, data):
        """Set the bytes from `address` on to `data`, before power-up. Not a write of the pump: no cut, no erase."""
        done = 0
        while done < len(data):
            sector, at = divmod(address + done, SECTOR)
            part = data[done : done + SECTOR - at]
            memory = self.sectors[sector]
            if memory is None and part != _BLANK[: len(part)]:
                memory = self.sectors[sector] = bytearray(_BLANK)
            if memory is not None:
                memory[at : at + len(part)] = part
            done += len(part)

    def erase(self, sector):
        """Set all bits of `sector`."""
        self.sectors[sector] = None
        self.erases[sector] += 1

    def read(self, address, buf):
        """Fill `buf` from byte `address` on."""
        done = 0
        n = len(buf)
        while done < n:
            sector, at = divmod(address + done, SECTOR)
            run = min(n - done, SECTOR - at)
            memory = self.sectors[sector]
            if memory is None:
                buf[done : done + run] = _BLANK[:run]
            else:
                buf[done : done + run] = memory[at : at + run]
            done += run

    def program(self, address, data):
        """From byte `address` on, clear the bits that are 0 in `data`."""
        n = len(data)
        planned_cut = self.planned_cut
        if planned_cut.writes_left:
            n = planned_cut.bytes_stored(n)
        done = 0
        while done < n:
            sector, at = divmod(address + done, SECTOR)
            run = min(n - done, SECTOR - at)
            memory = self.sectors[sector]
            if memory is None:
                memory = self.sectors[sector] = bytearray(_BLANK)
            for i in range(run):
                memory[at + i] &= data[done + i]
            done += run
        if planned_cut.cut_now:
            planned_cut.cut()
