"""Peaks of rolling windows against brute force."""

import random

import pytest
from cisterna.bench.world.windows import Windows


def brute(changes, end_s, window_s):
    """Largest mass in any window, from the piecewise linear running mass at every breakpoint."""
    points = [(0.0, 0.0)]
    for seconds, ug in changes:
        t, m = points[-1]
        points.append((t + seconds, m + ug))

    def mass(t):
        if t <= 0:
            return 0.0
        for (t0, m0), (t1, m1) in zip(points, points[1:], strict=False):
            if t <= t1:
                return m0 + (m1 - m0) * (t - t0) / (t1 - t0)
        return points[-1][1]

    ends = [t for t, _ in points] + [t + window_s for t, _ in points if t + window_s <= end_s]
    return max(mass(t) - mass(t - window_s) for t in ends)


def test_peaks_are_those_of_brute_force():
    dice = random.Random(4)
    changes = [(dice.uniform(5, 900), dice.choice([0, 0, 1, 20]) * dice.random()) for _ in range(150)]
    windows = Windows()
    windows.clear(0)
    now_us = 0
    for seconds, ug in changes:
        then_us = now_us + round(seconds * 1e6)
        windows.add(now_us, then_us, ug)
        now_us = then_us
    for peak, window_s in zip(windows.peaks(now_us), (3600, 14400, 86400), strict=True):
        assert peak == pytest.approx(brute(changes, now_us / 1e6, window_s), abs=0.6)  # a bin of the steepest


def test_a_day_is_forgotten_after_a_day():
    windows = Windows()
    windows.clear(0)
    windows.add(0, 5_000_000, 100.0)
    windows.add(5_000_000, 90_000_000_000, 0.0)
    windows.add(90_000_000_000, 90_005_000_000, 30.0)
    assert windows.peaks(90_005_000_000) == pytest.approx((100.0, 100.0, 100.0))
    assert windows.ug == pytest.approx(130.0)


def test_a_window_that_ends_now_counts():
    windows = Windows()
    windows.clear(0)
    windows.ug = 7.0  # in the bin that is running
    assert windows.peaks(2_000_000) == (7.0, 7.0, 7.0)
