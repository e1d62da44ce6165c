"""Scripts that a test runs in a MicroPython process of its own."""
