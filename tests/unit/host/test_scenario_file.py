"""Scenario files: accepted values; each fault is one line with the key, its value and what is allowed."""

import pytest
from cisterna import paths
from cisterna.durations import parse_ms, readable
from cisterna.errors import NotYet, ScenarioError
from cisterna.sim import scenario_file, scenario_model
from support.simulated.scenario_text import BASE, at, changed


def load(tmp_path, text: str) -> scenario_model.Scenario:
    path = tmp_path / "case.toml"
    path.write_text(text, encoding="utf-8")
    return scenario_file.load(path)


def fault(tmp_path, text: str, kind=ScenarioError) -> str:
    with pytest.raises(kind) as caught:
        load(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(tmp_path / "case.toml")) for line in lines)
    return str(caught.value).replace(str(tmp_path / "case.toml") + ": ", "")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("5min", 300_000),
        ("1.5h", 5_400_000),
        ("2d", 172_800_000),
        ("-10s", -10_000),
        ("2h40min", 9_600_000),
        ("0.0005s", 0),
        ("0s", 0),
    ],
)
def test_durations(text, ms):
    assert parse_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5", "5m", "5 hours", "1e3s", "h", "--5s", "5s-", "0,5h", 5, 5.0, None, True, "٣s"]
)
def test_invalid_durations(text):
    with pytest.raises(ValueError, match="unit"):
        parse_ms(text)


def test_times_are_readable():
    assert [readable(t) for t in (0, 7200.9, 90_061, -60)] == [
        "00:00:00",
        "02:00:00",
        "1 d 01:01:01",
        "-00:01:00",
    ]


def test_defaults_are_those_of_the_contract(tmp_path):
    scenario = load(tmp_path, BASE)
    pump = scenario.pump
    assert (pump.compliance_ul_per_kpa, pump.compliance_known_as, pump.deadspace_ul) == (9, 9, 300)
    assert (pump.resistance_kpa_per_ml_h, pump.tip_kpa, pump.movement_kpa, pump.bore_error_percent) == (
        0.65,
        1.3,
        0,
        0,
    )
    assert (pump.pitch_error_um, pump.backlash_um, pump.stick_slip_um) == (1.5, 20, 2)
    assert (pump.pressure_noise_kpa, pump.encoder_inl_deg) == (0.02, 1)
    assert scenario.clock_unix_s == 1_767_600_000
    press = load(tmp_path, changed(more=at("press"))).at[0]
    assert (press.button, press.hold_ms, press.count, press.gap_ms) == ("pca", 200, 1, 300)
    assert load(tmp_path, changed(more=at("back_pressure", "kpa = 3"))).at[0].over_ms == 20_000
    assert scenario.prescription.limit_1h_ug is None


