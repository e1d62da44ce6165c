"""The same scenario on the simulated board and on the real image: the same therapy, step for step.

All other tests of the therapy run on the simulated board; this file shows that their results hold for the chip.

How far the counts of microsteps may differ. The schedule is the same rational number on both boards, so the counts are
equal where nothing cuts a grant. On the chip code takes time, some 10 ms from a wake-up to the first step of its grant:
a stop key, a door, a power cut or an alarm may end motion one step earlier or later. And the chip checks a signature
for 0.4 s where the simulated board takes no time: a running infusion ends, and the next one begins, later by that time.
The end of each scenario lies between two steps of its basal; but the grant booked there may have begun later on the
chip, so that fewer of its steps are made.
"""

import copy
from math import ceil

import pytest
from cisterna import paths
from cisterna.bench.rp2040.target import Rp2040Target
from cisterna.bench.unix_target import UnixTarget
from support.chip.scenario_comparison import TIME_S, USTEP_UL, Result, assert_same, play

SIGNATURE_S = 0.45  # with its share of the document on the wire
SIGNATURES = 4  # of a prescription: the log-on, two persons, the override
GRANT = 24  # usteps in 1 uL


def signed(ul_per_h: float) -> int:
    """Steps that fall into the check of a prescription, at the fastest flow around it."""
    return ceil(ul_per_h / USTEP_UL / 3600 * SIGNATURE_S * SIGNATURES)


BOLUS = 3000  # uL/h of the boluses of 50 uL a minute
APART = {
    "basal-0.1": 0,
    "basal-1": 0,
    "lockout-and-limits": 0,
    "clinician": 0,
    "wrap": 0,
    "stop-and-door": 3,  # three times stopped
    "power": 2 + 2 * signed(600) + GRANT,  # cut, stopped; two prescriptions at 0.6 mL/h; a grant that began later
    "prescribe": 3 + signed(600 + BOLUS) + signed(1200),  # stopped three times by what is new; in a bolus, at 1.2 mL/h
    "occlusion": 1 + signed(2000) + 24,  # the noise of one reading decides on one grant more of the back-off
    "rotation": 1 + signed(146),
}


PRESCRIBED = ("power", "prescribe", "occlusion", "rotation")  # they load one: the host waits for the answer
ORDERED = ("clinician",)  # something over the link began later, and nothing has been stopped since


@pytest.mark.target
@pytest.mark.parametrize("name", APART)
def test_same_therapy(therapy, name):
    """DEL-29, LIM-11, TIM-02: decisions, reasons, alarms, log and steps."""
    booked_apart = max(APART[name], GRANT if name in ORDERED else 0)
    s_apart = TIME_S + (SIGNATURE_S * SIGNATURES if name in PRESCRIBED else 0)
    unix, chip = play(name, UnixTarget(paths.firmware())), play(name, Rp2040Target(therapy))
    assert_same(unix, chip, APART[name], booked_apart, s_apart)


@pytest.fixture(scope="module")
def one() -> Result:
    return play("stop-and-door", UnixTarget(paths.firmware()))


def test_equal_results_pass(one):
    assert_same(one, copy.deepcopy(one))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.summary.update(state="alarm"),
        lambda s: s.summary.update(reboots=1),
        lambda s: s.summary["log"].update(verified=False),
        lambda s: s.summary["refusals"].append({"t": 1.0, "do": "restart", "code": "off"}),
        lambda s: s.summary["boluses"].pop(),
        lambda s: s.summary["boluses"][0].update(result="delivered"),
        lambda s: s.summary["boluses"][1].update(reason="lockout"),
        lambda s: s.summary["boluses"][1].update(next_possible_s=None),
        lambda s: s.summary["boluses"][2].update(t_end=s.summary["boluses"][2]["t_end"] + 1.01),
        lambda s: s.summary["boluses"][2].update(ul=s.summary["boluses"][2]["ul"] + USTEP_UL),
        lambda s: s.summary["alarms"][0].update(code="syringe"),
        lambda s: s.summary["alarms"][0].update(t_off=None),
        lambda s: s.summary.update(pumped_ul=s.summary["pumped_ul"] - USTEP_UL),
        lambda s: s.summary.update(booked_ul=s.summary["booked_ul"] + USTEP_UL),
        lambda s: s.records.reverse(),
        lambda s: setattr(s, "steps", s.steps + 1),
    ],
)
def test_differing_results_are_found(one, change):
    """A comparison that never fails compares nothing."""
    other = copy.deepcopy(one)
    change(other)
    with pytest.raises(AssertionError):
        assert_same(one, other)
