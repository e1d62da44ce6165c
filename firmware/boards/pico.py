"""The real board: a Raspberry Pi Pico in the reference pump. The image build writes `build_info`."""

from build_info import BUILD, COMMIT, VARIANT  # pyright: ignore[reportMissingImports]

from boards.pump_board import PumpBoard


class Board(PumpBoard):
    name = "pico-" + VARIANT
    build = BUILD
    commit = COMMIT
