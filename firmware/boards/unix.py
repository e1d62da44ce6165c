"""The simulated board: the same chips on the same pins, with `machine` and `rp2` of `firmware/unix`."""

from boards.pump_board import PumpBoard


class Board(PumpBoard):
    name = "unix"
    build = "0.1.0-unix"
    commit = ""
