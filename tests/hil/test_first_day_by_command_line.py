"""A clinic's first day with a pump by the command line: five people, five keys; and what can go wrong on the way."""

import pytest
from cisterna.bench.unix_target import UnixTarget
from cisterna.errors import CisternaError
from cisterna.link import workflows
from cisterna.link.pump_client import LinkUncertain
from support.simulated import clinic_flow
from support.simulated.command_line_day import CommandLineDesk, whole_day
from support.simulated.pump_process import PumpProcess


def test_a_day_by_the_command_line(tmp_path):
    pump = PumpProcess(tmp_path, "--speed", "10")
    whole_day(CommandLineDesk(pump, tmp_path))
    assert pump.end() == 0


# --- what can go wrong at the pump, in the time of its world


@pytest.fixture
def clinic():
    """A pump whose prescription is confirmed; its line is empty."""
    target = UnixTarget()
    clinic = clinic_flow.begin(target)
    clinic_flow.enrol(clinic)
    with clinic.logged_on("okafor", "clinician"):
        loaded = workflows.load_prescription(clinic.pump, clinic.prescription().params())
        clinic.wait(1_000)
        clinic.hold_start()
    assert clinic.pump.state()["rx"] == loaded.hash8
    yield clinic
    target.close()


def ready_to_fill(clinic: clinic_flow.Clinic) -> workflows.Filling:
    with clinic.logged_on("okafor", "clinician"):
        return workflows.make_ready_to_fill(clinic.pump)


def filled(clinic: clinic_flow.Clinic, told: list[float] | None = None) -> dict:
    filling = ready_to_fill(clinic)
    clinic.wait(1_000)
    clinic.press("start")
    workflows.wait_filling(clinic.pump, filling)
    return workflows.wait_filled(clinic.pump, filling, None if told is None else told.append)


def test_a_line_is_filled_and_progress_is_reported(clinic):
    """The volume that the pump announced, and no more."""
    told: list[float] = []
    nl = ready_to_fill(clinic).nl
    state = filled(clinic, told)
    assert told == sorted(told) and told[0] < 0.2 and 0.8 < told[-1] <= 1
    assert nl - 1_000 <= state["primed_nl"] <= nl + 100 and state["state"] == "stopped"


def test_priming_times_out_without_start(clinic):
    """When the host gives up, the pump has given up: a late press fills nothing."""
    filling = ready_to_fill(clinic)
    with pytest.raises(workflows.NotFilled, match="START was not pressed within 180 s"):
        workflows.wait_filling(clinic.pump, filling)
    clinic.press("start")
    clinic.wait(5_000)
    assert clinic.pump.state()["primed_nl"] == 0 == clinic.target.truth()["pumped_ul"]


def test_a_restarted_pump_ends_the_wait_for_priming(clinic):
    filling = ready_to_fill(clinic)
    clinic.target.act("power", off_for_s=1)
    clinic.wait(10_000)
    with pytest.raises(workflows.NotFilled, match="not filled; now: stopped.*boot 2; put that right"):
        workflows.wait_filling(clinic.pump, filling)


def test_stop_ends_the_filling_and_the_rest_is_filled_later(clinic):
    """What went in before counts."""
    filling = ready_to_fill(clinic)
    clinic.wait(1_000)
    clinic.press("start")
    workflows.wait_filling(clinic.pump, filling)
    clinic.wait(60_000)  # the probe at 1 mL/h takes some 50 s
    clinic.press("stop")
    with pytest.raises(workflows.NotFilled, match=r"ended after \d+\.\d{3} of 1\d\d\.\d{3} uL; now: stopped"):
        workflows.wait_filled(clinic.pump, filling)
    moved_nl = clinic.pump.state()["primed_nl"]
    assert 20_000 < moved_nl < 60_000
    clinic.wait(30_000)  # until the pressure of the filling has gone
    rest = ready_to_fill(clinic)
    assert abs(rest.nl + moved_nl - filling.nl) < 200
    assert abs(filled(clinic)["primed_nl"] - filling.nl) < 1_000


