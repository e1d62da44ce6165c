"""Proofs of what the wake-up may cost: no allocation (on MicroPython), no number past 2^30 (on CPython)."""

import sys

MICROPYTHON = sys.implementation.name == "micropython"
LIMIT = 1 << 30


def allocates(do):
    """True when `do()` allocates on the heap. Always False on CPython, where there is no telling."""
    if not MICROPYTHON:
        do()
        return False
    import micropython

    do()  # once before: what is only built the first time is no cost of a wake-up
    micropython.heap_lock()
    try:
        do()
    except MemoryError:
        micropython.heap_unlock()
        return True
    micropython.heap_unlock()
    return False


def small(value):
    """`value` as an int that checks itself, and everything worked out from it, against 2^30. CPython only."""
    return value if MICROPYTHON else Small(value)


if not MICROPYTHON:

    class Small(int):
        """An int that may not pass 2^30, on which RP2040 allocates."""

        def __new__(cls, value):
            if not -LIMIT <= value < LIMIT:
                raise OverflowError(f"{int(value)} is past 2^30")
            return int.__new__(cls, value)

    def _checked(name):
        plain = getattr(int, name)

        def operate(*args):
            result = plain(*args)
            return result if result is NotImplemented else Small(result)

        return operate

    for _word in ("add", "sub", "mul", "floordiv", "mod", "and", "or", "lshift", "rshift"):
        for _name in (f"__{_word}__", f"__r{_word}__"):
            setattr(Small, _name, _checked(_name))
    for _name in ("__neg__", "__abs__"):
        setattr(Small, _name, _checked(_name))
