"""The board that `main` imports: here the simulated one."""

from boards.unix import Board

__all__ = ["Board"]
