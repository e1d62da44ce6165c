"""The board that `main` imports: here the Pico. The simulated pump has its own module of this name."""

from boards.pico import Board

__all__ = ("Board",)
