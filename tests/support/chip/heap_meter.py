"""Chip side of the heap proof: runs one case in a locked heap and prints its cost. MicroPython only.

A case is a function that builds its objects (it may allocate) and returns `turn`, which is called with the number of
the turn and may not allocate. `measure` runs it twice, on fresh objects each time:

1. locked: under `micropython.heap_lock()`, where the first allocation raises MemoryError and names its line; timed;
2. open: without the lock and with the collector off, counting the bytes left behind. That shows an allocation
   whose MemoryError the code under test swallowed.

A function with more than eleven locals and operands takes its frame from an open heap and gives it back on return; in
a locked heap the frame is on the stack. Neither run counts that as an allocation.
"""

import gc
import io
import json
import sys
import time

import micropython

FIELDS = ("turns", "total_us", "worst_us", "worst_at", "error", "used_before", "used_after", "free", "left", "left_at")
OPEN_TURNS = 128
LOOK_EVERY = 16  # turns between two measurements of an open heap: each walks through all of it

micropython.alloc_emergency_exception_buf(1024)


def _locked(turn, turns):
    """(turns done, us in all, worst us, its turn, exception or None) of `turns` turns in a locked heap."""
    ticks_us = time.ticks_us
    ticks_diff = time.ticks_diff
    i = total = worst = worst_at = 0
    failure = None
    micropython.heap_lock()
    try:
        while i < turns:
            began = ticks_us()
            turn(i)
            took = ticks_diff(ticks_us(), began)
            total += took
            if took > worst:
                worst = took
                worst_at = i
            i += 1
    except Exception as e:  # any exception ends the case and is reported
        failure = e
    finally:
        micropython.heap_unlock()
    return i, total, worst, worst_at, failure


def _open(turn, turns):
    """Bytes that `turns` turns left behind with the collector off, and the turn by which there were some (-1: none)."""
    by = -1
    i = 0
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    while i < turns:
        turn(i)
        i += 1
        if i % LOOK_EVERY == 0 and by < 0 and gc.mem_alloc() != before:
            by = i
    left = gc.mem_alloc() - before
    gc.enable()
    return left, by


def _text_of(failure):
    text = io.StringIO()
    sys.print_exception(failure, text)
    return text.getvalue()


def measure(case, turns):
    """Print one line of JSON: the cost of `turns` turns of `case`."""
    report = dict.fromkeys(FIELDS)  # all keys now: a dict that grows later would count as used heap
    turn = case()
    gc.collect()
    report["used_before"] = gc.mem_alloc()
    done, total, worst, worst_at, failure = _locked(turn, turns)
    gc.collect()
    report["used_after"] = gc.mem_alloc()
    report["free"] = gc.mem_free()
    report["turns"] = done
    report["total_us"] = total
    report["worst_us"] = worst
    report["worst_at"] = worst_at
    if failure is None:
        turn = None
        gc.collect()
        report["left"], report["left_at"] = _open(case(), min(turns, OPEN_TURNS))
    else:
        report["error"] = _text_of(failure)
    print(json.dumps(report))
