"""The states of the pump: the states that may follow, and what may move in each. One table, checked at every change.

The events that lead from state to state are in `firmware/README.md`.
"""

from pump.base.units import const

OFF = const(0)
SELF_TEST = const(1)
STOPPED = const(2)
PRIMING = const(3)
INFUSING = const(4)
BOLUS = const(5)
ALARM = const(6)

# Why a state changed, for the records
BY_KEY = const(1)
BY_LINK = const(2)
BY_ALARM = const(3)
BY_PLAN = const(4)
BY_BOOT = const(5)

# What may move
NOTHING = const(0)
FILLING = const(1)  # forward, into a line that is not connected to the patient
BASAL = const(2)  # forward, into the patient
BOLUSES = const(4)  # forward, into the patient, beside basal
BACK_OFF = const(8)  # backward only: relief of a line that holds fluid back

FORWARD = FILLING | BASAL | BOLUSES

# name, what may move, states that may follow. Numbers are stored in the records, names are part of the link.
_TABLE = (
    ("off", NOTHING, (SELF_TEST,)),
    ("self_test", NOTHING, (STOPPED,)),
    ("stopped", BACK_OFF, (PRIMING, INFUSING, ALARM)),
    ("priming", FILLING, (STOPPED, ALARM)),
    ("infusing", BASAL, (STOPPED, BOLUS, ALARM)),
    ("bolus", BASAL | BOLUSES, (STOPPED, INFUSING, ALARM)),
    ("alarm", BACK_OFF, (STOPPED,)),
)

NAMES = tuple(row[0] for row in _TABLE)
MOVES = bytes(row[1] for row in _TABLE)
_FOLLOWERS = bytes(sum(1 << state for state in row[2]) for row in _TABLE)


class WrongTransition(Exception):
    """A change of state, or a grant of motion, that the table does not allow: a fault of the firmware. Ends the run."""


def may_follow(state, new):
    """True if `new` may follow `state`; a state may follow itself. Allocates nothing."""
    return state == new or _FOLLOWERS[state] >> new & 1 == 1


def check(state, new):
    """Returns if `new` may follow `state`. Raises WrongTransition."""
    if not may_follow(state, new):
        raise WrongTransition("%s to %s" % (NAMES[state], NAMES[new]))
