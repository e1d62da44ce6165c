"""The real board: a Raspberry Pi Pico in the reference pump. `build_info` is written by the build of the image."""

from build_info import BUILD, COMMIT, VARIANT

from boards.pump_board import PumpBoard


class Board(PumpBoard):
    name = "pico-" + VARIANT
    build = BUILD
    commit = COMMIT
