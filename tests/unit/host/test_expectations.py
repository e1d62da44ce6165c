"""Expectations: each kind holds and fails as it says, and a key that leads nowhere says what there is."""

import pytest
from cisterna.sim.expect import failure, failures
from cisterna.sim.scenario_model import Expect

SUMMARY = {
    "state": "infusing",
    "reboots": 0,
    "booked_ul": 12.5,
    "boluses": [{"result": "delivered", "reason": None}, {"result": "refused", "reason": "lockout"}],
    "alarms": [],
    "peak_window_ug": {"1h": 3.0},
    "log": {"records": 4, "verified": True},
}


@pytest.mark.parametrize(
    "wanted",
    [
        {"key": "state", "equals": "infusing"},
        {"key": "boluses.1.reason", "equals": "lockout"},
        {"key": "boluses.0.reason", "equals": "null"},
        {"key": "boluses.length", "equals": 2},
        {"key": "alarms", "equals": []},
        {"key": "reboots", "equals": 0.0},
        {"key": "peak_window_ug.1h", "max": 3},
        {"key": "booked_ul", "min": 12.5},
        {"key": "booked_ul", "within": [12.5, 12.5]},
        {"key": "log.verified", "equals": True},
        {"key": "boluses.0", "equals": {"result": "delivered", "reason": "null"}},
    ],
)
def test_expectations_that_hold(wanted):
    assert failure(SUMMARY, Expect.model_validate(wanted)) is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"key": "state", "equals": "alarm"}, "expected state = 'alarm', found 'infusing'"),
        (
            {"key": "boluses.0.reason", "equals": "lockout"},
            "expected boluses.0.reason = 'lockout', found null",
        ),
        ({"key": "booked_ul", "max": 12.4}, "expected booked_ul <= 12.4, found 12.5"),
        ({"key": "booked_ul", "within": [1, 2]}, "expected booked_ul within 1 to 2, found 12.5"),
        ({"key": "state", "min": 1}, "expected state >= 1.0, found 'infusing'"),
        ({"key": "boluses.0.reason", "max": 1}, "expected boluses.0.reason <= 1.0, found null"),
        ({"key": "log.verified", "equals": 1}, "expected log.verified = 1, found True"),
        ({"key": "reboots", "equals": False}, "expected reboots = False, found 0"),
        ({"key": "boluses.2.result", "equals": "x"}, "but boluses has no place 2; there is: 0 to 1"),
        ({"key": "alarms.0.code", "equals": "x"}, "but alarms has no place 0; there is: nothing"),
        ({"key": "log.size", "equals": 1}, "but log has no 'size'; there is: records, verified"),
        ({"key": "primed_ul", "equals": 1}, "but the summary has no 'primed_ul'; there is: state, reboots"),
        ({"key": "state.x", "equals": 1}, "but state is 'infusing', which has no 'x'"),
        ({"key": "boluses.-1.result", "equals": 1}, "but boluses is a list, where '-1' is no place"),
    ],
)
def test_expectations_that_fail(wanted, said):
    assert said in failure(SUMMARY, Expect.model_validate(wanted))


def test_only_failures_are_listed():
    expects = [Expect(key="state", equals="infusing"), Expect(key="reboots", min=1.0)]
    assert failures(SUMMARY, expects) == ["expected reboots >= 1.0, found 0"]