def test_all_shipped_scenarios_are_valid():
    files = sorted(paths.SCENARIOS.glob("*.toml"))
    assert len(files) >= 9
    for file in files:
        scenario = scenario_file.load(file)
        assert scenario.expect, f"{file.name} expects nothing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            changed("fill_ml = 10.0", "fill_ml = 10.5"),
            "pump.fill_ml held 10.5; allowed: at most 10, the bd-10 syringe",
        ),
        (changed("fill_ml = 10.0", "fill_ml = 0"), "pump.fill_ml held 0; allowed: greater than 0"),
        (changed("fill_ml = 10.0", "fill_ml = nan"), "pump.fill_ml held NaN; allowed: a finite number"),
        (changed("fill_ml = 10.0", 'fill_ml = "10"'), 'pump.fill_ml held "10"; allowed: a number'),
        (changed("fill_ml = 10.0"), "pump.fill_ml is missing; allowed: a number"),
        (
            changed('"bd-10"', '"bd-60"'),
            'pump.syringe held "bd-60"; allowed: "bd-5", "bd-10", "bd-20", "bd-30" or "bd-50"',
        ),
        (
            changed("bolus_ug = 100", 'bolus_ug = "0,5"'),
            'prescription.bolus_ug held "0,5"; allowed: a whole number',
        ),
        (
            changed("bolus_ug = 100", "bolus_ug = 0.5"),
            "prescription.bolus_ug held 0.5; allowed: a whole number",
        ),
        (
            changed("bolus_ug = 100", "bolus_ug = true"),
            "prescription.bolus_ug held true; allowed: a whole number",
        ),
        (changed("bolus_ug", "bolus_mg"), "prescription.bolus_ug is missing"),
        (
            changed("bolus_ug", "bolus_mg"),
            "prescription.bolus_mg is an unknown key (held 100); allowed: drug, ",
        ),
        (changed('"test-fluid"', '"fentanyl"'), 'prescription.drug held "fentanyl"; allowed: "morphine"'),
        (changed('duration = "8h"', 'duration = "8"'), 'duration held "8"; allowed: numbers with their unit'),
        (changed('duration = "8h"', 'duration = "-8h"'), 'duration held "-8h"; allowed: more than 0'),
        (changed('duration = "8h"'), "duration is missing"),
        (changed("seed = 1", "sed = 1"), "sed is an unknown key (held 1); allowed: title, duration, seed"),
        (changed(more=at("dance")), 'at.0.do held "dance"; allowed: press, pendant, occlude, clear'),
        (changed(more='[[at]]\nt = "1h"'), "at.0.do is missing; allowed: press, "),
        (changed(more='[[at]]\ndo = "press"'), "at.0.t is missing; allowed: numbers with their unit"),
        (
            changed(more=at("press", "hold = 3")),
            "at.0.hold is an unknown key (held 3); allowed: t, do, button, hold_ms",
        ),
        (
            changed(more=at("press", 'button = "on"')),
            'at.0.button held "on"; allowed: "pca", "start", "stop" or "ack"',
        ),
        (changed(more=at("stall")), "at.0.for is missing; allowed: numbers with their unit"),
        (changed(more=at("stall", 'for = "x"')), 'at.0.for held "x"; allowed: numbers with their unit'),
        (changed(more=at("clock", 'set = "soon"')), 'at.0.set held "soon"; allowed: an ISO time'),
        (changed(more=at("prescribe", "basal_mg = 1")), "at.0.basal_mg is an unknown key (held 1)"),
        (changed(more=at("prescribe")), "at.0 prescribes no change"),
        (changed(more=at("flip", 'name = "x"', "bit = 3")), 'at.0.name held "x"; allowed: a name of `cisterna sim --'),
        (changed(more=at("flip", 'name = "clock.ms"', "bit = 10")), "at.0.bit held 10; allowed: 0 to 9, the bits of"),
        (changed(more=at("refill", "ml = 11")), "at.0.ml held 11; allowed: at most 10, the bd-10 syringe"),
        (changed(more=at("press", t="8.1h")), 'at.0.t held "29160s"; allowed: up to the duration, "28800s"'),
        (changed(more=at("press", t="-11min")), 'at.0.t held "-660s"; allowed: not before "-600s"'),
        (
            changed(more='[[expect]]\nkey = "state"'),
            "expect.0 held []; allowed: exactly one of equals, min, max, within",
        ),
        (
            changed(more='[[expect]]\nkey = "statt"\nmin = 1'),
            'expect.0.key held "statt"; allowed: one of title, target',
        ),
        (
            changed(more='[[expect]]\nkey = "reboots"\nmin = 1\nmax = 2'),
            'expect.0 held ["max", "min"]; allowed: exactly one',
        ),
        (
            changed(more='[[expect]]\nkey = "reboots"\nwithin = [2, 1]'),
            "expect.0.within held [2, 1]; allowed: [low, high]",
        ),
        ("title = ", "not TOML: "),
        ("a = 1\na = 2", "not TOML: "),
    ],
)
def test_each_fault_is_one_line(tmp_path, text, said):
    assert said in fault(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deep"),
        (".".join("a" * 2000) + " = 1", "a.a.a.a.a.a.a.a... is nested too deep; allowed: 16 levels"),
        (changed("fill_ml = 10.0", "fill_ml = -inf"), "pump.fill_ml held -Infinity; allowed: a finite number"),
        (
            changed("seed = 1", "seed = " + "9" * 30),
            "seed held 999999999999999999999999999999; allowed: a whole number",
        ),
        (changed("seed = 1", "seed = " + "9" * 5000), "not TOML: Exceeds the limit"),
        (changed("seed = 1", "seed = 0x" + "f" * 5000), "seed held a number of too many digits; allowed: a whole"),
        (
            changed(more='[[expect]]\nkey = "reboots"\nwithin = [0, 1' + "0" * 400 + "]"),
            "expect.0.within held [0, 1",
        ),
        (changed(more='[[expect]]\nkey = "reboots"\nwithin = [0, inf]'), "expect.0.within held [0, Infinity]"),
        (changed(more='[[expect]]\nkey = "log"\nequals = {a = [nan]}'), "expect.0.equals.a held [NaN]"),
        (changed("fill_ml = 10.0", "fill_ml = 1e-300"), "pump.fill_ml held 1e-300; allowed: 0 or at least 1e-06"),
        *(
            (changed("fill_ml = 10.0", f"fill_ml = 10.0\n{key} = 1e308"), f"pump.{key} held 1e+308; allowed: less than")
            for key in ("resistance_kpa_per_ml_h", "compliance_ul_per_kpa", "stick_slip_um", "tip_kpa", "movement_kpa")
        ),
        (changed(more=at("back_pressure", "kpa = 1e308")), "at.0.kpa held 1e+308; allowed: less than"),
        (changed(more=at("power", 'off_for = "367d"')), 'at.0.off_for held "367d"; allowed: at most 366d'),
        (changed(more=at("stall", 'for = "999999999d"')), 'at.0.for held "999999999d"; allowed: at most 36500d'),
    ],
)
def test_what_no_world_can_take_is_one_line(tmp_path, text, said):
    assert fault(tmp_path, text).startswith(said)
    assert len(fault(tmp_path, text).splitlines()) == 1


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert load(tmp_path, "\ufeff" + BASE) == load(tmp_path, BASE)


