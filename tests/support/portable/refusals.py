"""The code or the Refused with which a call is refused."""

from pump.base.refusal import Refused


def refusal_code(do, *args):
    """Code with which `do(*args)` is refused; None: accepted."""
    try:
        do(*args)
    except Refused as refused:
        return refused.code
    return None


def refusal(do, *args):
    """The Refused that `do(*args)` raises; None: accepted."""
    try:
        do(*args)
    except Refused as refused:
        return refused
    return None
