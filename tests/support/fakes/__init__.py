"""Fakes of the chip's own modules, for the drivers in CPython."""