@pytest.fixture
def infusing(clinic):
    filled(clinic)
    clinic.target.act("connect")
    clinic.press("start")
    assert clinic.pump.state()["state"] == "infusing"
    return clinic


def order_loaded(clinic: clinic_flow.Clinic) -> int:
    call = clinic_flow.written_order(clinic, ug=20)
    with clinic.logged_on("okafor", "clinician"):
        first = workflows.load_order(clinic.pump, call)
    clinic.wait(1_000)
    return first


def test_an_order_runs_once_start_was_pressed(infusing):
    """The patient's own bolus looks the same in the state; the record says whose it is."""
    first = order_loaded(infusing)
    infusing.press("start")
    started = workflows.wait_given(infusing.pump, first)
    assert (started["mass_ng"], started["duration_ms"]) == (20_000, 600_000)


def test_an_order_times_out_without_start(infusing):
    """When the host gives up, the pump has given up: a late press gives nothing."""
    first = order_loaded(infusing)
    with pytest.raises(workflows.NotGiven, match="not given: .*; this order is used up"):
        workflows.wait_given(infusing.pump, first)
    infusing.press("start")
    infusing.wait(2_000)
    state = infusing.pump.state()
    assert (state["state"], state["booked"]["clinician_nl"]) == ("infusing", 0)


def test_a_bolus_of_the_patient_comes_first(infusing):
    first = order_loaded(infusing)
    infusing.press("pca", 300)
    infusing.press("start")
    with pytest.raises(workflows.NotGiven, match="not given: running"):
        workflows.wait_given(infusing.pump, first)


def test_another_order_replaces_the_first(infusing, monkeypatch):
    """Whose bolus it is that runs then is not taken for one's own."""
    first = order_loaded(infusing)

    def meanwhile(seconds: float) -> None:
        order_loaded(infusing)
        infusing.press("start")

    monkeypatch.setattr(infusing.pump, "release_port", meanwhile)
    with pytest.raises(workflows.OrderReplaced, match=r"somebody has loaded number \d+ .* waits no more"):
        workflows.wait_given(infusing.pump, first)
    assert infusing.pump.state()["state"] == "bolus"


def test_a_therapy_that_stops_takes_the_order_with_it(infusing):
    first = order_loaded(infusing)
    infusing.press("stop")
    with pytest.raises(workflows.NotGiven, match="not_infusing"):
        workflows.wait_given(infusing.pump, first)


def test_an_order_that_cannot_be_given_now(infusing):
    infusing.press("pca", 300)
    with pytest.raises(workflows.NotGiven, match="not given: running; this order is used up"):
        order_loaded(infusing)


def test_a_lost_link_leaves_the_result_of_an_order_unknown(infusing, monkeypatch):
    """The result is unknown, and the command says so."""
    first = order_loaded(infusing)
    monkeypatch.setattr(infusing.target, "send", lambda line: None)  # the cable is out
    monkeypatch.setattr(infusing.pump, "ask_s", 0.1)
    exchange = infusing.target.exchange
    monkeypatch.setattr(infusing.target, "exchange", lambda line, timeout_ms: exchange(b"", timeout_ms=timeout_ms))
    with pytest.raises(LinkUncertain, match="the bolus: it may or may not be given: "):
        workflows.wait_given(infusing.pump, first)


def test_an_order_is_addressed_to_the_prescription_in_force(infusing):
    """The number after the last one of any prescription or order; no order under a prescription that has ended."""
    state = infusing.pump.state()
    assert workflows.order_header(infusing.pump) == {
        "serial": clinic_flow.SERIAL, "sequence": state["rx_seq"] + 1, "rx": state["rx"],
    }  # fmt: skip
    with infusing.logged_on("okafor", "clinician"):
        workflows.stop(infusing.pump, "okafor", infusing.key("okafor"))
    with pytest.raises(CisternaError, match="needs a prescription"):
        workflows.order_header(infusing.pump)
