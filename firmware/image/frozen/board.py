"""The board of the image; the simulated pump has its own module of this name."""

from boards.pico import Board

__all__ = ("Board",)
