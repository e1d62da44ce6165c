"""Checks and conversions of the values that a scenario or a test gives to the world. All raise ValueError."""

from .settings import LARGEST, is_number

LONGEST_S = 4_000_000_000  # 127 years; the world's time has 60 bits of us


def microseconds(seconds):
    """`seconds` (0 or more) in us, rounded to the nearest."""
    if not is_number(seconds) or not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"a time is {seconds!r} s; allowed: 0 to {LONGEST_S}")
    return int(seconds * 1_000_000 + 0.5)


def number(name, value):
    """`value`, if it is a number of at most LARGEST; `name` stands in the message."""
    if not is_number(value) or not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{name} is {value!r}; allowed: a number from -{LARGEST} to {LARGEST}")
    return value


def whole(name, value, least):
    """`value`, if it is a whole number from `least` on and its time in ms fits into the world's."""
    if not is_number(value) or not isinstance(value, int) or not least <= value <= LONGEST_S * 1000:
        raise ValueError(f"{name} is {value!r}; allowed: a whole number, {least} or more, at most {LONGEST_S * 1000}")
    return value


def one_of(name, value, allowed):
    """Check that `value` is in `allowed`."""
    if value not in allowed:
        raise ValueError("{} is {!r}; allowed: {}".format(name, value, ", ".join(allowed)))


def fluid(drug, concentration_ug_per_ml):
    """A fluid of the plant: (drug, ug per uL)."""
    return (drug, number("concentration_ug_per_ml", concentration_ug_per_ml) / 1000)


def unhex(text):
    """The bytes of hex digits."""
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))
