"""A command that is said again because its answer was lost: answered again, not done again, whoever is logged on."""

import json

import pytest
from cisterna.errors import PumpRefused
from cisterna.link.client import Requests

from model.host import Host
from model.reference import Prescription
from model.rig import SERIAL, SIGNATURE, Rig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)


@pytest.fixture
def host():
    """Of a pump that infuses."""
    rig = Rig()
    assert rig.prescribe(RX) is None
    return Host(rig)


def commands(host):
    return sum(entry.what == "command" for entry in host.rig.tape.entries)


def test_a_pause_that_is_said_again_stops_nobody_twice(host):
    """COM-04: the start key has been pressed in between: what was said before it is not done after it."""
    request, line = host.requests.line("therapy.pause")
    answer = host.say(line)
    assert answer == {"state": "stopped"} and host.rig.state == "stopped"
    host.rig.key("start")
    assert host.say(host.requests.again(request, "therapy.pause")) == answer
    assert host.rig.state == "infusing" and commands(host) == 1


def test_an_order_that_is_said_again_waits_once(host):
    """COM-02, COM-04: said again after its bolus has begun, it is no second order."""
    rig = host.rig
    rig.sequence += 1
    order = {"type": "clinician_bolus", "version": 1, "serial": SERIAL, "sequence": rig.sequence}
    order |= {"rx": rig.pump.core.rx.hash8, "ug": 50, "over_s": 60}
    params = {"document": json.dumps(order), "by": "prescriber", "signature": SIGNATURE}
    request, line = host.requests.line("bolus.clinician", params)
    assert host.say(line) == {"staged": True, "reason": None}
    rig.key("start")
    assert rig.state == "bolus"
    assert host.say(host.requests.again(request, "bolus.clinician", params))["staged"]
    rig.run(120_000)
    rig.key("start")
    assert sum(entry.what == "bolus_start" for entry in rig.tape.entries) == 1 and rig.state == "infusing"


def test_a_log_off_that_is_said_again_is_answered_again(host):
    """COM-04: it ended the session, so the second line is nobody's."""
    request, line = host.requests.line("access.log_off")
    assert host.say(line) == {}
    assert host.say(host.requests.again(request, "access.log_off")) == {}
    with pytest.raises(PumpRefused, match="session_expired"):
        host.ask("therapy.pause")


def test_a_stranger_s_line_blocks_no_id(host):
    """What was refused for want of a log-on is not kept: the id is still free for who may."""
    request, _ = host.requests.line("therapy.pause")
    stranger = Requests()
    stranger._number = 100
    with pytest.raises(PumpRefused, match="session_none"):
        host.say(stranger.again(request, "therapy.stop"))
    host.requests._number = 200
    assert host.say(host.requests.again(request, "therapy.pause")) == {"state": "stopped"}


def test_the_same_id_for_another_command_is_refused(host):
    """COM-04: and not done."""
    request, line = host.requests.line("therapy.pause")
    host.say(line)
    for method, params in (("therapy.stop", {}), ("therapy.pause", {"now": 1})):
        with pytest.raises(PumpRefused) as refused:
            host.say(host.requests.again(request, method, params))
        assert refused.value.code == "id_reused"
    assert not host.rig.pump.core.needs_rx


def test_a_refusal_is_said_again_as_it_was(host):
    """COM-04: what is true by then does not matter, the command was refused."""
    request, line = host.requests.line("reservoir.refill", {"fill_ul": 1, "drug": "x", "concentration_ug_per_ml": 1})
    with pytest.raises(PumpRefused, match="refill_while_infusing"):
        host.say(line)
    host.rig.key("stop")
    params = {"fill_ul": 1, "drug": "x", "concentration_ug_per_ml": 1}
    with pytest.raises(PumpRefused, match="refill_while_infusing"):
        host.say(host.requests.again(request, "reservoir.refill", params))
