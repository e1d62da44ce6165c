"""What the display says: plain figures that cannot be misread."""

from pump.screen import NAMES, WIDTH, Screen, dose, flow, span


def test_doses_have_a_leading_zero_and_no_trailing_one():
    """H01: mcg, never the micro sign; 0.4, never .4; 140, never 140.0."""
    for ng, text in (
        (0, "0 mcg"),
        (400, "0.4 mcg"),
        (999, "0.9 mcg"),
        (1_000, "1 mcg"),
        (1_400, "1.4 mcg"),
        (140_000, "140 mcg"),
        (140_500, "140.5 mcg"),
        (1_000_500, "1000 mcg"),
        (240_000_000, "240000 mcg"),
    ):
        assert dose(ng) == text


def test_flows_have_three_decimals():
    assert flow(0) == "0.000 mL/h"
    assert flow(145_833) == "0.145 mL/h"
    assert flow(10_000_000) == "10.000 mL/h"


def test_times_to_wait_round_up():
    """LIM-11, NUM-07: nobody is told to press too early."""
    assert span(1) == "1 min"
    assert span(60) == "1 min"
    assert span(61) == "2 min"
    assert span(3_600) == "1 h 00 min"
    assert span(3_901) == "1 h 06 min"


def test_look_alikes_are_told_apart():
    """H04: tall letters where two names differ."""
    assert NAMES["hydromorphone"] == "HYDROmorphone" and NAMES["morphine"] == "MORPHINE"


class NoTherapy:
    """A pump that was never told anything."""

    class core:
        state, rx, staged, needs_rx = 1, None, None, True

        @staticmethod
        def infusing():
            return False

        class alarms:
            @staticmethod
            def top():
                return -1

        class reservoir:
            @staticmethod
            def remaining_nl():
                return 0

    class intake:
        staged = None


def test_a_pump_says_what_it_runs_on():
    """Board, build and drivers are shown at power-up and until there is a prescription."""
    about = {"board": "pico-therapy", "build": "0123456789abcdef", "drivers": ["a", "b", "c"]}
    screen = Screen(NoTherapy, None, about)
    for rows in (screen.notice(), screen.rows()):
        said = [row.rstrip() for row in rows]
        assert all(len(row) == WIDTH for row in rows)
        assert "pico-therapy" in said and "build 0123456789" in said and "3 drivers" in said
    assert "Not a medical" in screen.notice()[6]
