"""Texts of the display: plain figures that cannot be misread."""

import json

from pump.base.contacts import START_KEY
from pump.documents import fields, provisioning
from pump.monitoring import alarms
from pump.panel.confirmation_pages import prescription_pages
from pump.panel.screen import Screen
from pump.panel.wording import NAMES, WIDTH, dose, flow, span, span_exact, thousandths
from pump.prescribing import prescription
from support.portable import signed_vectors
from support.portable.pump_rig import ABOUT, SERIAL, SIGNED_ORDER, SIGNED_RX, PumpRig, block_text


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
    """LIM-11, NUM-07: the shown time is never too early."""
    assert span(1) == "1 min"
    assert span(60) == "1 min"
    assert span(61) == "2 min"
    assert span(3_600) == "1 h 00 min"
    assert span(3_901) == "1 h 06 min"


def test_durations_to_confirm_are_exact():
    """H01, RX-01: what is confirmed is not rounded."""
    for seconds, text in ((90, "90 s"), (120, "2 min"), (3_600, "60 min"), (9_000, "2 h 30 min"), (5_415, "5415 s")):
        assert span_exact(seconds) == text


def test_thousandths_have_no_trailing_zero():
    """H01."""
    for n, text in ((500, "0.5"), (10_000, "10"), (9_750, "9.75"), (1, "0.001"), (0, "0"), (1_234_567, "1234.567")):
        assert thousandths(n) == text


def test_similar_names_are_distinguished():
    """H04: tall letters where two names differ."""
    assert NAMES["hydromorphone"] == "HYDROmorphone" and NAMES["morphine"] == "MORPHINE"


def test_the_display_names_the_board():
    """Board, build and drivers are shown at power-up and until there is a prescription."""
    about = {"board": "pico-therapy", "build": "0123456789abcdef", "drivers": ["a", "b", "c"]}
    screen = Screen(PumpRig(None, people=None).pump, about)
    for rows in (screen.notice(), screen.rows()):
        said = [row.rstrip() for row in rows]
        assert all(len(row) == WIDTH for row in rows)
        assert "pico-therapy" in said and "build 0123456789" in said and "3 drivers" in said
    assert "Not a medical" in screen.notice()[6]


PAGES_OF_RX = (  # all but the first
    "|BASAL|200 mcg/day|= 0.2 mg/day|0.041 mL/h|||START: 3 of 6",
    "|BOLUS 20 mcg|over 5 min|lockout 60 min|BOLUSES AT MOST|in 1 h none|in 24 h 6|START: 4 of 6",
    "|ALL DRUG AT MOST|in 1 h none|in 4 h none|in 24 h 320 mcg|||START: 5 of 6",
    "|SYRINGE bd-10|fill 10 mL|dead space|300 uL|compliance|9 uL/kPa|START: 6 of 6",
    "|equivalence none|number 7|hash HASH||||hold START",
)


def said(screen):
    """The rows as one text; each fills its line."""
    rows = screen.rows()
    assert [len(row) for row in rows] == [WIDTH] * 8
    return "|".join(row.rstrip() for row in rows)


def test_every_pending_confirmation_is_on_the_display():
    """SEC-07, H42, RX-01: who holds the key sees what he confirms, every value of it, and an alarm that stands."""
    rig = PumpRig(None, people=None)
    rig.ask("provision.load", {"block": block_text()})
    owner = provisioning.fingerprint(int(signed_vectors.AUTHORITY, 16))
    assert "|PUMP AND OWNER|" + SERIAL + "||authority|" + owner + "||hold START" in said(Screen(rig.pump, ABOUT))
    rig.hold_start()
    assert "START" not in said(Screen(rig.pump, ABOUT))
    rig = PumpRig()
    rig.log_on("okafor")
    screen = Screen(rig.pump, ABOUT)
    assert "START" not in said(screen)
    loaded = rig.tell("rx.load", SIGNED_RX)["result"]
    rows = "|MORPHINE|200 mcg/mL|IT cisternal|patient bench|pump CB-0001||START: 2 of 6"
    assert said(screen) == "STOPPED    BENCH" + rows
    rig.therapy.alarms.raise_(alarms.RESERVOIR_LOW)
    assert said(screen) == "!reservoir_low" + rows
    rig.therapy.alarms.condition_gone(alarms.RESERVOIR_LOW)
    assert said(screen) == "STOPPED    BENCH" + rows
    for page in PAGES_OF_RX:
        rig.start()
        assert said(screen) == "STOPPED    BENCH" + page.replace("HASH", loaded["hash"])
    rig.start()
    assert said(screen) == "STOPPED    BENCH" + rows  # the first one again
    rig.hold_start()
    rig.therapy.primed = True
    rig.start()
    assert "START" not in said(screen)
    rig.tell("bolus.clinician", SIGNED_ORDER)
    assert "|CLINICIAN BOLUS|MORPHINE|50 mcg|over 10 min|||press START" in said(screen)
    rig.start()
    assert "START" not in said(screen)


