"""A change of drug, against the reference model: past mass restated, the bridge, lockouts and limits through it."""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from support.therapy.example_therapy import MIN_MS, active_alarms
from support.therapy.fluid_queue import FluidQueue
from support.therapy.record_checker import RecordChecker
from support.therapy.reference_model import DAY_MS, HOUR_MS, Prescription
from support.therapy.therapy_rig import NO_TIME, TherapyRig

FIFTH = {"morphine": Fraction(1, 5)}
LINE_NL = 300_000


@dataclass(frozen=True)
class Rx(Prescription):
    """Of a drug; `equiv_prev_ug_per_day` as signed, and the same as a ratio for the model."""

    equiv_prev_ug_per_day: int | None = None


MORPHINE = Rx(
    drug="morphine", concentration_ug_per_ml=200, basal_ug_per_day=500, bolus_ug=50, bolus_duration_s=300,
    lockout_s=1800, limit_24h_ug=800,
)  # fmt: skip
HYDRO = Rx(
    drug="hydromorphone", concentration_ug_per_ml=50, basal_ug_per_day=100, bolus_ug=10, bolus_duration_s=300,
    lockout_s=1800, limit_24h_ug=160, equivalence=FIFTH, equiv_prev_ug_per_day=100,
)  # fmt: skip


class Clinic:
    """A rig, its checker, and the hands that exchange the syringe. The checker compares every decision."""

    def __init__(self, rx=MORPHINE):
        self.rig = TherapyRig(syringe="bd-10", fill_ul=10_000)
        self.checker = RecordChecker(self.rig)
        self.checker.loaded = rx
        assert self.rig.prescribe(rx) is None
        assert self.rig.state == "infusing"
        self.queue = self.checker.queue = FluidQueue(self.rig, LINE_NL)

    def rotate(self, rx):
        """Prescribes `rx`, exchanges the syringe, starts. Code of the refusal, or None."""
        self.checker.loaded = rx
        code = self.rig.prescribe(rx)
        if code is None:
            assert self.rig.state == "stopped" and self.rig.pump.start_stop.blocked_by() == "exchange"
            assert self.rig.exchange(rx) is None
            self.rig.key("start")
            assert self.rig.state == "infusing"
        return code

    def press(self):
        self.rig.press()
        return self.checker.last_reason

    def run_until_through(self):
        while self.rig.pump.therapy.fluids.bars_bolus():
            self.rig.run(10_000)

    def run_until_renewed(self):
        while self.rig.pump.therapy.fluids.in_bridge():
            self.rig.run(10_000)


def test_a_rotation_restates_what_was_given():
    """H04, H11, LIM-05, LIM-27: bolus and rate count by the equivalence; each decision is the model's, for a day."""
    clinic = Clinic()
    assert clinic.press() is None
    clinic.rig.run(20 * MIN_MS)
    assert clinic.rotate(HYDRO) is None
    assert clinic.press() == "bridge"
    decision = clinic.rig.last("pca_decision").payload
    told_ms = decision["next_s"] * 1000 + decision["next_ms"]
    clinic.run_until_through()
    assert 0 <= told_ms - clinic.rig.pump_ms_now() <= 40_000
    accepted = 0
    for _ in range(30):
        accepted += clinic.press() is None
        clinic.rig.run(47 * MIN_MS)
    assert accepted >= 3 and "limit_24h" in clinic.checker.refused
    assert active_alarms(clinic.rig) == []


