"""Helpers that run in MicroPython as well as in CPython."""
