"""`micropython` in Python: what the firmware uses of it."""


def const(value):
    return value


def alloc_emergency_exception_buf(size):
    """Python needs none."""
