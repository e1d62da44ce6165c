"""The board that `main` runs on: here the simulated one."""

from boards.unix import Board

__all__ = ["Board"]
