"""The step program in a PIO emulator of another project: a second reading of the data sheet."""

from collections import deque

import pytest
from pioemu import State, emulate
from support.fakes.pio_interpreter import Machine


def edges_by_pioemu(program, words, cycles):
    """(cycle, level) of each change of STEP."""
    found, level = [], 0
    start = State(transmit_fifo=deque(words), pin_directions=1)
    shape = {"set_base": 0, "set_count": 1, "wrap_target": program.wrap_target, "wrap_top": program.wrap}
    for before, after in emulate(program.words, stop_when=lambda _, s: s.clock > cycles, initial_state=start, **shape):
        if after.pin_values & 1 != level:
            level ^= 1
            found.append((before.clock, level))
    return found


def edges_by_model(program, words, cycles):
    machine, found, level = Machine(program), [], 0
    machine.tx.extend(words)
    for cycle in range(cycles):
        machine.step()
        if machine.pins != level:
            level = machine.pins
            found.append((cycle, level))
    return found


@pytest.mark.parametrize("words", [(0, 0, 0), (0, 0, 3), (123, 777, 3), (4_999, 1, 2), (1, 4_999, 1)])
def test_steps_rise_when_the_words_say(fake, words):
    """NUM-06: and are 4 cycles high."""
    program = fake.driver("stepper").step_grant
    cycles = sum(words[:2]) + (words[2] + 2) * (5_000 + words[1])
    rises = [5_000 + words[0] + k * (5_000 + words[1]) for k in range(words[2] + 1)]
    expected = [edge for rise in rises for edge in ((rise, 1), (rise + 4, 0))]
    assert edges_by_pioemu(program, words, cycles) == expected
    assert edges_by_model(program, words, cycles) == expected
