"""A line that comes off the catheter is found within 30 min; body movement and height are not taken for that [H16].

Runs in CPython and in MicroPython: plain functions.
"""

from pump.monitoring.line_band import LineBand

STEP_S = 10
DAY_S = 86_400


class Body:
    """The pressure at the tip: a new level every 10 to 60 min, reached at once; heights change every 1 to 6 h."""

    def __init__(self, seed, movement_pa, height_pa):
        self._state = seed * 2_654_435_761 % 1_000_003 + 1
        self._movement_pa, self._height_pa = movement_pa, height_pa
        self._level_pa = self._raised_pa = 0
        self._next_s = self._between(600, 3600)
        self._next_height_s = self._between(3600, 21_600)

    def _between(self, low, high):
        self._state = self._state * 48_271 % 2_147_483_647
        return low + self._state % (high - low + 1)

    def at(self, s):
        if s >= self._next_s:
            self._level_pa = self._between(-self._movement_pa, self._movement_pa)
            self._next_s = s + self._between(600, 3600)
        if s >= self._next_height_s:
            self._raised_pa = (self._between(0, 2) - 1) * self._height_pa
            self._next_height_s = s + self._between(3600, 21_600)
        return 1300 + self._level_pa + self._raised_pa + self._between(-40, 40)


def _alarms(seed, days, movement_pa, height_pa, ul_per_h):
    """Alarms in so many days of a line that is on the catheter all the time."""
    band, body = LineBand(), Body(seed, movement_pa, height_pa)
    band.start(0)
    drop_pa = ul_per_h * 650 // 1000
    found = count = 0
    for s in range(0, days * DAY_S, STEP_S):
        off = band.sample(s, body.at(s) + drop_pa, drop_pa)
        count += off and not found
        found = off
    return count


def test_no_alarm_in_ordinary_life():
    """H16: 3 kPa of movement and heights of 12 kPa, at 0.1, 1 and 5 mL/h, for two days each, from the start on."""
    for seed in range(2):
        for height_pa in (0, 12_000):
            for ul_per_h in (100, 1000, 5000):
                assert _alarms(seed, 2, 3_000, height_pa, ul_per_h) == 0, (seed, height_pa, ul_per_h)


def _found_s(off_at_s, ul_per_h, movement_pa=0):
    """Seconds from the disconnection to the alarm; the drop of the line alone is a fifth."""
    band, body = LineBand(), Body(1, movement_pa, 0)
    band.start(0)
    drop_pa = ul_per_h * 650 // 1000
    for s in range(0, off_at_s, STEP_S):
        assert not band.sample(s, body.at(s) + drop_pa, drop_pa)
    for s in range(off_at_s, off_at_s + DAY_S, STEP_S):
        if band.sample(s, s % 41 - 20 + drop_pa // 5, drop_pa):
            return s - off_at_s
    return None


def test_a_line_that_is_off_is_found_within_half_an_hour():
    """H16: at any flow; the line end lies at the pump's height."""
    for ul_per_h in (100, 600, 1000, 5000, 10_000):
        for off_at_s in (3_600, 6 * 3600, 2 * DAY_S):
            found_s = _found_s(off_at_s, ul_per_h)
            assert found_s is not None and found_s <= 1800, (ul_per_h, off_at_s)


def test_a_line_that_is_put_on_again_is_no_alarm():
    band = LineBand()
    band.start(0)
    for s in range(0, 7200, STEP_S):
        band.sample(s, 1300 + 390 + s % 3, 390)
    s = 7200
    while not band.sample(s, 78, 390):
        s += STEP_S
    assert not band.sample(s + STEP_S, 1690, 390)
    assert not band.sample(s + 2 * STEP_S, 78, 390)  # and the time begins again


def test_a_pressure_below_that_of_the_air_is_a_patient_s():
    """A patient who sits up, 50 cm lower at the tip: no air has that pressure."""
    band = LineBand()
    band.start(0)
    for s in range(0, 7200, STEP_S):
        band.sample(s, 1690, 390)
    for s in range(7200, 14_400, STEP_S):
        assert not band.sample(s, 1690 - 5_000, 390)