def test_a_prescription_is_confirmed_on_its_last_page_only():
    """RX-01: START held on an earlier page, or on the last one less than half a second after it came, is no START."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.tell("rx.load", SIGNED_RX)
    confirmation = rig.therapy.confirmation
    for page in range(confirmation.pages - 1):
        assert confirmation.page == page
        rig.press(START_KEY, 2_500)
        assert rig.therapy.rx is None and confirmation.page == page
        rig.start()
    assert confirmation.is_on_last_page()
    rig.start()
    assert confirmation.page == 0
    for _ in range(confirmation.pages - 1):
        rig.start()
    clock = rig.therapy.clock
    rig.pump.front_panel.edge(START_KEY, 0, clock.s, clock.ms)
    rig.run(2_500)
    rig.pump.front_panel.edge(START_KEY, 1, clock.s, clock.ms)
    rig.run(100)
    assert rig.therapy.rx is None
    rig.hold_start()
    assert rig.therapy.rx is not None


def test_a_page_stands_half_a_second_before_it_is_turned():
    """RX-01: two quick presses turn one page; the page between would have been seen by nobody."""
    rig = PumpRig()
    rig.log_on("okafor")
    rig.tell("rx.load", SIGNED_RX)
    rig.start()
    clock = rig.therapy.clock
    for level in (0, 1):
        rig.pump.front_panel.edge(START_KEY, level, clock.s, clock.ms)
        rig.run(100)
    assert rig.therapy.confirmation.page == 1


def signed_values():
    return json.loads(signed_vectors.RX)


def pages_of(old=None, **changes):
    values = signed_values()
    values.update(changes)
    rx = prescription.Prescription(values, json.dumps(values).encode())
    if changes.get("is_overridden"):
        rx.is_overridden = True
    rx.soft_limits = changes.get("soft_limits", ())
    return prescription_pages(rx, old)


def test_every_value_of_a_prescription_is_on_its_pages():
    """RX-01, H01: a value that differs is seen to differ, besides by the hash, which stands alone on the last row."""
    shown = [row for page in pages_of() for row in page]
    assert "hash" in shown[-1]
    checked = 0
    for key, kind in prescription.FIELDS[2:]:
        if key == "flow_nl_per_h":  # is computed from the basal, and so shown
            continue
        for other in {fields.TEXT: ("epidural", "x" * 64), fields.COUNT_OR_NONE: ("none", 77, 999_999_999)}.get(
            kind, (77, 99)
        ):
            if other != signed_values()[key]:
                differs = [row for page in pages_of(**{key: other}) for row in page]
                assert differs[:-1] != shown[:-1], (key, other)
                checked += 1
    assert checked >= 2 * 21 - 4


def test_no_value_is_shortened():
    """RX-01: the longest texts and the largest numbers take further rows; nothing is wider than the display."""
    text = "".join(chr(65 + k % 26) for k in range(64))
    most = {key: text if kind == fields.TEXT else 1_000_000_000 for key, kind in prescription.FIELDS[2:]}
    most["serial"] = text[:20]
    soft = (("basal_soft_max", 1_000_000_000),)
    pages = pages_of(**most, is_overridden=True, soft_limits=soft)
    assert all(1 <= len(page) <= 6 for page in pages) and len(pages) < 20
    rows = [row for page in pages for row in page]
    assert all(1 <= len(row) <= WIDTH for row in rows)
    assert "".join(rows).count(text) == 5 and text[:20] in "".join(rows)
    assert "".join(rows).count("1000000000") >= 10


def test_a_warning_takes_no_line_of_a_value():
    """LIB-03, H05: a soft limit that is exceeded, and a ceiling that was lifted, stand beside all values."""
    plain = [row for page in pages_of() for row in page]
    warned = [row for page in pages_of(soft_limits=(("basal_soft_max", 150),), is_overridden=True) for row in page]
    assert [row for row in plain if row not in warned] == [plain[-1]]  # the hash of other bytes
    for row in ("! SOFT LIMIT", "basal_soft_max", "150 mcg/day", "! FIRST DOSE", "a second person"):
        assert row in warned and row not in plain


def test_a_changed_basal_is_shown_beside_the_one_in_force():
    """H07: what was, under what shall be."""
    old = prescription.parse(signed_vectors.RX)
    assert "was 200 mcg/day" in pages_of(old, basal_ug_per_day=400)[1]
    assert not any(row[:3] == "was" for page in pages_of(old) for row in page)


def test_a_limit_that_is_not_set_is_none():
    """LIM-10, RX-02: 1 h, 4 h, 24 h and both counts, in words."""
    changes = ("limit_1h_ug", "limit_4h_ug", "limit_24h_ug", "max_boluses_per_h", "max_boluses_per_24h")
    rows = [row for page in pages_of(**dict.fromkeys(changes, "none")) for row in page]
    assert rows.count("in 1 h none") == 2 and rows.count("in 24 h none") == 2 and rows.count("in 4 h none") == 1


def test_a_bench_pump_is_marked():
    """LIB-07: the bench's library is no clinic's."""
    assert "BENCH" in said(Screen(PumpRig().pump, ABOUT)).split("|")[0]
    assert "BENCH" not in said(Screen(PumpRig("false").pump, ABOUT))