def test_all_faults_are_reported_at_once(tmp_path):
    text = changed("bolus_ug = 100", 'bolus_ug = "x"', at("press", "hold_ms = 0.5") + at("dance"))
    assert len(fault(tmp_path, text).splitlines()) == 3


@pytest.mark.parametrize(
    "action",
    [
        at("air", "ul = 5"),
        at("battery", "percent = 5"),
        at("mains", "on = false"),
        at("occlude", 'where = "upstream"'),
        at("clear", 'where = "upstream"'),
        at("sensor", 'name = "air"', 'fault = "stuck"'),
        at("sensor", 'name = "battery"', 'fault = "ok"'),
        at("sensor", 'name = "temperature"', 'fault = "open"'),
    ],
)
def test_actions_that_are_not_supported_yet(tmp_path, action):
    assert "not yet" in fault(tmp_path, changed(more=action), NotYet)


def test_a_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ScenarioError, match="cannot be read"):
            scenario_file.load(path)
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(ScenarioError, match="not UTF-8"):
        scenario_file.load(tmp_path / "latin.toml")


def test_clock_without_zone_is_utc(tmp_path):
    for said in (
        '"2038-01-19T03:14:08Z"',
        "2038-01-19T03:14:08Z",
        '"2038-01-19T03:14:08"',
        '"2038-01-19T05:14:08+02:00"',
    ):
        assert load(tmp_path, changed(more=at("clock", f"set = {said}"))).at[0].set_unix_s == 2**31


def test_prescribe_carries_only_what_changes(tmp_path):
    action = load(tmp_path, changed(more=at("prescribe", "basal_ug_per_day = 9000", "bolus_ug = 0"))).at[0]
    assert action.changes() == {"basal_ug_per_day": 9000, "bolus_ug": 0}
