"""Puts firmware onto boards: signed images, deployed modules; the factory test; `cisterna doctor`."""
