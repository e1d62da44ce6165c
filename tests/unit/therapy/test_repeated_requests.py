"""A command repeated because its answer was lost: answered again, not done again, with any session."""

import json

import pytest
from cisterna.errors import PumpRefused
from cisterna.link.protocol import Requests
from support.therapy.link_host import LinkHost
from support.therapy.reference_model import Prescription
from support.therapy.therapy_rig import SERIAL, SIGNATURE, TherapyRig

RX = Prescription(basal_ug_per_day=14_400, bolus_ug=100, bolus_duration_s=120, lockout_s=1800)


@pytest.fixture
def host():
    """Of a pump that infuses."""
    rig = TherapyRig()
    assert rig.prescribe(RX) is None
    return LinkHost(rig)


def commands(host):
    return sum(entry.what == "command" for entry in host.rig.tape.entries)


def test_a_repeated_pause_does_not_stop_a_second_time(host):
    """COM-04: START was pressed in between; the earlier pause is not done again after it."""
    request, line = host.requests.line("therapy.pause")
    answer = host.send(line)
    assert answer == {"state": "stopped"} and host.rig.state == "stopped"
    host.rig.key("start")
    assert host.send(host.requests.retry_line(request, "therapy.pause")) == answer
    assert host.rig.state == "infusing" and commands(host) == 1


def test_a_repeated_order_is_staged_once(host):
    """COM-02, COM-04: repeated after its bolus has begun, it is no second order."""
    rig = host.rig
    rig.sequence += 1
    order = {"type": "clinician_bolus", "version": 1, "serial": SERIAL, "sequence": rig.sequence}
    order |= {"rx": rig.pump.therapy.rx.hash8, "ug": 50, "over_s": 60}
    params = {"document": json.dumps(order), "by": "prescriber", "signature": SIGNATURE}
    request, line = host.requests.line("bolus.clinician", params)
    assert host.send(line) == {"staged": True, "reason": None}
    rig.key("start")
    assert rig.state == "bolus"
    assert host.send(host.requests.retry_line(request, "bolus.clinician", params))["staged"]
    rig.run(120_000)
    rig.key("start")
    assert sum(entry.what == "bolus_start" for entry in rig.tape.entries) == 1 and rig.state == "infusing"


def test_a_repeated_log_off_is_answered_again(host):
    """COM-04: it ended the session, so the second line belongs to no session."""
    request, line = host.requests.line("access.log_off")
    assert host.send(line) == {}
    assert host.send(host.requests.retry_line(request, "access.log_off")) == {}
    with pytest.raises(PumpRefused, match="session_expired"):
        host.ask("therapy.stop")


def test_a_refused_line_of_another_host_uses_up_no_id(host):
    """What was refused for want of a log-on is not kept: the id is still free for who may."""
    request, _ = host.requests.line("therapy.pause")
    stranger = Requests()
    stranger._number = 100
    with pytest.raises(PumpRefused, match="session_none"):
        host.send(stranger.retry_line(request, "therapy.stop"))
    host.requests._number = 200
    assert host.send(host.requests.retry_line(request, "therapy.pause")) == {"state": "stopped"}


def test_the_same_id_for_another_command_is_refused(host):
    """COM-04: and not done."""
    request, line = host.requests.line("therapy.pause")
    host.send(line)
    for method, params in (("therapy.stop", {}), ("therapy.pause", {"now": 1})):
        with pytest.raises(PumpRefused) as refused:
            host.send(host.requests.retry_line(request, method, params))
        assert refused.value.code == "id_reused"
    assert not host.rig.pump.therapy.needs_rx


def test_a_repeated_refusal_is_unchanged(host):
    """COM-04: what is true by then does not matter, the command was refused."""
    params = {"fill_ul": 1, "drug": "x", "concentration_ug_per_ml": 1, "syringe": "bd-50"}
    request, line = host.requests.line("reservoir.refill", params)
    with pytest.raises(PumpRefused, match="refill_while_infusing"):
        host.send(line)
    host.rig.key("stop")
    with pytest.raises(PumpRefused, match="refill_while_infusing"):
        host.send(host.requests.retry_line(request, "reservoir.refill", params))
