"""NOR flash as the firmware's block device: a write only clears bits, an erase sets a block."""

SECTOR = 4096


class PowerCut(Exception):
    """The supply failed in the middle of a write or an erase."""


class NorFlash:
    """`blocks` sectors; a sector that was never written takes no memory.

    `calls`, if it is a list: (kind, bytes) of each write and erase.
    `cut` = (n, done): call number n, from 0, ends after `done` bytes with PowerCut.
    """

    def __init__(self, blocks=16):
        self.blocks = [None] * blocks
        self.calls = None
        self.count = 0  # of calls
        self.cut = None

    def copy(self):
        """A flash with the same content."""
        other = NorFlash()
        other.blocks = [None if block is None else bytearray(block) for block in self.blocks]
        return other

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.blocks)
        if op == 5:
            return SECTOR
        done = self._begin("erase", SECTOR)
        self._block(arg)[:done] = b"\xff" * done
        self._end()
        return 0

    def readblocks(self, block, buf, offset=0):
        buf[:] = self.content(block * SECTOR + offset, len(buf))

    def writeblocks(self, block, buf, offset):
        done = self._begin("write", len(buf))
        for k in range(done):
            at_block, at = divmod(block * SECTOR + offset + k, SECTOR)
            self._block(at_block)[at] &= buf[k]
        self._end()

    def content(self, at, length):
        """`length` bytes from byte `at` on."""
        found = b""
        while len(found) < length:
            block, start = divmod(at + len(found), SECTOR)
            held = self.blocks[block]
            end = min(SECTOR, start + length - len(found))
            found += b"\xff" * (end - start) if held is None else bytes(held[start:end])
        return found

    def put(self, at, data):
        """Set the bytes at `at`, bits rising too."""
        for k in range(len(data)):
            block, place = divmod(at + k, SECTOR)
            self._block(block)[place] = data[k]

    def flip(self, at, bit=0):
        """Flip one bit of byte `at`."""
        block, place = divmod(at, SECTOR)
        self._block(block)[place] ^= 1 << bit

    def _block(self, block):
        if self.blocks[block] is None:
            self.blocks[block] = bytearray(b"\xff" * SECTOR)
        return self.blocks[block]

    def _begin(self, kind, length):
        self.count += 1
        if self.calls is not None:
            self.calls.append((kind, length))
        return min(length, self.cut[1]) if self._is_cut() else length

    def _end(self):
        if self._is_cut():
            raise PowerCut()

    def _is_cut(self):
        return self.cut is not None and self.cut[0] == self.count - 1
