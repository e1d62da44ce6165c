"""Operations of MicroPython's block device protocol (`ioctl`) that the record log and the vault use."""

from pump.base.units import const

BLOCK_COUNT = const(4)  # ioctl(BLOCK_COUNT, 0): number of blocks
BLOCK_BYTES = const(5)  # ioctl(BLOCK_BYTES, 0): bytes of a block
ERASE = const(6)  # ioctl(ERASE, block): erases one block, 45 to 400 ms with interrupts off
