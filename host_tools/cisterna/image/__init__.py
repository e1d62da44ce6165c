"""Builds and signs the flashable image of the real board from this checkout's firmware and MicroPython's sources."""
