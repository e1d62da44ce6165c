"""The flashable image of the real board, made of this checkout's firmware and MicroPython's sources."""