@pytest.mark.parametrize("basal, worth", [(70, 100), (100, 100), (100, 80)])
def test_basal_is_the_lower_of_both_rates_until_one_dead_space(basal, worth):
    """H11: of morphine at the tip no more than before and no more than the new rate; the new rate from then on."""
    rx = replace(HYDRO, basal_ug_per_day=basal, limit_24h_ug=160, equiv_prev_ug_per_day=worth)
    rx = replace(rx, limit_24h_ug=basal * 160 // 100, equivalence={"morphine": Fraction(worth, 500)})
    clinic = Clinic(replace(MORPHINE, bolus_ug=0, limit_24h_ug=500))
    assert clinic.rotate(rx) is None
    therapy, start_ms, before = clinic.rig.pump.therapy, clinic.rig.plant.now_ms, clinic.queue.given_ng()
    clinic.rig.run(HOUR_MS)
    lower_morphine = min(500, basal * 500 // worth)
    assert clinic.queue.given_ng() - before == pytest.approx(lower_morphine * 1000 / 24, rel=0.01)
    clinic.run_until_through()
    # 270 uL of the old fluid, then 30 uL at the strength of the new one, which is stronger
    hours = 0.270 / (lower_morphine / 24 / 200) + 0.030 / (min(worth, basal) / 24 / 50)
    assert clinic.rig.plant.now_ms - start_ms == pytest.approx(hours * HOUR_MS, rel=0.02)
    clinic.rig.run(MIN_MS)
    assert therapy.flow_nl_per_h == pytest.approx(basal * 1_000_000 // (24 * 50), rel=0.01)
    clinic.run_until_renewed()
    before = clinic.queue.given_ng()
    clinic.rig.run(DAY_MS)
    assert clinic.queue.given_ng() - before == pytest.approx(basal * 1000, rel=0.005)


def test_a_rotation_with_equal_numbers_restates_the_past_rate():
    """H04, LIM-05: 100 ug/day of either drug: the old rate was worth 500 or 20, and the windows must know it."""
    old = replace(HYDRO, equiv_prev_ug_per_day=None)
    same = replace(MORPHINE, concentration_ug_per_ml=100, basal_ug_per_day=100, bolus_ug=10, limit_24h_ug=160)
    same = replace(same, equiv_prev_ug_per_day=500)
    clinic = Clinic(old)
    assert clinic.press() is None
    assert clinic.rotate(replace(same, equivalence={"hydromorphone": 5})) == "limit_24h"
    assert clinic.rig.state == "bolus"
    small = replace(HYDRO, concentration_ug_per_ml=20, basal_ug_per_day=30, bolus_ug=5)
    clinic = Clinic(replace(same, equiv_prev_ug_per_day=None))
    assert clinic.press() is None
    clinic.rig.run(40 * MIN_MS)
    assert clinic.rotate(replace(small, equiv_prev_ug_per_day=20, limit_24h_ug=48)) is None
    rates, boluses = clinic.rig.pump.therapy.history.rates, clinic.rig.pump.therapy.history.boluses
    assert rates.at(0)[2] == 20 and boluses.at(0)[2] == 2_000


def test_a_rotation_without_boluses_restates_the_old_basal():
    """H04, LIM-05: a window of the old rate counts by the equivalence also when no bolus was given."""
    clinic = Clinic()
    assert clinic.rotate(replace(HYDRO, basal_ug_per_day=70, bolus_ug=10, limit_24h_ug=112)) is None
    assert clinic.rig.pump.therapy.history.rates.at(0)[2] == 100
    assert len(clinic.rig.pump.therapy.history.boluses) == 0
    clinic.run_until_through()
    assert clinic.press() is None  # 100 + 10 <= 112
    clinic.rig.run(40 * MIN_MS)
    assert clinic.press() == "limit_24h"


def test_a_rotation_from_demand_only_without_history():
    """H04, H11: no rate is known, so nothing is given until the line was renewed off the patient."""
    clinic = Clinic(replace(MORPHINE, basal_ug_per_day=0, bolus_ug=20, limit_24h_ug=800))
    rx = replace(HYDRO, basal_ug_per_day=100, equiv_prev_ug_per_day=100, bolus_ug=10, limit_24h_ug=160)
    assert clinic.rotate(rx) is None
    before = clinic.rig.plant.position()
    clinic.rig.run(2 * HOUR_MS)
    assert clinic.rig.plant.position() == before and clinic.rig.state == "infusing"
    clinic.rig.press()
    decision = clinic.rig.last("pca_decision").payload
    assert clinic.checker.last_reason == "bridge" and decision["next_s"] == NO_TIME


def test_a_bolus_that_runs_is_restated_with_what_was_booked():
    """H04, LIM-17: the confirmation interrupts it; its mass counts by the equivalence, rounded up."""
    clinic = Clinic()
    clinic.press()
    clinic.rig.run(150_000)
    assert clinic.rotate(HYDRO) is None
    end = clinic.rig.last("bolus_end").payload
    assert end["interrupted"] and 20_000 < end["mass_ng"] < 40_000
    assert clinic.rig.pump.therapy.history.boluses.at(0)[2] == -(-end["mass_ng"] // 5000) * 1000


def test_a_running_bolus_counts_restated_before_it_is_booked():
    """H04, LIM-05: at loading the bolus still runs; whole it would be 50 ug of the new drug, restated it is 10."""
    clinic = Clinic()
    clinic.press()
    rx = replace(HYDRO, limit_24h_ug=110)
    assert clinic.rig.state == "bolus" and clinic.rig.load(rx) is None
    assert clinic.rig.load(replace(rx, limit_24h_ug=109)) == "limit_24h"


def test_a_second_change_of_drug_within_a_day_is_refused():
    """H04: restated twice, the same past mass could shrink; also with the bridge long over."""
    clinic = Clinic()
    assert clinic.rotate(HYDRO) is None
    clinic.run_until_renewed()
    back = replace(MORPHINE, equivalence={"hydromorphone": 5}, equiv_prev_ug_per_day=500)
    converted_ms = clinic.rig.pump.therapy.converted_s * 1000
    assert clinic.rig.load(back) == "rx_drug_changed_lately"
    clinic.rig.run(converted_ms + DAY_MS - 60_000 - clinic.rig.pump_ms_now())
    assert clinic.rig.load(back) == "rx_drug_changed_lately"
    clinic.rig.run(61_000)
    assert clinic.rig.load(back) is None


def test_a_rotation_with_a_full_ring_is_refused():
    """LIM-18: there is no room for the copies: refused, nothing lost, the therapy goes on."""
    clinic = Clinic()
    history = clinic.rig.pump.therapy.history
    for k in range(31):
        history.rate_replaced(1, k, 500)
    assert clinic.rig.load(HYDRO) is None
    history.rate_replaced(1, 40, 500)
    assert clinic.rig.load(HYDRO) == "rx_history_full"
    assert clinic.rig.state == "infusing"


def test_a_clinician_bolus_is_refused_in_a_bridge():
    """DEL-10, H11: until one dead space; the next time is the end of the bridge."""
    clinic = Clinic()
    assert clinic.rotate(HYDRO) is None
    assert clinic.rig.order(10, 600) == "bridge"
    assert clinic.rig.last("clinician_decision").payload["next_s"] != NO_TIME
    clinic.run_until_through()
    assert clinic.rig.clinician_bolus(10, 600) is None


def test_a_bridge_to_another_drug_outlasts_power_cuts():
    """H11, RPL-01: basal of the old drug, PCA refused, and the new rate at the same place of the line."""
    clinic = Clinic()
    assert clinic.rotate(HYDRO) is None
    for _ in range(3):
        clinic.rig.run(20 * MIN_MS)
        flow = clinic.rig.pump.therapy.flow_nl_per_h
        clinic.checker.cut(20_000, True)
        clinic.checker.loaded = HYDRO
        assert clinic.rig.prescribe(HYDRO) is None and clinic.rig.state == "infusing"
        assert clinic.rig.pump.therapy.flow_nl_per_h == flow == 104_166
        assert clinic.press() == "bridge"
        clinic.rig.run(3_000)
    clinic.run_until_renewed()
    assert clinic.press() is None


@pytest.mark.parametrize("first, second", [("test-fluid", "morphine"), ("morphine", "test-fluid")])
def test_no_change_between_a_drug_and_the_engineering_fluid(first, second):
    """LIB-04, H04: there is no equivalence."""
    fluid = Rx(basal_ug_per_day=500, concentration_ug_per_ml=200, equiv_prev_ug_per_day=500)
    of = {"test-fluid": fluid, "morphine": replace(MORPHINE, equiv_prev_ug_per_day=500)}
    assert Clinic(of[first]).rig.load(of[second]) == "rx_not_bench"
