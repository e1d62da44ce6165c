"""What the display says: plain figures that cannot be misread."""

import _vectors
from _rig import ABOUT, SERIAL, SIGNED_ORDER, SIGNED_RX, Rig, block_text
from pump import alarms, provisioning
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


def test_a_pump_says_what_it_runs_on():
    """Board, build and drivers are shown at power-up and until there is a prescription."""
    about = {"board": "pico-therapy", "build": "0123456789abcdef", "drivers": ["a", "b", "c"]}
    screen = Screen(Rig(None, people=None).pump, about)
    for rows in (screen.notice(), screen.rows()):
        said = [row.rstrip() for row in rows]
        assert all(len(row) == WIDTH for row in rows)
        assert "pico-therapy" in said and "build 0123456789" in said and "3 drivers" in said
    assert "Not a medical" in screen.notice()[6]


def said(screen):
    """The rows as one text; each fills its line."""
    rows = screen.rows()
    assert [len(row) for row in rows] == [WIDTH] * 8
    return "|".join(row.rstrip() for row in rows)


def test_whatever_waits_for_a_finger_is_on_the_display():
    """SEC-07, H42, RX-01: who holds the key sees what he confirms, every value of it, and an alarm that stands."""
    rig = Rig(None, people=None)
    rig.ask("provision.load", {"block": block_text()})
    owner = provisioning.fingerprint(int(_vectors.AUTHORITY, 16))
    assert "|PUMP AND OWNER|" + SERIAL + "||authority|" + owner + "||hold START" in said(Screen(rig.pump, ABOUT))
    rig.hold_start()
    assert "START" not in said(Screen(rig.pump, ABOUT))
    rig = Rig()
    rig.log_on("okafor")
    screen = Screen(rig.pump, ABOUT)
    assert "START" not in said(screen)
    loaded = rig.tell("rx.load", SIGNED_RX)["result"]
    rows = "|MORPHINE|200 mcg/mL|IT cisternal|200 mcg/day|20 mcg / 60 min|24h 320 mcg|hold START " + loaded["hash"][:4]
    assert said(screen) == "STOPPED    BENCH" + rows
    rig.core.alarms.raise_(alarms.RESERVOIR_LOW)
    assert said(screen) == "!reservoir_low" + rows
    rig.core.alarms.condition_gone(alarms.RESERVOIR_LOW)
    assert said(screen) == "STOPPED    BENCH" + rows
    rig.hold_start()
    rig.core.primed = True
    rig.start()
    assert "START" not in said(screen)
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert "|CLINICIAN BOLUS|50 mcg|over 10 min||||press START" in said(screen)
    rig.start()
    assert "START" not in said(screen)


def test_a_pump_of_the_bench_says_so():
    """LIB-07: the bench's library is no clinic's."""
    assert "BENCH" in said(Screen(Rig().pump, ABOUT)).split("|")[0]
    assert "BENCH" not in said(Screen(Rig("false").pump, ABOUT))
