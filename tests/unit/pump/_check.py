"""What the tests here need beyond `assert`; runs on MicroPython as on CPython."""

from pump.refusal import Refused


def refusal_code(do, *args):
    """The code with which `do(*args)` is refused; None if it is not."""
    try:
        do(*args)
    except Refused as refused:
        return refused.code
    return None


def refusal(do, *args):
    """The Refused that `do(*args)` raises; None if it raises none."""
    try:
        do(*args)
    except Refused as refused:
        return refused
    return None
