"""Added to the simulated board by `figures_of_speed`, in MicroPython: the real time spent on either side of the board.

A call of the firmware into `machine`, `rp2` or `time` stops the firmware's clock and starts the world's; an interrupt
does the reverse; and while the host is served, neither runs. The cost of the crossings is measured and subtracted.
"""

import time

import machine
import rp2
import world
from utime import ticks_us

_BATCHES, _ROUNDS = 20, 1000  # the least of the batches: the one that nothing else disturbed
_SIDES = ("firmware", "world", "host")
_spent_us = dict.fromkeys(_SIDES, 0)
_crossings = {}  # (from, to) -> how often there and back
_side = "firmware"
_since_us = ticks_us()


def _cross(side):
    global _side, _since_us
    now_us = ticks_us()
    _spent_us[_side] += now_us - _since_us
    _since_us = now_us
    before, _side = _side, side
    return before


def _on(side, function):
    def crossing(*args, **keys):
        if _side == side:
            return function(*args, **keys)
        before = _cross(side)
        _crossings[before, side] = _crossings.get((before, side), 0) + 1
        try:
            return function(*args, **keys)
        finally:
            _cross(before)

    return crossing


def _wrap(owner):
    for name, value in list(owner.__dict__.items()):
        if isinstance(value, type):
            _wrap(value)
        elif callable(value) and (name[0] != "_" or name == "__call__"):
            setattr(owner, name, _on("world", value))


def _attach(given):
    _attach_world(given)
    given.timeline.host = _on("host", given.timeline.host)


def _look(_):
    """In place of what a person sees: microseconds on each side."""
    _cross(_side)
    spent_us = {side: _spent_us[side] for side in _SIDES}
    costs_us = [_cost() for _ in range(_BATCHES)]
    outside_us, inside_us = [min(cost[place] for cost in costs_us) for place in (0, 1)]
    for (before, side), times in _crossings.items():
        if before in _SIDES:
            spent_us[before] -= times * outside_us
            spent_us[side] -= times * inside_us
    return spent_us


def _cost():
    """What a crossing there and back charges to the side that it leaves, and to the other."""
    _spent_us["bench"] = _spent_us["probe"] = 0
    before = _cross("bench")
    for _ in range(_ROUNDS):
        _probe()
    _cross(before)
    return _spent_us["bench"] / _ROUNDS, _spent_us["probe"] / _ROUNDS


_probe = _on("probe", lambda: None)
for _module in (machine, rp2, time):
    _wrap(_module)
_attach_world = machine.attach
machine.attach = _attach
world.World.interrupt = _on("firmware", world.World.interrupt)
world.World.look = _look
