"""Checks of what a wake-up may cost: no allocation (in MicroPython), no number past 2^30 (in CPython)."""

import sys

MICROPYTHON = sys.implementation.name == "micropython"
LIMIT = 1 << 30


def allocates(do):
    """True if `do()` allocates on the heap. Always False in CPython, which cannot tell."""
    if not MICROPYTHON:
        do()
        return False
    import micropython

    do()  # once before: objects built only the first time are no cost of a wake-up
    micropython.heap_lock()
    try:
        do()
    except MemoryError:
        micropython.heap_unlock()
        return True
    micropython.heap_unlock()
    return False


def checked_int(value):
    """`value` as an int that checks itself and all results against 2^30; in MicroPython a plain int."""
    return value if MICROPYTHON else CheckedInt(value)


if not MICROPYTHON:

    class CheckedInt(int):
        """An int below 2^30; a larger one is an object on the heap of the RP2040."""

        def __new__(cls, value):
            if not -LIMIT <= value < LIMIT:
                raise OverflowError(f"{int(value)} is past 2^30")
            return int.__new__(cls, value)

    def _checked(name):
        plain = getattr(int, name)

        def operate(*args):
            result = plain(*args)
            return result if result is NotImplemented else CheckedInt(result)

        return operate

    for _word in ("add", "sub", "mul", "floordiv", "mod", "and", "or", "lshift", "rshift"):
        for _name in (f"__{_word}__", f"__r{_word}__"):
            setattr(CheckedInt, _name, _checked(_name))
    for _name in ("__neg__", "__abs__"):
        setattr(CheckedInt, _name, _checked(_name))
